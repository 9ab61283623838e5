"""The endpoint over HTTP: a plain ASGI application, and a guard in front of it that reads no more than it must."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.site import endpoint_tensors as tensors
from flyball.site.endpoint_access import Tokens
from flyball.site.endpoint_model import Asked, Model
from flyball.site.endpoint_traces import Traces
from flyball.site.metrics import Metrics
from flyball.site.process import RetryError

if TYPE_CHECKING:
    from flyball.data.stage import Array
    from flyball.site import wire

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_log = logging.getLogger(__name__)
_JSON = (b"content-type", b"application/json")
#: What needs no token: a supervisor asks whether it lives, and learns nothing else.
OPEN = ("/v2/health/live", "/v2/health/ready")
#: How long to wait for a scorer that is being started again, and how often to look.
LOOK_S = 0.02


class Application:
    """Answers the paths of the Open Inference Protocol, and /metrics."""

    def __init__(self, model: Model, metrics: Metrics, tokens: Tokens | None, traces: Traces) -> None:
        self.model, self.metrics, self.tokens, self.traces = model, metrics, tokens, traces
        self._together = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is told in few words, and in full only in the log."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not spoken")
        path = scope["path"]
        close = False
        try:
            status, body, kind = await self._routed(scope, path, receive)
        except tensors.RefusedError as refused:
            status, body, kind = refused.status, told(refused.words), _JSON
            # What is left of a body that is not read would be taken for the next request.
            close = status in (401, 411, 413, 408)
            self.metrics.ended("http", "refused")
        except RetryError:
            status, body, kind = 503, told("not answered for now: ask again"), _JSON
            self.metrics.ended("http", "retry")
        except errors.DataError:
            status, body, kind = 400, told("the model cannot answer these rows"), _JSON
            self.metrics.ended("http", "refused")
        except Exception:
            _log.exception("a request could not be answered")
            status, body, kind = 500, told("not answered"), _JSON
            self.metrics.ended("http", "failed")
        headers = [kind, (b"content-length", str(len(body)).encode())]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if status == 503:
            headers.append((b"retry-after", b"1"))
        if close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _routed(
        self, scope: Scope, path: str, receive: Receive
    ) -> tuple[int, bytes, tuple[bytes, bytes]]:
        headers = scope["headers"]
        if self.tokens is not None and path not in OPEN:
            given = [value for name, value in headers if name == b"authorization"]
            if len(given) != 1 or not self.tokens.allow(given[0]):
                tensors.refuse("no token that is known", 401)
        if path.startswith("/v2/models/"):
            name, version, verb = self._named(path)
            self._spoken(scope, "POST" if verb == "infer" else "GET")
            self.model.known(name, version)
            if verb == "infer":
                return 200, await self._inferred(headers, receive), _JSON
            if verb == "ready":
                ready = self.model.router.ready()
                return 200 if ready else 503, json.dumps({"name": name, "ready": ready}).encode(), _JSON
            return 200, json.dumps(self.model.described()).encode(), _JSON
        if path not in (*OPEN, "/v2", "/v2/", "/metrics"):
            tensors.refuse("no such path", 404)
        self._spoken(scope, "GET")
        if path == "/metrics":
            return 200, self.metrics.text(), (b"content-type", self.metrics.content_type.encode())
        if path == "/v2/health/live":
            return 200, b'{"live":true}', _JSON
        if path == "/v2/health/ready":
            ready = self.model.router.ready()
            return 200 if ready else 503, json.dumps({"ready": ready}).encode(), _JSON
        return 200, json.dumps({"name": "flyball", "version": "2", "extensions": []}).encode(), _JSON

    @staticmethod
    def _named(path: str) -> tuple[str, str | None, str]:
        """Return model, version and verb of a path below /v2/models."""
        parts = path.split("/")[3:]
        verb = parts.pop() if parts[-1] in ("infer", "ready") and len(parts) > 1 else ""
        if len(parts) == 1:
            return parts[0], None, verb
        if len(parts) == 3 and parts[1] == "versions":
            return parts[0], parts[2], verb
        tensors.refuse("no such path", 404)

    @staticmethod
    def _spoken(scope: Scope, method: str) -> None:
        if scope["method"] != method:
            tensors.refuse(f"{method} alone", 405)

    async def _inferred(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        begun = time.perf_counter()
        if self._together >= self.model.caps.together:
            raise RetryError("as many requests as may be are answered already")
        self._together += 1
        try:
            with self.traces.span("infer", headers) as span:
                request = tensors.parsed(await self._body(headers, receive), self.model.caps)
                id_ = tensors.text_of(request, self.model.caps)
                asked = self.model.written(tensors.tensors(request, self.model.caps))
                frame = await self._asked(asked)
                answer = self.model.told(frame, asked)
                span(rows=asked.rows, release=asked.digest)
        finally:
            self._together -= 1
        body = written(self.model.name, asked.digest, id_, answer)
        self.metrics.answered("http", time.perf_counter() - begun, asked.rows)
        return body

    async def _body(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """Return the body, of which no more is read than a request may have, in no more time."""
        most = self.model.caps.body
        length = next((value for name, value in headers if name == b"content-length"), b"")
        if not length.isdigit():
            tensors.refuse("no content-length", 411)
        if len(length) > 18 or int(length) > most:
            tensors.refuse(f"more than {most} bytes", 413)
        message = await self._received(receive)
        if not message["more_body"]:
            return bytes(message["body"])
        held = bytearray(message["body"])
        try:
            async with asyncio.timeout(self.model.caps.body_s):
                while message["more_body"]:
                    message = await self._received(receive)
                    held += message["body"]
        except TimeoutError:
            tensors.refuse("the body came too slowly", 408)
        return bytes(held)

    @staticmethod
    async def _received(receive: Receive) -> dict[str, Any]:
        message = await receive()
        if message["type"] != "http.request":
            tensors.refuse("hung up")
        return {"body": message.get("body", b""), "more_body": message.get("more_body", False)}

    async def _asked(self, asked: Asked) -> wire.Frame:
        """Send a question and wait for its answer, without ever holding up what others ask."""
        until = time.monotonic() + self.model.router.wait_s
        while True:
            try:
                if self.model.at_once(asked):
                    future = self.model.send(asked, 0.0)
                else:
                    future = await asyncio.to_thread(self.model.send, asked, 0.0)
                break
            except RetryError:
                # Not there for a moment: a scorer that died is being started again.
                if self.model.router.ready() or time.monotonic() >= until:
                    raise
                await asyncio.sleep(LOOK_S)
        try:
            async with asyncio.timeout(self.model.caps.answer_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise RetryError("no answer in time") from None


def told(words: str) -> bytes:
    """Return an error as the protocol tells it."""
    return json.dumps({"error": words}).encode()


def written(name: str, digest: str, id_: str | None, answer: Array) -> bytes:
    """Return the response of the protocol; an answer that is no number is null.

    >>> import numpy as np
    >>> written("pump", "0123456789abcdef", "7", np.array([0.5, np.nan])).decode()
    '{"model_name":"pump","model_version":"0123456789ab","id":"7","outputs":[{"name":"answer","shape":[2],\
"datatype":"FP64","data":[0.5,null]}]}'
    """
    values = answer.ravel().tolist()
    try:
        data = json.dumps(values, allow_nan=False, separators=(",", ":"))
    except ValueError:
        plain = [value if math.isfinite(value) else None for value in values]
        data = json.dumps(plain, separators=(",", ":"))
    id_part = "" if id_ is None else f'"id":{json.dumps(id_)},'
    shape = ",".join(map(str, answer.shape))
    return (
        f'{{"model_name":{json.dumps(name)},"model_version":"{digest[:12]}",{id_part}"outputs":[{{"name":"answer",'
        f'"shape":[{shape}],"datatype":"FP64","data":{data}}}]}}'
    ).encode()
