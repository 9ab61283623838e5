"""How good the answers are: estimated before the truth is known, realised when it is, by slice, and why it got worse.

The reference are the test rows: nobody learned from them, and they were answered by the model as it was tested.  New
are the answers that were given and whose truth has come since, once all of their moment's has: a machine that fails is
known at once and one that does not only after the horizon, so half a moment would look worse than it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import data, evidence, part, units
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.monitoring import estimate, losses, means, rates, shift
from flyball.monitoring import performance as judging
from flyball.monitoring import stage as monitoring

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints
    from flyball.runtime import contest as contests
    from flyball.system import System

#: Fewer outcomes than this say nothing of a fleet.
LEAST = 30
#: So many slices are listed and explained, worst first.
LISTED, EXPLAINED = 12, 3


def reference(page: System, held: contests.Held, x: features.Matrix, seed: int) -> dict[str, Any]:
    """Return what is kept of the test rows: the detectors' settled thresholds, and how to read the answers."""
    kind, test = page.labels.kind(), held.test
    answers, moments = test.answers["challenger"], x.moments[test.rows]
    lost = losses.of_rows(kind, answers, test.truth)
    settled = []
    for detector in page.monitoring.concept:
        value = lost.get(getattr(detector, "metric", ""))
        if value is None:
            continue
        found = rates.settle(
            detector, rates.Losses(moments.at, moments.codes, value), int(page.labels.horizon()), seed
        )
        settled.append({
            "detector": repr(detector), "threshold": found.detector.threshold(), "expected": _plain(found.expected),
            "per": repr(getattr(detector, "per", units.YEAR)), "values": found.values, "why": found.why,
        })  # fmt: skip
    return {
        "detectors": settled,
        "calibration": estimate.calibration(kind, answers, test.truth, moments.codes),
    }


def detectors(page: System, kept: Mapping[str, Any]) -> list[monitoring.Detector]:
    """Return the page's detectors with the thresholds that were settled for this release."""
    found = {one["detector"]: one["threshold"] for one in kept.get("detectors", ())}
    out = []
    for detector in page.monitoring.concept:
        threshold = found.get(repr(detector))
        settle = detector.threshold() is None
        out.append(detector.settled(float(threshold)) if settle and threshold is not None else detector)
    return out


def closed(page: System, outcomes: Sequence[evidence.Outcome], as_of: int | None) -> list[evidence.Outcome]:
    """Return the outcomes of moments all of whose truth can be known by now, in order of when that was."""
    late = int(page.labels.horizon()) + int(getattr(page.feedback, "wait", 0))
    known = (o for o in outcomes if o.state == "known" and (as_of is None or o.moment + late <= as_of))
    return sorted(known, key=lambda o: (o.moment, o.key))


def stream(page: System, outcomes: Sequence[evidence.Outcome]) -> list[tuple[int, str, float]]:
    """Return what detectors are given: (moment, loss, mean over the outcomes of that moment), oldest first."""
    kind = page.labels.kind()
    sums: dict[tuple[int, str], list[float]] = {}
    for outcome in outcomes:
        for name, loss in losses.of(kind, outcome).items():
            held = sums.setdefault((outcome.moment, name), [0.0, 0.0])
            held[0] += loss
            held[1] += 1
    return [(at, name, total / n) for (at, name), (total, n) in sorted(sums.items())]


