"""The endpoint over gRPC: the same questions, caps and refusals as over HTTP.

A message is counted before it is unpacked: half a million empty tensors fit into a megabyte, and would take a hundred
as objects.

Source: kserve/open-inference-protocol, `specification/protocol/inference_grpc.md`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from flyball import errors, extras
from flyball.site import endpoint_tensors as tensors
from flyball.site.endpoint_access import Bind, Tokens, private
from flyball.site.endpoint_messages import CONTENTS, fields, messages
from flyball.site.endpoint_model import Model
from flyball.site.endpoint_traces import Traces
from flyball.site.metrics import Metrics
from flyball.site.process import Process, RetryError

_log = logging.getLogger(__name__)
SERVICE = "inference.GRPCInferenceService"
#: Threads that answer; calls that wait for one are bounded by `Caps.together`.
THREADS = 4
OPEN = ("ServerLive", "ServerReady")
_CODES = {404: "NOT_FOUND", 401: "UNAUTHENTICATED", 413: "RESOURCE_EXHAUSTED"}


class Service:
    """Answers the methods of the protocol; each gets the bytes of a request and returns those of the answer."""

    def __init__(self, model: Model, metrics: Metrics, tokens: Tokens | None, traces: Traces) -> None:
        self.model, self.metrics, self.tokens, self.traces = model, metrics, tokens, traces
        self.messages = messages()

    def method(self, name: str, answer: Callable[[Any, Any], Any]) -> Callable[[bytes, Any], bytes]:
        """Return a method as gRPC calls it: leave asked, refusals told in few words, the rest only in the log."""
        grpc = extras.need("grpc", "serve", "to answer over gRPC")
        kind = self.messages[f"{name}Request"]

        def call(content: bytes, context: Any) -> bytes:
            try:
                carried = dict(context.invocation_metadata())
                if (
                    self.tokens is not None
                    and name not in OPEN
                    and not self.tokens.allow(carried.get("authorization"))
                ):
                    tensors.refuse("no token that is known", 401)
                return bytes(answer(self._parsed(kind, content), carried).SerializeToString())
            except tensors.RefusedError as refused:
                code, words, outcome = (
                    _CODES.get(refused.status, "INVALID_ARGUMENT"),
                    refused.words,
                    "refused",
                )
            except RetryError:
                code, words, outcome = "UNAVAILABLE", "not answered for now: ask again", "retry"
            except errors.DataError:
                code, words, outcome = "INVALID_ARGUMENT", "the model cannot answer these rows", "refused"
            except Exception:
                _log.exception("a request could not be answered")
                code, words, outcome = "INTERNAL", "not answered", "failed"
            self.metrics.ended("grpc", outcome)
            context.set_code(grpc.StatusCode[code])
            context.set_details(words)
            return b""

        return call

    def _parsed(self, kind: Any, content: bytes) -> Any:
        most = 2 * self.model.caps.tensors + 16
        if fields(content, most) > most:
            tensors.refuse("too many tensors")
        try:
            return kind.FromString(content)
        except Exception:  # protobuf's own error, whose module differs by build
            tensors.refuse("no message of this protocol")

    def server_live(self, request: Any, carried: Any) -> Any:
        """Say that it lives."""
        return self.messages["ServerLiveResponse"](live=True)

    def server_ready(self, request: Any, carried: Any) -> Any:
        """Say whether a scorer answers."""
        return self.messages["ServerReadyResponse"](ready=self.model.router.ready())

    def model_ready(self, request: Any, carried: Any) -> Any:
        """Say whether the model answers."""
        self.model.known(request.name, request.version or None)
        return self.messages["ModelReadyResponse"](ready=self.model.router.ready())

    def server_metadata(self, request: Any, carried: Any) -> Any:
        """Say who answers."""
        return self.messages["ServerMetadataResponse"](name="flyball", version="2")

    def model_metadata(self, request: Any, carried: Any) -> Any:
        """Say what the model is asked with."""
        self.model.known(request.name, request.version or None)
        return self.messages["ModelMetadataResponse"](**self.model.described())

    def model_infer(self, request: Any, carried: Any) -> Any:
        """Answer rows."""
        begun = time.perf_counter()
        self.model.known(request.model_name, request.model_version or None)
        id_ = tensors.text_of({"id": request.id}, self.model.caps)
        headers = [(key.encode(), value.encode()) for key, value in carried.items() if isinstance(value, str)]
        with self.traces.span("infer", headers) as span:
            asked = self.model.written(self._tensors(request))
            frame = Process.waited(self.model.send(asked), self.model.caps.answer_s)
            answer = self.model.told(frame, asked)
            span(rows=asked.rows, release=asked.digest)
        told = self.messages["ModelInferResponse"](
            model_name=self.model.name, model_version=asked.digest[:12], id=id_ or ""
        )
        out = told.outputs.add(name="answer", datatype="FP64", shape=answer.shape)
        out.contents.fp64_contents.extend(answer.ravel().tolist())
        self.metrics.answered("grpc", time.perf_counter() - begun, asked.rows)
        return told

    def _tensors(self, request: Any) -> Sequence[tensors.Tensor]:
        caps = self.model.caps
        raw = request.raw_input_contents
        if not 1 <= len(request.inputs) <= caps.tensors or (raw and len(raw) != len(request.inputs)):
            tensors.refuse(f"inputs are not 1 to {caps.tensors} tensors, each with its contents")
        if len(request.outputs) > 1 or any(one.name != "answer" for one in request.outputs):
            tensors.refuse("outputs may name 'answer' alone")
        return [_tensor(one, raw[place] if raw else None, caps) for place, one in enumerate(request.inputs)]


def _tensor(one: Any, raw: bytes | None, caps: tensors.Caps) -> tensors.Tensor:
    import numpy as np

    if len(one.name) > caps.text or len(one.shape) > caps.nesting:
        tensors.refuse("no such tensor")
    shape = tensors.checked(list(one.shape), one.datatype, caps)
    count = int(np.prod(shape, dtype=np.int64))
    values: Any
    if one.datatype == "BYTES":
        if raw is not None:
            tensors.refuse("BYTES do not come raw: give bytes_contents")
        if len(one.contents.bytes_contents) != count:
            tensors.refuse("contents are not of their shape")
        try:
            values = [text.decode() or None for text in one.contents.bytes_contents]
        except UnicodeDecodeError:
            tensors.refuse("BYTES that are no text in UTF-8")
    elif raw is not None:
        dtype = np.dtype(tensors.DATATYPES[one.datatype])
        if len(raw) != count * dtype.itemsize:
            tensors.refuse("contents are not of their shape")
        values = np.frombuffer(raw, dtype)
    else:
        found = getattr(one.contents, CONTENTS.get(one.datatype, ""), ())
        if len(found) != count:
            tensors.refuse("contents are not of their shape")
        values = list(found)
    return tensors.Tensor(one.name, one.datatype, shape, values)


def start(
    model: Model, metrics: Metrics, tokens: Tokens | None, traces: Traces, bind: Bind, port: int
) -> tuple[int, Callable[[], None]]:
    """Listen for calls; return the port, and what stops it.  Raises DataError where the port is taken."""
    from concurrent.futures import ThreadPoolExecutor

    grpc = extras.need("grpc", "serve", "to answer over gRPC")
    service = Service(model, metrics, tokens, traces)
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(service.method(name, answer))
        for name, answer in (
            ("ServerLive", service.server_live), ("ServerReady", service.server_ready),
            ("ModelReady", service.model_ready), ("ServerMetadata", service.server_metadata),
            ("ModelMetadata", service.model_metadata), ("ModelInfer", service.model_infer),
        )
    }  # fmt: skip
    server = grpc.server(
        ThreadPoolExecutor(THREADS, "endpoint grpc"),
        handlers=(grpc.method_handlers_generic_handler(SERVICE, handlers),),
        maximum_concurrent_rpcs=model.caps.together,
        options=(
            ("grpc.max_receive_message_length", model.caps.body), ("grpc.max_metadata_size", 2**13),
            ("grpc.max_concurrent_streams", 64), ("grpc.so_reuseport", 0), ("grpc.max_connection_idle_ms", 300_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000), ("grpc.enable_http_proxy", 0),
        ),
    )  # fmt: skip
    place = f"[{bind.host}]:{port}" if ":" in bind.host else f"{bind.host}:{port}"
    try:
        if bind.certificate is not None and bind.key is not None:
            pair = (private(bind.key), bind.certificate.read_bytes())
            found = server.add_secure_port(place, grpc.ssl_server_credentials([pair]))
        else:
            found = server.add_insecure_port(place)
    except RuntimeError:
        found = 0
    if not found:
        raise errors.DataError(f"{place}: cannot listen there: give another port or host")
    server.start()
    return int(found), lambda: server.stop(2.0).wait()
