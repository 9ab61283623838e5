"""Gates on the contest: is the challenger really better, or at least not worse?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from flyball import errors, evidence, part
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

    For a metric that is not what the contest is about but must not be paid with.  `per` names a column of the
    contest's slices: then it must hold for each site, product or whatever the column tells, one verdict each, so that
    no site pays for the mean.  A slice of fewer than `least` machines, or where the metric is not defined, cannot be
    judged: the last verdict names it.

    >>> measured = {"difference.brier": evidence.Measurement("difference.brier", 0.0, -0.01, 0.01)}
    >>> [verdict.passed for verdict in NotWorse("brier", than=0.02).judge(measured)]
    [True]
    >>> measured = {f"{site}.difference.brier": evidence.Measurement("difference.brier", 0.0, low, 0.1, 9)
    ...             for site, low in (("a", -0.01), ("b", -0.3))}
    >>> [verdict.passed for verdict in NotWorse("brier", than=0.02, per="site").judge(measured)]
    [True, False]
    """

    metric: str
    than: float = 0.0
    on: str = "test"
    against: str = "baseline"
    per: str | None = None
    least: int = 2

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return one verdict per opponent, and per slice where each must hold; GateError when none can be judged."""
        if self.per is None:
            return tuple(_verdict(repr(self), one, -self.than) for one in _opponents(measured, self))
        told = _slices(measured, self)
        judged = {name: m for name, m in told.items() if m.n >= self.least and not math.isnan(m.low)}
        if not judged:
            raise errors.GateError(
                f"no slice of {self.per!r} can be judged by {self.metric}: {len(told)} told"
            )
        verdicts = [
            _verdict(repr(self), part.replace(m, name=name), -self.than) for name, m in judged.items()
        ]
        left = [f"{name} ({told[name].n} machines)" for name in told if name not in judged]
        if left:
            last = verdicts[-1]
            verdicts[-1] = part.replace(last, why=f"{last.why}; cannot be judged: {', '.join(left)}")
        return tuple(verdicts)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _problems(self, page)
        if self.per is not None and self.per not in page.model.sliced():
            hint = errors.did_you_mean(self.per, page.model.sliced())
            yield errors.Problem("per", f"{self.per!r} is no column of model.slices", hint)


def _slices(measured: Measured, gate: NotWorse) -> dict[str, evidence.Measurement]:
    """Return the paired differences of every slice of the gate's column, by the name they were measured under.

    Of several columns a slice is named with its column; of a single one all slices are meant.
    """
    start = "rolling." if gate.on == "rolling" else ""
    others = ".*" if gate.against == "all" else ""
    pattern = re.compile(rf"{re.escape(start)}(?P<slice>.+)\.difference{others}\.{re.escape(gate.metric)}")
    found = {}
    for name, m in measured.items():
        hit = pattern.fullmatch(name)
        if hit and (gate.on == "rolling") == name.startswith("rolling."):
            found[name] = (hit["slice"], m)
    mine = {name: m for name, (slice_, m) in found.items() if slice_.startswith(f"{gate.per}=")}
    return mine or {name: m for name, (_, m) in found.items()}


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
