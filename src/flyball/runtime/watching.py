"""The watch of a run: drift of what came in since the training, losses of answers whose truth arrived, and triggers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flyball import evidence, part
from flyball.features import stage as features
from flyball.monitoring import Drift, episodes
from flyball.monitoring import stage as monitoring

if TYPE_CHECKING:
    from flyball.data import stage as data
    from flyball.data.stage import Ints
    from flyball.runtime import contest as contests
    from flyball.system import System

#: So many columns of a window are listed, worst first.
LISTED = 12
#: No table: what most pages' drift reads beside the features.
NONE: data.Tables = MappingProxyType({})


def reference(
    page: System,
    held: contests.Held,
    x: features.Matrix,
    seed: int,
    resets: monitoring.Resets | None = None,
    tables: data.Tables = NONE,
) -> dict[str, Any]:
    """Return what the drift detector keeps: the columns of the rows learned from, and the answers to the test rows.

    The answers have a reference of their own because those to rows that were learned from are sharper: they lie
    elsewhere though nothing drifted.
    """
    detector = page.monitoring.drift
    if detector is None:
        return {}
    learned = _beside(page, x.take(held.trained), tables)
    columns = _halved(detector).reference(learned, None, seed, resets)
    test = features.Matrix(x.moments[held.test.rows], {})
    answers = _halved(detector).reference(test, held.test.answers["challenger"], seed, resets)
    return {"detector": columns.detector, "columns": columns.settings, "answers": answers.settings}


def drift(
    page: System, held: contests.Held, x: features.Matrix, asked: features.Matrix, kept: Mapping[str, Any],
    resets: monitoring.Resets | None = None, tables: data.Tables = NONE,
) -> tuple[monitoring.Watched, ...]:  # fmt: skip
    """Return the windows of everything asked after the references, judged against them."""
    detector = page.monitoring.drift
    if detector is None or not kept:
        return ()
    rows = newer(held, x, asked)
    name = kept["detector"]
    rows = _beside(page, rows, tables)
    found = _halved(detector).watch(monitoring.Reference(name, kept["columns"]), rows, None, resets)
    later = _after(asked, x, held.test.rows)
    if len(later):
        said = held.predictors["challenger"].predict(later)
        plain = features.Matrix(later.moments, {})
        found += _halved(detector).watch(monitoring.Reference(name, kept["answers"]), plain, said, resets)
    return found


def newer(held: contests.Held, x: features.Matrix, asked: features.Matrix) -> features.Matrix:
    """Return the rows that are watched: what was asked after the last that was learned from, else the test rows."""
    rows = _after(asked, x, held.trained)
    return rows if len(rows) else x.take(held.test.rows)


def _beside(page: System, x: features.Matrix, tables: data.Tables) -> features.Matrix:
    """Return rows with the columns that are watched beside the features."""
    detector = page.monitoring.drift
    more = detector.beside(page.data, tables, x.moments) if detector is not None else {}
    return dataclasses.replace(x, columns={**x.columns, **more}) if more else x


def _halved(detector: monitoring.DriftDetector) -> monitoring.DriftDetector:
    """Return the detector with half of its budget: columns and answers are judged apart and share it."""
    return (
        part.replace(detector, false_alarms=detector.false_alarms / 2)
        if isinstance(detector, Drift)
        else detector
    )


def _after(asked: features.Matrix, x: features.Matrix, rows: Ints) -> features.Matrix:
    """Return what was asked after the last of some rows."""
    import numpy as np

    return asked.take(np.flatnonzero(asked.moments.at > x.moments.at[rows].max()))


def alarms(watched: Sequence[monitoring.Watched], machines: int = 0) -> list[evidence.Alarm]:
    """Return one alarm per episode of drift among so many machines: see `flyball.monitoring.episodes`."""
    return episodes.alarms(watched, machines)


def concept(
    detectors: Sequence[monitoring.Detector],
    losses: Sequence[tuple[int, str, float]],
    states: dict[str, Any],
) -> list[evidence.Alarm]:
    """Feed the losses (at, metric, value) of arrived outcomes to the detectors; `states` is carried on."""
    out = []
    for detector in detectors:
        name = repr(detector)
        state = states.get(name) or detector.start()
        for at, metric, value in losses:
            if getattr(detector, "metric", metric) == metric:
                state, alarm = detector.update(state, at, value)
                out += [alarm] if alarm else []
        states[name] = dict(state)
    return out


def due(page: System, now: int, trained: int | None, raised: Sequence[evidence.Alarm]) -> str:
    """Return why to train again now, or "" for no reason."""
    reasons = (trigger.due(now, trained, tuple(raised)) for trigger in page.monitoring.retrain)
    return next((reason for reason in reasons if reason), "")


def told(alarm: evidence.Alarm) -> dict[str, Any]:
    """Return an alarm as JSON; what does not say when it began began when it was raised.

    >>> told(evidence.Alarm("drift", 9, 0.4, 0.2, ("jitter",), why="PSI 0.400 > 0.200"))["since"]
    9
    """
    return {
        "detector": alarm.detector,
        "at": alarm.at,
        "since": alarm.at if alarm.since is None else alarm.since,
        "statistic": alarm.statistic,
        "limit": alarm.limit,
        "columns": list(alarm.columns),
        "machines": list(alarm.machines),
        "sure": alarm.sure,
        "cause": alarm.cause,
        "kind": alarm.kind,
        "why": alarm.why,
    }


def shown(
    watched: Sequence[monitoring.Watched], raised: Sequence[evidence.Alarm], retrain: str
) -> dict[str, Any]:
    """Return the watch as JSON: the last window's worst columns, every alarm, and why to train again."""
    last = max((one.until for one in watched if not one.machine), default=0)
    rows = sorted(
        (one for one in watched if one.until == last and not one.machine), key=lambda one: -_excess(one)
    )
    return {
        "windows": len({one.until for one in watched}),
        "columns": [
            {"column": one.column, "since": one.since, "until": one.until, "n": one.n,
             "statistic": one.statistic, "limit": one.limit,
             "alarm": one.alarm, **one.shown}
            for one in rows[:LISTED]
        ],
        "alarms": [told(alarm) | _drawn(alarm, watched) for alarm in raised],
        "retrain": retrain,
    }  # fmt: skip


def _drawn(alarm: evidence.Alarm, watched: Sequence[monitoring.Watched]) -> dict[str, Any]:
    """Return what to draw of an alarm of drift: its worst column on its worst machine, with the band it left."""
    if alarm.detector != "drift":
        return {}
    found = [
        one
        for one in watched
        if one.series
        and one.machine in alarm.machines
        and ({one.column, *one.columns} & set(alarm.columns))
        and one.until >= alarm.at
    ]
    if not found:
        return {}
    worst = max(found, key=lambda one: (one.until == alarm.at, _excess(one)))
    return {"series": {"column": worst.column, "machine": worst.machine, **worst.series}}


def _excess(one: monitoring.Watched) -> float:
    return one.statistic / one.limit if one.limit > 0 else 0.0
