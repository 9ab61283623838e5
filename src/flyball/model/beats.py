"""Gates on the contest: is the challenger really better, or at least not worse?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from flyball import errors, evidence
from flyball.model.stage import Gate, Measured


class Beats(Gate):
    """Holds when the lower 95 % bound of the paired difference to the baseline is at least `by`.

    The difference is oriented: above zero the challenger is better, whatever the metric.  `on` is "test" (the test
    rows) or "rolling" (the folds of `choose`, pooled); `against` is "baseline" or "all" (each peer as well).

    >>> measured = {"difference.roc_auc": evidence.Measurement("difference.roc_auc", 0.05, 0.03, 0.08)}
    >>> [verdict.passed for verdict in Beats("roc_auc", by=0.02).judge(measured)]
    [True]
    """

    metric: str
    by: float = 0.0
    on: str = "test"
    against: str = "baseline"

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return one verdict per opponent."""
        return tuple(_verdict(repr(self), one, self.by) for one in _opponents(measured, self))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _problems(self, page)


class NotWorse(Gate):
    """Holds when the lower 95 % bound of the paired difference is above -`than`: no worse by more than that.

    For a metric that is not what the contest is about but must not be paid with.

    >>> measured = {"difference.brier": evidence.Measurement("difference.brier", 0.0, -0.01, 0.01)}
    >>> [verdict.passed for verdict in NotWorse("brier", than=0.02).judge(measured)]
    [True]
    """

    metric: str
    than: float = 0.0
    on: str = "test"
    against: str = "baseline"

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return one verdict per opponent."""
        return tuple(_verdict(repr(self), one, -self.than) for one in _opponents(measured, self))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _problems(self, page)


def _opponents(measured: Measured, gate: Beats | NotWorse) -> list[evidence.Measurement]:
    """Return the paired differences that the gate looks at: to the baseline, and to each peer where all count."""
    peers = _peers(measured, gate.metric, gate.on) if gate.against == "all" else []
    return [_difference(measured, gate.metric, gate.on), *peers]


def _prefix(on: str) -> str:
    return "rolling.difference." if on == "rolling" else "difference."


def _difference(measured: Measured, metric: str, on: str) -> evidence.Measurement:
    name = f"{_prefix(on)}{metric}"
    if name not in measured:
        raise errors.GateError(f"{name} was not measured, {errors.did_you_mean(name, measured)}")
    return measured[name]


def _peers(measured: Measured, metric: str, on: str) -> list[evidence.Measurement]:
    """Return the differences to every peer, in order of their names; the peer's name may hold no dot."""
    start, end = _prefix(on), f".{metric}"
    found = [
        n for n in measured if n.startswith(start) and n.endswith(end) and len(n) > len(start) + len(end)
    ]
    return [measured[name] for name in sorted(found)]


def _verdict(gate: str, told: evidence.Measurement, limit: float) -> evidence.Verdict:
    passed = not math.isnan(told.low) and told.low >= limit
    why = f"{told.name} is {told.value:.4g}, 95 % interval {told.low:.4g} to {told.high:.4g}"
    return evidence.Verdict(gate, told.low, limit, passed, why)


def _problems(gate: Beats | NotWorse, page: Any) -> Iterator[errors.Problem]:
    if gate.metric not in page.model.metrics:
        hint = errors.did_you_mean(gate.metric, page.model.metrics)
        yield errors.Problem("metric", f"{gate.metric!r} is not measured in this contest", hint)
    for name, value, known in (
        ("on", gate.on, ("test", "rolling")),
        ("against", gate.against, ("baseline", "all")),
    ):
        if value not in known:
            yield errors.Problem(name, f"no {value!r}", f"one of {', '.join(known)}")
