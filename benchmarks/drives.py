"""The drives page on the real fleet, beside the rule that operators use and a plain LightGBM on the same rows.

The test week is the page's own.  The rolling weeks before it are each predicted by everybody, trained on the rows
whose answer was known when the week began.  Intervals and paired differences resample drives.
"""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import sidebyside
from flyball import model, units
from flyball.evidence import Alert, Measurement
from flyball.model import rolling
from flyball.runtime import contest, result
from flyball.runtime import run as carry
from flyball.systems import drives, public
from flyball.systems.drives import inputs

PAGE = drives.page.system
PLAIN = PAGE.model.peers["plain_lightgbm"]
PEERS = {"baseline": "SMART 5 + 197", "plain_lightgbm": "plain LightGBM"}
WEEKS = ("2013-04-22", "2013-04-29")
#: What is aimed at in the test week.
GOALS = {"average_precision": 0.22, "roc_auc": 0.90}


def run() -> dict[str, Any]:
    """Carry the page through in a store of its own, predict the rolling weeks; every figure beside the peers'."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        inputs.prepare(logs)
        found = carry.run(PAGE, carry.Bound(Path(folder) / "store", logs))
    rows = [
        *_figures("05-06..05-12 (test)", found.held.measured, PAGE.model.metrics, GOALS),
        *_decided(found),
    ]
    rows += _differences("05-06..05-12 (test)", found.held.measured, must_hold=False)
    weeks = [_week(found, start) for start in WEEKS]
    both = contest.measure(PAGE, found.x, _together(weeks), "")
    rows += _figures("04-22..05-05 (both rolling weeks)", both, PAGE.model.metrics, {})
    rows += _differences("04-22..05-05 (both rolling weeks)", both, must_hold=True)
    for start, judged in zip(WEEKS, weeks, strict=True):
        measured = contest.measure(PAGE, found.x, judged, "")
        rows += _figures(f"week from {start[5:]}", measured, PAGE.model.metrics[:2], {})
        rows += _differences(f"week from {start[5:]}", measured, must_hold=False)
    told = sidebyside.result("drives", ("numpy", "polars", "lightgbm", "onnxruntime"), rows)
    return {**told, "page": PAGE.fingerprint()}


def _week(found: result.Result, start: str) -> contest.Judged:
    """Return everybody's answers of one week, trained on the moments whose week was over when it began."""
    import numpy as np

    known = np.flatnonzero(found.y.known)
    begin = _moment(start)
    fold = rolling.forward(found.x.moments[known], begin, begin + int(units.WEEK), int(PAGE.labels.horizon()))
    train, judged = known[fold.train], known[fold.test]
    x, y = found.x.take(train), found.y.take(train)
    kind = PAGE.labels.kind()
    answers = {
        name: learner.fit(x, y, kind, PAGE.model.seed).predict(found.x.take(judged))
        for name, learner in contest.contestants(PAGE.model).items()
    }
    return contest.Judged(judged, found.y.value[judged], answers)


def _together(weeks: list[contest.Judged]) -> contest.Judged:
    """Return some weeks as folds: figures are taken week by week and averaged."""
    import numpy as np

    answers = {name: np.concatenate([week.answers[name] for week in weeks]) for name in weeks[0].answers}
    folds = np.repeat(np.arange(len(weeks)), [len(week.rows) for week in weeks])
    rows, truth = (np.concatenate([getattr(week, name) for week in weeks]) for name in ("rows", "truth"))
    return contest.Judged(rows, truth, answers, folds)


