"""Hears machines over HTTPS: what one sends is verified, kept on the disk, and told back when it was taken in.

Why: a machine opens no port, so it sends.  What comes lies in the same two files as where both sides reach one folder
(`site.uplink`): whatever hears that folder hears these machines too, and nothing is decided here.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors
from flyball.runtime import inbox
from flyball.site import uplink
from flyball.site.endpoint_access import Bind, Tokens, private

if TYPE_CHECKING:
    from securesystemslib.signer import Key

#: Connections at one time, and seconds in which nothing comes.
MOST_CONNECTIONS, SILENT_S = 64, 15.0


class Receiver:
    """Takes `PUT /machines/NAME` from enrolled machines into a folder, until it is closed.

    `keys` maps a machine to the public key that its reports are signed with.  The answer is what has arrived of what
    it sent before: `{"last": {"EPOCH/CLASS": number}}`.  It listens on this machine alone, or by certificate and
    tokens (see `Bind`).

    Raises DeclarationError for a place where it may not listen, DataError for tokens or keys that others may read.
    """

    def __init__(self, folder: Path, keys: Mapping[str, Key], bind: Bind) -> None:
        if problem := bind.problem():
            raise errors.DeclarationError(problem)
        if not folder.is_dir():
            raise errors.DataError(f"{folder}: no folder there: give the one through which machines tell")
        #: May be exchanged at any time, where machines are enrolled.
        self.keys = keys
        self.folder, self.bind = folder, bind
        self.tokens = Tokens.read(bind.tokens) if bind.tokens is not None else None
        if bind.key is not None:
            private(bind.key)
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._writing = threading.Lock()
        #: Where it listens once it is started; empty where it does not.
        self.url = ""

    def __enter__(self) -> Receiver:
        try:
            self._server = _Server((self.bind.host, self.bind.port or 0), self)
        except OSError as error:
            raise errors.DataError(
                f"{self.bind.host}:{self.bind.port}: {error.strerror}: give another port or host"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)
        self._thread.start()
        scheme = "https" if self.bind.certificate is not None else "http"
        self.url = f"{scheme}://{self.bind.host}:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.url = ""

    def take(self, machine: str, body: bytes) -> dict[str, Any]:
        """Keep what a machine sent and return what has arrived of what it sent before.

        Raises SignatureError for what the machine did not sign, DataError for what no agent writes.
        """
        if machine not in self.keys:
            raise errors.SignatureError(f"{machine!a}: no machine of this site: enrol it first")
        report, batches = uplink.sent(body)
        inbox.verified(machine, report, batches, self.keys)
        with self._writing:
            durable.write(self.folder / f"{machine}.out.json", body)
            return {"last": uplink.acknowledged(self.folder, machine)}


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, address: tuple[str, int], receiver: Receiver) -> None:
        self.receiver, bind = receiver, receiver.bind
        self.context: ssl.SSLContext | None = None
        if bind.certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.context.load_cert_chain(bind.certificate, bind.key)
        self.address_family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
        super().__init__(address, _Handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread: who is slow at it holds up nobody else."""
        if not self.receiver._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            request.settimeout(SILENT_S)
            if self.context is not None:
                request = self.context.wrap_socket(request, server_side=True)
            super().process_request_thread(request, client_address)
        except OSError:  # no TLS, or gone in the middle of it
            self.shutdown_request(request)
        finally:
            self.receiver._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever hangs up in the middle sends again."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    timeout = SILENT_S
    server_version, sys_version = "flyball", ""

    def do_PUT(self) -> None:
        """Take what a machine sends."""
        receiver = self.server.receiver
        if receiver.tokens is not None and not receiver.tokens.allow(self.headers.get("Authorization")):
            return self._say(401, {"error": "no token that is known here"})
        room, _, machine = self.path.lstrip("/").partition("/")
        if room != "machines" or not machine:
            return self._say(404, {"error": "PUT /machines/NAME"})
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            return self._say(411, {"error": "say how long it is"})
        if int(length) > uplink.LARGEST:
            return self._say(413, {"error": f"more than {uplink.LARGEST} bytes"})
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            return self._say(400, {"error": "it ended too early"})
        try:
            return self._say(200, receiver.take(machine, body))
        except errors.SignatureError as error:
            return self._say(403, {"error": str(error)})
        except errors.DataError as error:
            return self._say(400, {"error": str(error)})
        except errors.StoreError:
            return self._say(503, {"error": "it cannot be kept at the moment: send it again"})

    def _say(self, status: int, told: Mapping[str, Any]) -> None:
        content = json.dumps(told).encode()
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Write nothing about a request."""
