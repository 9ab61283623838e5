"""A release as others ask it: the Open Inference Protocol over HTTP and gRPC, and metrics.

It listens on this machine alone unless it is given a certificate and tokens.  Nothing is written to a log for a
request, and nothing is sent anywhere.

Source: kserve/open-inference-protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flyball import errors, extras
from flyball.site import endpoint_http
from flyball.site.endpoint_access import Bind, Tokens, private
from flyball.site.endpoint_guard import guard
from flyball.site.endpoint_model import Model
from flyball.site.endpoint_tensors import Caps
from flyball.site.endpoint_traces import Traces
from flyball.site.metrics import Metrics
from flyball.site.router import Router

#: Connections at one time; one more is told to come back.
MOST_CONNECTIONS = 256
#: Seconds for what is under way when it stops, and for a connection on which nothing comes.
GRACE_S, IDLE_S = 5, 15


class Endpoint:
    """Answers clients from a router, until it is closed; the router stays its owner's.

    `name` is what clients call the model.  Raises DeclarationError for a place where it may not listen, DataError for
    tokens or keys that others may read, MissingExtraError without the extra `serve`.
    """

    def __init__(
        self, router: Router, name: str, bind: Bind | None = None, caps: Caps | None = None,
        traces: str | Path | None = None,
    ) -> None:  # fmt: skip
        self.bind = bind or Bind()
        if problem := self.bind.problem():
            raise errors.DeclarationError(problem)
        self.tokens = Tokens.read(self.bind.tokens) if self.bind.tokens is not None else None
        if self.bind.key is not None:
            private(self.bind.key)
        self.model, self.metrics = Model(name, router, caps), Metrics(router)
        self.traces = Traces(traces, service=name)
        #: Where it listens once it is started, e.g. "http://127.0.0.1:8080"; empty where it does not.
        self.url, self.grpc = "", ""
        self._stops: list[Callable[[], None]] = []

    def start(self) -> Endpoint:
        """Listen, and answer from threads of its own."""
        try:
            if self.bind.port is not None:
                self._start_http(self.bind.port)
            if self.bind.grpc_port is not None:
                from flyball.site import endpoint_grpc

                port, stop = endpoint_grpc.start(
                    self.model, self.metrics, self.tokens, self.traces, self.bind, self.bind.grpc_port
                )
                self.grpc = f"{_bracketed(self.bind.host)}:{port}"
                self._stops.append(stop)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Answer what is under way, and listen no more."""
        while self._stops:
            self._stops.pop()()
        self.url = self.grpc = ""
        self.traces.close()

    def __enter__(self) -> Endpoint:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_http(self, port: int) -> None:
        uvicorn = extras.need("uvicorn", "serve", "to answer over HTTP")
        application = endpoint_http.Application(self.model, self.metrics, self.tokens, self.traces)
        secure = {}
        if self.bind.certificate is not None:
            secure = {"ssl_certfile": self.bind.certificate, "ssl_keyfile": self.bind.key}
        config = uvicorn.Config(
            application, http=guard(), ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False,
            log_level="critical", server_header=False, date_header=False, proxy_headers=False, backlog=128,
            limit_concurrency=MOST_CONNECTIONS, timeout_keep_alive=IDLE_S, timeout_graceful_shutdown=GRACE_S, **secure,
        )  # fmt: skip
        config.load()
        listening = _listening(self.bind.host, port)
        server = uvicorn.Server(config)

        def go() -> None:
            with asyncio.Runner(loop_factory=_loop()) as runner, contextlib.suppress(asyncio.CancelledError):
                runner.run(server.serve(sockets=[listening]))

        # It listens already: who connects before the loop turns is answered when it does.
        thread = threading.Thread(target=go, name="endpoint http", daemon=True)
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join()
            listening.close()

        self._stops.append(stop)
        scheme = "https" if secure else "http"
        self.url = f"{scheme}://{_bracketed(self.bind.host)}:{listening.getsockname()[1]}"


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        found = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise errors.DataError(f"{host}:{port}: {error.strerror}: give another port or host") from None
    found.setblocking(False)
    return found


def _loop() -> Any:
    """Return what makes event loops: uvloop's where it is installed, else Python's own."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