def look(
    page: System, held: contests.Held, x: features.Matrix, asked: features.Matrix,
    outcomes: Sequence[evidence.Outcome], kept: Mapping[str, Any], raised: Sequence[evidence.Alarm], seed: int = 0,
    risen: Sequence[evidence.Alarm] = (),
) -> tuple[dict[str, Any], list[evidence.Alarm]]:  # fmt: skip
    """Return what a watch tells of the performance, and an alarm for every window in which a slice got worse.

    `outcomes` are closed ones, `raised` the alarms of the data, which say whether inputs drifted or sensors broke.
    `risen` are the alarms of detectors: they come back first, the newest with their cause.  A detector sees that the
    loss rose and since when; what moved it is told by the outcomes since then.
    """
    metric = _metric(page)
    if not metric or not len(held.test.rows):
        return {}, list(risen)
    out: dict[str, Any] = {"metric": metric, "detectors": list(kept.get("detectors", ()))}
    out["ahead"] = _ahead(page, held, x, asked, kept, metric, seed)
    rows = _joined(page, held, x, asked, outcomes, metric)
    if rows is None:
        return out, list(risen)
    old, new = rows
    block = max(int(page.labels.horizon()), 1)
    out |= _compared(page, held, x, asked, old, new, block, seed)
    found = judging.judge(page.monitoring.performance, old.lost, new.lost, block, _windows(page, new.lost))
    last = max((one.until for one in found), default=0)
    worst = [one for one in found if one.until == last]
    alarmed = [one for one in worst if one.alarm and one.name != judging.ALL][:EXPLAINED]
    explained = [*(one for one in worst if one.name == judging.ALL), *alarmed]
    causes = {one.name: _cause(x, asked, old, new, one, raised, block, seed) for one in explained}
    out["cause"] = causes.get(judging.ALL, {}).get("cause", "")
    listed = [one for place, one in enumerate(worst) if place < LISTED or one.name == judging.ALL]
    out["slices"] = [_told(one, causes.get(one.name, {})) for one in listed]
    out |= {"judged": len(worst), "share": page.monitoring.performance.share(), "method": "Holm"}
    whole = next((one for one in worst if one.name == judging.ALL), None)
    caused = [
        alarm
        if whole is None or place < len(risen) - EXPLAINED
        else _caused(alarm, _cause(x, asked, old, new, _since(whole, alarm), raised, block, seed))
        for place, alarm in enumerate(risen)
    ]
    return out, caused + _alarms(metric, found, causes, new)


def _since(whole: judging.Slice, alarm: evidence.Alarm) -> judging.Slice:
    """Return the fleet in the time in which a detector saw its loss rise."""
    since = whole.since if alarm.since is None else alarm.since
    return dataclasses.replace(whole, since=min(since, alarm.at), until=alarm.at)


