"""What a site tells of its answering, as Prometheus reads it: counts, times and memory, never what was asked.

No label holds anything that a request brought: however many ids, names or tokens come in, memory stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import extras

if TYPE_CHECKING:
    from flyball.site.router import Router

PROTOCOLS = ("http", "grpc")
OUTCOMES = ("answered", "refused", "retry", "failed")
#: Upper ends of the histogram of request times, seconds.
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """Counts requests of one endpoint, and reads what the router knows when it is asked.

    `registry` is where an agent may add figures of its own.
    """

    def __init__(self, router: Router) -> None:
        client = extras.need("prometheus_client", "serve", "to tell metrics")
        self.registry = client.CollectorRegistry()
        requests = client.Counter(
            "flyball_requests", "Requests by how they ended", ("protocol", "outcome"), registry=self.registry
        )
        took = client.Histogram(
            "flyball_request_seconds", "Time from a request to its answer", ("protocol",), buckets=BUCKETS,
            registry=self.registry,
        )  # fmt: skip
        rows = client.Counter("flyball_rows", "Rows answered", ("protocol",), registry=self.registry)
        # Made beforehand: looking a label up takes longer than counting.
        self._requests = {(p, o): requests.labels(p, o) for p in PROTOCOLS for o in OUTCOMES}
        self._took = {p: took.labels(p) for p in PROTOCOLS}
        self._rows = {p: rows.labels(p) for p in PROTOCOLS}
        self.registry.register(_Scorer(router))
        self._latest = client.generate_latest
        self.content_type: str = client.CONTENT_TYPE_LATEST

    def answered(self, protocol: str, seconds: float, rows: int) -> None:
        """Count a request that was answered."""
        self._requests[protocol, "answered"].inc()
        self._took[protocol].observe(seconds)
        self._rows[protocol].inc(rows)

    def ended(self, protocol: str, outcome: str) -> None:
        """Count a request that was refused, told to come back, or failed."""
        self._requests[protocol, outcome].inc()

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return bytes(self._latest(self.registry))


class _Scorer:
    """What the router knows: read when somebody looks."""

    def __init__(self, router: Router) -> None:
        self.router = router

    def collect(self) -> Iterator[Any]:
        from prometheus_client import metrics_core as core

        router, current = self.router, self.router.current
        done = router.count()
        for name, what, value in (
            ("flyball_questions", "Questions that a scorer was asked", done.answers),
            ("flyball_retries", "Questions that were told to come back", done.retries),
            ("flyball_scorer_starts", "Scorers that were started and served", done.starts),
            ("flyball_scorer_exits", "Scorers that ended unexpectedly", done.exits),
        ):
            yield core.CounterMetricFamily(name, what, value)
        up = core.GaugeMetricFamily("flyball_scorer_up", "Whether a scorer answers", labels=("release",))
        up.add_metric([(router.digest or "")[:12]], float(router.ready()))
        yield up
        resident = current.resident() if current is not None else 0
        yield core.GaugeMetricFamily(
            "flyball_scorer_resident_bytes", "Resident memory of the scorer", resident
        )
        waiting = current.waiting if current is not None else 0
        yield core.GaugeMetricFamily("flyball_questions_waiting", "Questions not answered yet", waiting)
