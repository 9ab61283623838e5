"""Traces of what an endpoint answers: nothing is recorded, and nothing sent, unless somebody says where to.

A request's `traceparent` is honoured (W3C Trace Context), its sampling too.  Spans are written as OTLP in JSON, a line
a batch, to a file, or posted to the collector that is named.

Source: opentelemetry-proto, "JSON Protobuf Encoding" of OTLP 1.x.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flyball import errors, extras

#: The most bytes of a file of spans; then it is begun again, and the one before is kept as NAME.1.
MOST_BYTES = 2**26
#: Seconds that a collector has for a batch.
POST_S = 5.0


class Traces:
    """Makes a span of each request, or nothing at all where no `to` is given.

    `to` is a file, or the URL of a collector that speaks OTLP over HTTP ("https://collector:4318/v1/traces").
    """

    def __init__(self, to: str | Path | None = None, service: str = "flyball") -> None:
        self._tracer: Any = None
        if to is None:
            return
        why = "to trace requests"
        trace = extras.need("opentelemetry.sdk.trace", "traces", why)
        export = extras.need("opentelemetry.sdk.trace.export", "traces", why)
        resources = extras.need("opentelemetry.sdk.resources", "traces", why)
        sampling = extras.need("opentelemetry.sdk.trace.sampling", "traces", why)
        self._context = extras.need("opentelemetry.trace.propagation.tracecontext", "traces", why)
        # Only the name: what else a resource detector finds out of a machine is nobody's business.
        resource = resources.Resource({"service.name": service})
        # Decided by the caller where it says so.
        self._provider = trace.TracerProvider(
            resource=resource, sampler=sampling.ParentBased(sampling.ALWAYS_ON), shutdown_on_exit=False
        )
        sink = _post(str(to)) if str(to).startswith(("http://", "https://")) else _append(Path(to))
        self._provider.add_span_processor(export.BatchSpanProcessor(_exporter(export, sink)))
        self._tracer = self._provider.get_tracer("flyball.endpoint")

    @contextlib.contextmanager
    def span(self, name: str, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Callable[..., None]]:
        """Record a span; what is yielded adds attributes to it."""
        if self._tracer is None:
            yield _nothing
            return
        carried = {
            key.decode("latin-1"): value.decode("latin-1")
            for key, value in headers
            if key in (b"traceparent", b"tracestate") and len(value) <= 512
        }
        context = self._context.TraceContextTextMapPropagator().extract(carried)
        with self._tracer.start_as_current_span(
            name, context, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield lambda **more: span.set_attributes(
                    {f"flyball.{key}": value for key, value in more.items()}
                )
            except Exception as error:
                # The kind alone: the words of an error may hold what was asked.
                span.set_attribute("error.type", type(error).__name__)
                raise

    def close(self) -> None:
        """Write what is not written yet."""
        if self._tracer is not None:
            self._provider.shutdown()


def _nothing(**_: object) -> None:
    return None


def _exporter(export: Any, sink: Callable[[bytes], None]) -> Any:
    """Return what hands batches of spans to a sink."""

    class Lines(export.SpanExporter):  # type: ignore[misc]
        def export(self, spans: Sequence[Any]) -> Any:
            try:
                sink(json.dumps(otlp(spans), separators=(",", ":")).encode() + b"\n")
            except OSError:
                return export.SpanExportResult.FAILURE
            return export.SpanExportResult.SUCCESS

    return Lines()


def otlp(spans: Sequence[Any]) -> dict[str, Any]:
    """Return spans as OTLP writes them in JSON."""
    resource = _attributes(spans[0].resource.attributes) if spans else []
    told = [_span(one) for one in spans]
    scopes = [{"scope": {"name": "flyball.endpoint"}, "spans": told}]
    return {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": scopes}]}


def _span(one: Any) -> dict[str, Any]:
    parent = {"parentSpanId": f"{one.parent.span_id:016x}"} if one.parent is not None else {}
    return {
        "traceId": f"{one.context.trace_id:032x}", "spanId": f"{one.context.span_id:016x}", **parent,
        "name": one.name, "kind": 2, "startTimeUnixNano": str(one.start_time), "endTimeUnixNano": str(one.end_time),
        "attributes": _attributes(one.attributes),
    }  # fmt: skip


def _attributes(found: Any) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if type(value) is int else {"stringValue": str(value)}}
        for key, value in found.items()
    ]


def _append(file: Path) -> Callable[[bytes], None]:
    lock = threading.Lock()

    def write(line: bytes) -> None:
        with lock:
            if file.exists() and file.stat().st_size + len(line) > MOST_BYTES:
                file.replace(file.with_name(file.name + ".1"))
            with file.open("ab") as out:
                out.write(line)

    if not file.parent.is_dir():
        raise errors.DataError(f"{file.parent}: no such folder: spans cannot be written there")
    return write


def _post(url: str) -> Callable[[bytes], None]:
    import urllib.request

    # No proxy of the environment: it goes where it is said to go.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def write(line: bytes) -> None:
        request = urllib.request.Request(url, line, {"content-type": "application/json"})
        opener.open(request, timeout=POST_S).close()

    return write