def _caused(alarm: evidence.Alarm, cause: Mapping[str, Any]) -> evidence.Alarm:
    return part.replace(alarm, cause=str(cause.get("cause", "")))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Losses of rows, where they stand in their matrix (-1: not there), the answers that were given, and the truth."""

    lost: judging.Lost
    rows: Ints
    answers: Array
    truth: Floats


def _metric(page: System) -> str:
    named = [str(getattr(one, "metric", "")) for one in page.monitoring.concept]
    known = losses.names(page.labels.kind())
    return next((name for name in (*named, *known) if name in known), "")


def _joined(
    page: System, held: contests.Held, x: features.Matrix, asked: features.Matrix,
    outcomes: Sequence[evidence.Outcome], metric: str,
) -> tuple[_Rows, _Rows] | None:  # fmt: skip
    """Return the reference and the new rows: what came after the test rows, else the newest window and those before."""
    import numpy as np

    kind, test = page.labels.kind(), held.test
    if len(outcomes) < LEAST:
        return None
    at = np.array([o.moment for o in outcomes], dtype=np.int64)
    if isinstance(page.data.clock, data.WallClock):
        last = int(x.moments.at[test.rows].max())
        over = page.monitoring.performance.over
        begin = last if (at > last).sum() >= LEAST else int(at.max()) - int(over)
        chosen = np.flatnonzero(at > begin)
        before = np.flatnonzero(x.moments.at[test.rows] <= begin)
    else:  # steps of machines tell nothing of before and after: every answer that is no test row is new
        there = x.moments[test.rows]
        tried = set(zip(there.names(), there.at.tolist(), strict=True))
        chosen = np.array(
            [place for place, o in enumerate(outcomes) if (o.key, o.moment) not in tried], dtype=np.int64
        )
        before = np.arange(len(test.rows))
    if len(chosen) < LEAST or len(before) < LEAST:
        return None
    some = [outcomes[place] for place in chosen.tolist()]
    moments = features.Moments.of([o.key for o in some], at[chosen])
    order = sorted(range(len(some)), key=lambda place: (some[place].key, some[place].moment))
    answers = np.array([some[place].answer for place in order])
    truth = np.array([some[place].truth for place in order])
    place = _places(asked.moments, moments)
    new = judging.Lost(
        moments, losses.of_rows(kind, answers, truth)[metric], _slices(page, asked, place, moments)
    )
    rows = test.rows[before]
    said = test.answers["challenger"][before]
    lost = losses.of_rows(kind, said, test.truth[before])[metric]
    old = judging.Lost(x.moments[rows], lost, _slices(page, x, rows, x.moments[rows]))
    return _Rows(old, rows, said, test.truth[before]), _Rows(new, place, answers, truth)


def _places(there: features.Moments, wanted: features.Moments) -> Ints:
    """Return (n,) where each wanted moment stands among those there; -1 where it does not."""
    import numpy as np

    place = {name: code for code, name in enumerate(there.keys)}
    codes = np.array([place.get(name, -1) for name in wanted.keys], dtype=np.int64)[wanted.codes]
    times = np.unique(np.concatenate([there.at, wanted.at]))
    have = there.codes.astype(np.int64) * len(times) + np.searchsorted(times, there.at)
    want = codes * len(times) + np.searchsorted(times, wanted.at)
    found = np.minimum(np.searchsorted(have, want), max(len(have) - 1, 0))
    there_is = (have[found] == want) & (codes >= 0) if len(have) else np.zeros(len(want), dtype=bool)
    return np.where(there_is, found, -1)


def _slices(page: System, x: features.Matrix, rows: Ints, moments: features.Moments) -> dict[str, data.Words]:
    import numpy as np

    out: dict[str, data.Words] = {}
    for name in dict.fromkeys((*page.model.sliced(), *page.monitoring.performance.by)):
        column = x.columns.get(name)
        if name == "machine":
            out[name] = data.Words(moments.codes.astype(np.int32), moments.keys)
        elif isinstance(column, data.Words):
            codes = np.where(rows >= 0, column.codes[rows], -1).astype(np.int32)
            out[name] = data.Words(codes, column.labels)
    return out


def _windows(page: System, lost: judging.Lost) -> Ints:
    import numpy as np

    over, at = page.monitoring.performance.over, lost.moments.at
    if not isinstance(page.data.clock, data.WallClock):
        return np.zeros(len(at), dtype=np.int64)
    return np.asarray(-((at.max() - at) // int(over)))


def _ahead(
    page: System, held: contests.Held, x: features.Matrix, asked: features.Matrix, kept: Mapping[str, Any],
    metric: str, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return what is to be expected of the newest window's answers, whose truth nobody knows yet."""
    import numpy as np

    at, last = asked.moments.at, int(x.moments.at[held.test.rows].max())
    rows = np.flatnonzero(at > last)
    over = page.monitoring.performance.over
    if isinstance(page.data.clock, data.Counter):
        return {}
    if isinstance(page.data.clock, data.WallClock) and len(rows):
        rows = rows[at[rows] > at.max() - int(over)]
    if not len(rows):
        return {}
    some = asked.take(rows)
    said = held.predictors["challenger"].predict(some)
    test = held.test
    tried = _Tried(test.rows, test.answers["challenger"], test.truth, kept.get("calibration", {}))
    found = _expected(page, x, tried, some, said, metric, seed)
    if found is None:
        return {}
    expected, chance = found
    span = some.moments.at // max(int(page.labels.horizon()), 1)
    mean = means.Rows(expected, some.moments.codes, span).mean()
    out = {"since": int(at[rows].min()), "until": int(at[rows].max()), "estimated": _measured(metric, mean)}
    if chance is not None and chance.ndim == 1:
        told = estimate.figures(said, chance, held.threshold)
        out["figures"] = {name: _plain(value) for name, value in told.items()}
    return out


