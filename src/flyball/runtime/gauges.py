"""The loop's figures as Prometheus reads them: over HTTP on the loopback, or as a file for its node exporter.

Why: a plant's dashboards and its on-call rules exist already.  Labels are what the page names (columns, gates, losses),
never a machine, a file or an id, so that a year of rounds holds as many series as the first one.

Source: Prometheus, Writing exporters, and Node exporter, textfile collector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyball import durable, extras

#: Gauges by name: what they say, and their labels beside `system`.
GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "flyball_round_time_seconds": ("When the last round ended, seconds since 1970", ()),
    "flyball_training_cut_seconds": ("Until when the release's training knew, seconds since 1970", ()),
    "flyball_training_refused": ("Whether the last training was refused", ()),
    "flyball_release_info": ("The release that answers, by the start of its digest", ("release",)),
    "flyball_files": ("Files taken in by the last round", ()),
    "flyball_quarantined_rows": ("Rows set aside so far", ()),
    "flyball_gate_passed": ("Whether a gate of the last training held", ("gate",)),
    "flyball_drift_statistic": ("The judged statistic of the last window", ("column",)),
    "flyball_drift_limit": ("Its limit, which keeps the budget of false alarms", ("column",)),
    "flyball_alarms": ("Alarms that stand", ("detector", "cause")),
    "flyball_outcomes": ("Answers by what is known of them", ("state",)),
    "flyball_performance": (
        "How good the answers are: estimated before outcomes, or realised",
        ("metric", "by"),
    ),
}


class Gauges:
    """What the last round came to, as gauges of one registry.

    >>> gauges = Gauges("pumps")
    >>> gauges.update({"release": "ab" * 32, "arrived": {"files": 3}, "watch": {"alarms": []}}, now=10**15)
    >>> "flyball_files{system=\\"pumps\\"} 3.0" in gauges.text().decode()
    True
    """

    def __init__(self, system: str) -> None:
        client = extras.need("prometheus_client", "serve", "to offer gauges")
        self.registry = client.CollectorRegistry()
        self._system, self._client = system, client
        self._made = {
            name: client.Gauge(name, what, ("system", *labels), registry=self.registry)
            for name, (what, labels) in GAUGES.items()
        }

    def update(self, told: Mapping[str, Any], now: int) -> None:
        """Take in what a round told (`runtime.loop.once`) at `now`, microseconds; what it does not tell stays."""
        self._set("flyball_round_time_seconds", now / 1e6)
        if told.get("as_of") is not None:
            self._set("flyball_training_cut_seconds", told["as_of"] / 1e6)
        self._set("flyball_training_refused", float(bool(told.get("refused"))))
        self._all("flyball_release_info", [(1.0, (told["release"] or "none")[:12])])
        self._set("flyball_files", float(told.get("arrived", {}).get("files", 0)))
        if "data" in told:
            quarantined = told["data"].get("holds", {}).get("quarantined", {})
            self._set("flyball_quarantined_rows", float(sum(sum(r.values()) for r in quarantined.values())))
        if "verdicts" in told:
            self._all("flyball_gate_passed", [(float(v["passed"]), v["gate"]) for v in told["verdicts"]])
        if "outcomes" in told:
            self._all("flyball_outcomes", [(float(n), state) for state, n in told["outcomes"].items()])
        self._watch(told.get("watch", {}))

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return bytes(self._client.generate_latest(self.registry))

    def write(self, file: Path) -> None:
        """Write everything for the textfile collector of a node exporter; a reader never sees half of it."""
        durable.write(file, self.text())

    def serve(self, port: int, host: str = "127.0.0.1") -> tuple[str, Any]:
        """Answer scrapes in a thread; return the address and what ends it (`.shutdown()`)."""
        server, _ = self._client.start_http_server(port, addr=host, registry=self.registry)
        return f"http://{host}:{server.server_port}/metrics", server

    def _watch(self, watch: Mapping[str, Any]) -> None:
        columns = [one for one in watch.get("columns", ()) if one.get("limit") is not None]
        finite = [one for one in columns if math.isfinite(one["limit"])]
        self._all("flyball_drift_statistic", [(_judged(one), one["column"]) for one in columns])
        self._all("flyball_drift_limit", [(one["limit"], one["column"]) for one in finite])
        counts: dict[tuple[str, str], int] = {}
        for alarm in watch.get("alarms", ()):
            kind = (alarm["detector"].partition("(")[0], alarm.get("cause") or "unknown")
            counts[kind] = counts.get(kind, 0) + 1
        self._all("flyball_alarms", [(float(count), *kind) for kind, count in counts.items()])
        self._all("flyball_performance", performance(watch))

    def _set(self, name: str, value: float) -> None:
        self._made[name].labels(self._system).set(value)

    def _all(self, name: str, rows: list[Any]) -> None:
        """Put these series in the place of those that were there: a label that is gone is told no more."""
        self._made[name].clear()
        for value, *labels in rows:
            self._made[name].labels(self._system, *labels).set(value)


def _judged(one: Mapping[str, Any]) -> float:
    return float(one.get("statistic", one.get("psi", math.nan)))


def performance(watch: Mapping[str, Any]) -> list[tuple[float, str, str]]:
    """Return (value, metric, "estimated" or "realised") of what a watch tells of the answers' quality."""
    told = watch.get("performance") or {}
    found = {
        "estimated": (told.get("ahead") or {}).get("estimated", {}).get("value"),
        "realised": (told.get("realised") or {}).get("value"),
    }
    return [(float(value), told["metric"], name) for name, value in found.items() if value is not None]
