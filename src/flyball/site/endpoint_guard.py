"""In front of the application: a connection that sends too much, too slowly or in pieces is closed at once.

The server behind it holds what it is sent; here the head of a request, its headers, what is queued behind it and the
time that it may take are bounded, and bodies in chunks are refused, since a flood of one-byte chunks costs its
receiver far more than its sender.
"""

from __future__ import annotations

import functools
from typing import Any

from flyball import extras

#: The most bytes and headers of a request's head, requests queued on one connection, and seconds for a head.
MOST_HEAD, MOST_HEADERS, MOST_QUEUED, HEAD_S = 2**14, 64, 8, 10.0
_WORDS = {
    400: b"no request that is understood", 408: b"too slow", 411: b"no content-length", 429: b"too many at once",
    431: b"too long a head",
}  # fmt: skip


@functools.cache
def guard() -> type[Any]:
    """Return uvicorn's protocol with the bounds of this module; raises MissingExtraError without the extra."""
    impl = extras.need("uvicorn.protocols.http.httptools_impl", "serve", "to answer over HTTP")
    extras.need("httptools", "serve", "to answer over HTTP")

    class Guard(impl.HttpToolsProtocol):  # type: ignore[name-defined, misc]
        """One connection."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._status, self._head, self._in_head = 400, 0, True
            self._late = self.loop.call_later(HEAD_S, self._refused, 408)

        def connection_lost(self, exc: Exception | None) -> None:
            self._settled()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            if self._in_head and not self.transport.is_closing():
                self._head += len(data)
                if self._late is None:
                    self._late = self.loop.call_later(HEAD_S, self._refused, 408)
                if self._head > MOST_HEAD:
                    self._refused(431)

        def on_message_begin(self) -> None:
            self._in_head, self._head = True, 0
            super().on_message_begin()
            if len(self.pipeline) >= MOST_QUEUED:
                self._stop(429)

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            if len(self.url) > MOST_HEAD:
                self._stop(431)

        def on_header(self, name: bytes, value: bytes) -> None:
            super().on_header(name, value)
            if name.lower() == b"transfer-encoding":
                self._stop(411)
            if len(self.headers) > MOST_HEADERS or len(name) + len(value) > MOST_HEAD:
                self._stop(431)

        def on_headers_complete(self) -> None:
            self._in_head = False
            self._settled()
            super().on_headers_complete()

        def send_400_response(self, msg: str) -> None:
            self._refused(self._status)

        def _settled(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _stop(self, status: int) -> None:
            # The parser ends at an error of a callback, and asks for a refusal.
            self._status = status
            raise ValueError(status)

        def _refused(self, status: int) -> None:
            self._settled()
            body = b'{"error": "%s"}' % _WORDS[status]
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
                body
            )
            self.transport.write(impl.STATUS_LINE[status] + head + body)
            self.transport.close()

    return Guard