def _figures(
    when: str, measured: Mapping[str, Measurement], metrics: tuple[str, ...], goals: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    """Yield every metric of the challenger beside that of each peer, with intervals."""
    for metric in metrics:
        ours = measured[f"challenger.{metric}"]
        for place, (peer, name) in enumerate(PEERS.items()):
            theirs = measured[f"{peer}.{metric}"]
            case = f"{when}: {metric.replace('_', ' ')} {_interval(ours)}"
            shown = f"{name} {_interval(theirs)}{_parameters(peer) if metric == metrics[0] else ''}"
            told = sidebyside.row(case, ours.value, theirs.value, shown, "", None)
            # The goal is the figure's own and is told once.
            goal = goals.get(metric) if place == 0 else None
            yield {**told, "goal": goal, "met": None if goal is None else bool(ours.value >= goal)}


def _parameters(peer: str) -> str:
    """Return what the plain LightGBM was grown with: its own defaults."""
    if peer != "plain_lightgbm":
        return ""
    assert isinstance(PLAIN, model.BoostedTrees) and PLAIN.columns is not None
    names = ("trees", "leaves", "rate", "min_rows", "l2", "seeds")
    told = ", ".join(f"{name} {getattr(PLAIN, name)}" for name in names)
    return f", {told}, on {' and '.join(PLAIN.columns)}"


def _differences(when: str, measured: Mapping[str, Measurement], must_hold: bool) -> Iterator[dict[str, Any]]:
    """Yield the paired difference to each peer; where it must hold, its lower bound is to lie above zero."""
    for metric in PAGE.model.metrics[:2]:
        for peer, name in PEERS.items():
            against = "" if peer == "baseline" else f"{peer}."
            told = measured[f"difference.{against}{metric}"]
            asked = must_hold and metric == PAGE.model.metrics[0]
            case = f"{when}: {metric.replace('_', ' ')}, paired difference to {name} {_interval(told)}"
            row = sidebyside.row(f"{case}, lower bound", told.low, None, "", "", None)
            yield {**row, "goal": 0.0 if asked else None, "met": bool(told.low > 0) if asked else None}


def _decided(found: result.Result) -> Iterator[dict[str, Any]]:
    """Yield what five alerts a day found of the test week, how early, and what they cost."""
    import numpy as np

    held, decide = found.held, PAGE.serving.decide
    moments = found.x.moments[held.test.rows]
    limit = decide.settle(held.rolling.answers["baseline"], found.x.moments[held.rolling.rows])
    alerts = {
        "ours": decide.decide(held.test.answers["challenger"], moments, held.threshold),
        "rule": decide.decide(held.test.answers["baseline"], moments, limit),
    }
    failing = set(np.array(moments.names())[held.test.truth > 0.5].tolist())
    years = len(moments) * float(units.DAY) / float(units.YEAR)
    failures = _failures()
    told = {who: _told(some, failing, failures, years) for who, some in alerts.items()}
    names = {
        f"failing drives found of {len(failing)}": "",
        "median lead time": "d",
        "false alarms per drive-year": "",
    }
    for (name, unit), figure in zip(names.items(), ("found", "lead", "false"), strict=True):
        case = f"05-06..05-12 (test): at most 5 alerts a day, {name}"
        yield sidebyside.row(case, told["ours"][figure], told["rule"][figure], PEERS["baseline"], unit, None)


def _told(
    alerts: tuple[Alert, ...], failing: set[str], failures: Mapping[str, int], years: float
) -> dict[str, float]:
    import numpy as np

    right = [
        a for a in alerts if a.key in failing and 0 < failures[a.key] - a.moment <= int(PAGE.labels.horizon())
    ]
    lead = [(failures[alert.key] - alert.moment) / float(units.DAY) for alert in right]
    return {
        "found": float(len({alert.key for alert in right})),
        "lead": float(np.median(lead)) if lead else float("nan"),
        "false": (len(alerts) - len(right)) / years,
    }


def _failures() -> dict[str, int]:
    """Return when each drive failed, in microseconds."""
    import polars as pl

    frame = pl.read_parquet(public.file(inputs.FILE)).filter(pl.col("failure") == 1)
    at = frame["date"].cast(pl.Datetime("us")).to_physical().to_list()
    return dict(zip(frame["serial_number"].cast(pl.String).to_list(), at, strict=True))


def _moment(day: str) -> int:
    return int(datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC).timestamp()) * 1_000_000


def _interval(told: Measurement) -> str:
    return f"[{told.low:.3f}, {told.high:.3f}]"
