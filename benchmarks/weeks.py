"""The drives page week by week, as its watch sees it: realised beside estimated, and one drive model that gets worse.

The page's challenger, as it was known at 2013-04-21, answers the three weeks after.  The first of them is the
reference, the other two come later; outcomes come in a week after each answer.  Once as it was, and once with a known
change: in the last week the power-on clock of the drives of one model stands still for who reads it, as after a change
of firmware (the strongest sign of a failure there is).
"""

from __future__ import annotations

import datetime
import tempfile
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import sidebyside
from flyball import data, evidence, monitoring, units
from flyball.features import stage as features
from flyball.model import rolling
from flyball.part import replace
from flyball.runtime import build, performance, plan, store
from flyball.systems import drives
from flyball.systems.drives import inputs

MODEL = drives.page.MODEL
PAGE = replace(
    drives.page.system,
    monitoring=replace(
        drives.page.system.monitoring,
        concept=(monitoring.PageHinkley("squared_error"),),
        performance=monitoring.Performance(by=(MODEL,)),
    ),
)
STILL = f"{drives.page.HOURS}.standstill"
WEEKS = tuple(
    int(datetime.datetime(2013, month, day, tzinfo=datetime.UTC).timestamp()) * 1_000_000
    for month, day in ((4, 22), (4, 29), (5, 6), (5, 13))
)


def rows() -> Iterator[dict[str, Any]]:
    """Yield what the watch tells of the later weeks, as they were and with the change."""
    x, y = _known()
    kind, week = PAGE.labels.kind(), int(units.WEEK)
    fold = rolling.forward(x.moments, WEEKS[0], WEEKS[0] + week, int(PAGE.labels.horizon()))
    predictor = PAGE.model.challenger.fit(x.take(fold.train), y.take(fold.train), kind, PAGE.model.seed)
    model = _frequent(x)
    for said, changed in (("as it was", ""), (f"clocks of {model} stand still", model)):
        yield from _week(x, y, fold, predictor, said, changed)


def _week(
    x: features.Matrix, y: Any, fold: Any, predictor: Any, said: str, changed: str
) -> Iterator[dict[str, Any]]:
    import numpy as np

    seen = _changed(x, changed) if changed else x
    later = np.flatnonzero((x.moments.at >= WEEKS[1]) & (x.moments.at < WEEKS[3]))
    test = types.SimpleNamespace(
        rows=fold.test, truth=y.value[fold.test],
        answers={"challenger": np.asarray(predictor.predict(x.take(fold.test)))},
    )  # fmt: skip
    held: Any = types.SimpleNamespace(test=test, predictors={"challenger": predictor}, threshold=0.5)
    answers = np.asarray(predictor.predict(seen.take(later))).tolist()
    moments = seen.moments[later]
    known = zip(moments.names(), moments.at.tolist(), answers, y.value[later].tolist(), strict=True)
    outcomes = [evidence.Outcome(key, at, answer, truth) for key, at, answer, truth in known]
    kept = performance.reference(PAGE, held, x, seed=0)
    told, alarms = performance.look(PAGE, held, x, seen, outcomes, kept, ())
    raised = {alarm.at >= WEEKS[2]: alarm for alarm in alarms}
    slices = {name for alarm in alarms for name in alarm.columns}
    yield _row(f"{said}: realised Brier score {_interval(told['realised'])}", told["realised"]["value"], "")
    case = f"{said}: estimated before the outcomes {_interval(told['estimated'])}"
    yield _row(case, told["estimated"]["value"], "believed" if told["believed"] else "not to be believed")
    yield _row(
        f"{said}: weeks alarmed, of 2, over {told['judged']} slices",
        float(len(raised)),
        ", ".join(sorted(slices)),
    )
    if changed:
        cause = raised[True].cause if True in raised else ""
        right = slices == {f"{MODEL}={changed}"} and set(raised) == {True}
        yield _row(f"{said}: named alone, in the changed week alone", float(right), cause)


def _known() -> tuple[features.Matrix, Any]:
    """Return the questions of all days whose answer is known, and their truth."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        inputs.prepare(Path(folder) / "logs")
        kept = store.Store.open(Path(folder) / "store", PAGE.data)
        kept.ingest([Path(folder) / "logs"])
        steps = plan.Plan(kept, lambda name, done, total: None)
        asked, partitions = build.matrix(PAGE, kept, steps)
        as_of = kept.horizon()
        x, y, _ = build.learned(PAGE, kept, steps, asked, build.key_until(partitions, as_of), as_of)
        known = np.flatnonzero(y.known)
        return x.take(known), y.take(known)


def _frequent(x: features.Matrix) -> str:
    """Return the drive model with the most drive-days."""
    import numpy as np

    words: Any = x.columns[MODEL]
    return str(words.labels[int(np.bincount(words.codes[words.codes >= 0]).argmax())])


def _changed(x: features.Matrix, model: str) -> features.Matrix:
    import numpy as np

    words: Any = x.columns[MODEL]
    theirs = (words.codes == words.labels.index(model)) & (x.moments.at >= WEEKS[2])
    column = np.asarray(x.columns[STILL])
    columns: Mapping[str, data.Column] = {**x.columns, STILL: np.where(theirs, np.nanmax(column), column)}
    return features.Matrix(x.moments, columns)


def _interval(told: Mapping[str, Any]) -> str:
    return f"[{told['low']:.5f}, {told['high']:.5f}]"


def _row(case: str, ours: float, said: str) -> dict[str, Any]:
    return {**sidebyside.row(case, ours, None, "", said, goal=None), "part": "drives"}