def _expected(
    page: System,
    x: features.Matrix,
    tried: _Tried,
    rows: features.Matrix,
    said: Array,
    metric: str,
    seed: int,
) -> tuple[Floats, Floats | None] | None:
    """Return the expected loss of every answer, and the chance behind it where answers are chances."""
    kind = page.labels.kind()
    if isinstance(kind, labels.Quantity):
        lost = losses.of_rows(kind, tried.answers, tried.truth)[metric]
        width = min(_width(tried.answers), _width(said))
        model = estimate.loss_model(x.take(tried.rows), _first(tried.answers, width), lost, seed)
        return estimate.told(model, rows, _first(said, width)), None
    chance = estimate.calibrated(kind, tried.curves, said)
    named = said if isinstance(kind, labels.Probability) else said.argmax(axis=1)
    found = estimate.losses(kind, named, chance).get(metric)
    return None if found is None else (found, chance)


@dataclass(frozen=True, eq=False)
class _Tried:
    """Rows that an estimate learns to read the answers from, none of which it is tried on."""

    rows: Ints
    answers: Array
    truth: Floats
    curves: Mapping[str, Any]


def _width(answers: Array) -> int:
    return int(answers.shape[1]) if answers.ndim > 1 else 1


def _first(answers: Array, width: int) -> Array:
    return answers.reshape(len(answers), -1)[:, :width]


