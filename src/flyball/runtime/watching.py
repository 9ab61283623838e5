"""The watch of a run: drift of what came in since the training, losses of answers whose truth arrived, and triggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball import evidence
from flyball.features import stage as features
from flyball.monitoring import stage as monitoring

if TYPE_CHECKING:
    from flyball.runtime import contest as contests
    from flyball.system import System

#: So many columns of a window are listed, worst first.
LISTED = 12


def reference(page: System, held: contests.Held, x: features.Matrix, seed: int) -> dict[str, Any]:
    """Return what the drift detector keeps of the rows that the folds were judged on, with out-of-fold answers."""
    detector = page.monitoring.drift
    if detector is None:
        return {}
    told = detector.reference(x.take(held.rolling.rows), held.rolling.answers["challenger"], seed)
    return {"detector": told.detector, "settings": told.settings}


def drift(
    page: System, held: contests.Held, x: features.Matrix, asked: features.Matrix, kept: Mapping[str, Any]
) -> tuple[monitoring.Watched, ...]:
    """Return the windows of everything asked after the reference, judged against it."""
    import numpy as np

    detector = page.monitoring.drift
    if detector is None or not kept:
        return ()
    after = asked.take(np.flatnonzero(asked.moments.at > x.moments.at[held.rolling.rows].max()))
    rows = after if len(after) else x.take(held.test.rows)
    answers = held.predictors["challenger"].predict(rows)
    return detector.watch(monitoring.Reference(kept["detector"], kept["settings"]), rows, answers)


def alarms(watched: Sequence[monitoring.Watched]) -> list[evidence.Alarm]:
    """Return one alarm per window in which any column drifted: an episode, naming its columns, worst first."""
    out = []
    for until in sorted({one.until for one in watched if one.alarm}):
        worst = sorted((one for one in watched if one.alarm and one.until == until), key=lambda one: -_excess(one))
        names = tuple(one.column for one in worst)
        why = ", ".join(f"{one.column} PSI {one.statistic:.3f} > {one.limit:.3f}" for one in worst[:3])
        out.append(evidence.Alarm("drift", until, worst[0].statistic, worst[0].limit, names, why=why))
    return out


def concept(page: System, losses: Sequence[tuple[int, str, float]], states: dict[str, Any]) -> list[evidence.Alarm]:
    """Feed the losses (at, metric, value) of arrived outcomes to the page's detectors; `states` is carried on."""
    out = []
    for detector in page.monitoring.concept:
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


def shown(watched: Sequence[monitoring.Watched], raised: Sequence[evidence.Alarm], retrain: str) -> dict[str, Any]:
    """Return the watch as JSON: the last window's worst columns, every alarm, and why to train again."""
    last = max((one.until for one in watched), default=0)
    rows = sorted((one for one in watched if one.until == last), key=lambda one: -_excess(one))
    return {
        "windows": len({one.until for one in watched}),
        "columns": [
            {"column": one.column, "since": one.since, "until": one.until, "n": one.n, "limit": one.limit,
             "alarm": one.alarm, **one.shown}
            for one in rows[:LISTED]
        ],
        "alarms": [
            {"detector": a.detector, "at": a.at, "statistic": a.statistic, "limit": a.limit, "columns": list(a.columns),
             "why": a.why}
            for a in raised
        ],
        "retrain": retrain,
    }  # fmt: skip


def _excess(one: monitoring.Watched) -> float:
    return one.statistic / one.limit if one.limit > 0 else 0.0