def _compared(
    page: System, held: contests.Held, x: features.Matrix, asked: features.Matrix, old: _Rows, new: _Rows,
    block: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return realised beside estimated on the rows whose truth came, and whether the estimate is to be believed."""
    import numpy as np

    metric = _metric(page)
    out: dict[str, Any] = {
        "reference": _measured(metric, _mean(old.lost, block)), "realised": _measured(metric, _mean(new.lost, block)),
    }  # fmt: skip
    there = np.flatnonzero(new.rows >= 0)
    if len(there) < LEAST:
        return out
    rows = asked.take(new.rows[there])
    said: Any = new.answers[there]
    if isinstance(page.labels.kind(), labels.Classes):  # which class was named is kept, not how surely
        said = held.predictors["challenger"].predict(rows)
    # The rows before alone: what came in the window may be among the test rows, too, and would estimate itself.
    curves = estimate.calibration(page.labels.kind(), old.answers, old.truth, old.lost.moments.codes)
    found = _expected(page, x, _Tried(old.rows, old.answers, old.truth, curves), rows, said, metric, seed)
    if found is None:
        return out
    lost = new.lost.take(there)
    codes, span = lost.moments.codes, lost.spans(block)
    apart = means.Rows(lost.value - found[0], codes, span).mean()
    estimated = means.Rows(found[0], codes, span).mean()
    told = apart.measured(f"realised less estimated {metric}")
    out["estimated"] = _measured(metric, estimated)
    out["difference"] = _shown(told)
    out["believed"] = bool(told.low <= 0 <= told.high)
    return out


def _cause(
    x: features.Matrix, asked: features.Matrix, old: _Rows, new: _Rows, one: judging.Slice,
    raised: Sequence[evidence.Alarm], block: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return why a slice lost more in the newest window: a sensor, the data, or the concept."""
    import numpy as np

    mine = _within(new.lost, one)
    was = old.lost.named().get(one.name)
    if was is None or not len(mine):
        return {}
    there = mine[new.rows[mine] >= 0]
    weight = np.ones(len(was))
    if len(there) >= LEAST:
        weight = shift.weights(x.take(old.rows[was]), asked.take(new.rows[there]), seed)
    lost = old.lost.take(was)
    drifted = any(alarm.detector.startswith("drift") for alarm in raised)
    numbers = judging.numbered(lost.moments, new.lost.moments)
    found = shift.explain(
        lost.rows(block, numbers), weight, new.lost.take(mine).rows(block, numbers), drifted
    )
    broken = {name for alarm in raised if alarm.cause == "sensor" for name in alarm.machines}
    sensor = found.rise.value > 0 and _from(new.lost.take(mine), broken, one.before.value) >= 0.5
    return {
        "cause": "sensor" if sensor else found.cause, "explained": _measured("explained", found.explained),
        "unexplained": _measured("unexplained", found.rest), "share": _plain(found.share),
        "began": judging.began(new.lost.take(_rows_of(new.lost, one.name)), one.before.value, one.now.value),
    }  # fmt: skip


def _from(lost: judging.Lost, machines: set[str], before: float) -> float:
    """Return which share of the excess loss these machines bring."""
    import numpy as np

    excess = lost.value - before
    theirs = np.array([name in machines for name in lost.moments.keys], dtype=bool)
    total = float(excess.sum())
    return float(excess[theirs[lost.moments.codes]].sum()) / total if total > 0 and machines else 0.0


def _rows_of(lost: judging.Lost, name: str) -> Ints:
    import numpy as np

    return lost.named().get(name, np.empty(0, dtype=np.int64))


def _within(lost: judging.Lost, one: judging.Slice) -> Ints:
    rows = _rows_of(lost, one.name)
    at = lost.moments.at[rows]
    return rows[(at >= one.since) & (at <= one.until)]


def _told(one: judging.Slice, cause: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "slice": one.name, "since": one.since, "until": one.until, "machines": one.machines, "n": one.now.n,
        "reference": _plain(one.before.value), "realised": _plain(one.now.value),
        "rise": _measured("rise", one.rise), "p": one.p, "alarm": one.alarm, **cause,
    }  # fmt: skip


def _alarms(
    metric: str, found: Sequence[judging.Slice], causes: Mapping[str, Mapping[str, Any]], new: _Rows
) -> list[evidence.Alarm]:
    """Return one alarm per window in which any slice got worse, naming its slices and machines, worst first."""
    out = []
    last = max((one.until for one in found), default=0)
    for until in sorted({one.until for one in found if one.alarm}):
        worst = [one for one in found if one.alarm and one.until == until]
        named = [one for one in worst if one.name != judging.ALL] or worst
        first = named[0]
        rise = first.rise.measured(metric)
        why = (
            f"{metric} of {first.name} rose from {first.before.value:.4g} to {first.now.value:.4g} "
            f"(by {rise.value:.4g} [{rise.low:.4g}, {rise.high:.4g}]) over {first.now.n} outcomes"
        )
        cause = causes.get(first.name, {}) if until == last else {}
        since = cause.get("began") or first.since
        # Held as the alarm's statistic against its limit: how unlikely, more is worse.
        figure, limit = (-math.log10(max(p, 1e-300)) for p in (first.p, max(one.p for one in worst)))
        out.append(evidence.Alarm(
            f"Performance({metric})", until, figure, limit, tuple(one.name for one in named), _worst(new, first),
            why=why, since=int(since), sure=first.p, cause=str(cause.get("cause", "")), kind="slice",
        ))  # fmt: skip
    return out


def _worst(new: _Rows, one: judging.Slice, most: int = 5) -> tuple[str, ...]:
    """Return the machines that brought most of what was lost more."""
    import numpy as np

    lost = new.lost.take(_within(new.lost, one))
    excess = np.bincount(
        lost.moments.codes, weights=lost.value - one.before.value, minlength=len(lost.moments.keys)
    )
    order = np.argsort(-excess, kind="stable")[:most].tolist()
    return tuple(lost.moments.keys[place] for place in order if excess[place] > 0)


def _mean(lost: judging.Lost, block: int) -> means.Mean:
    return lost.rows(block, judging.numbered(lost.moments)).mean()


def _measured(name: str, mean: means.Mean) -> dict[str, Any]:
    return _shown(mean.measured(name))


def _shown(one: evidence.Measurement) -> dict[str, Any]:
    return {"value": _plain(one.value), "low": _plain(one.low), "high": _plain(one.high), "n": one.n}


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
