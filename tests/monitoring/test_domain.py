import importlib.util
import json
import pathlib

import numpy as np

from flyball import model, monitoring, units
from flyball.monitoring import domain

spec = importlib.util.spec_from_file_location("fleets", pathlib.Path(__file__).with_name("fleets.py"))
fleets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fleets)

WEEKS = 12
PART = monitoring.DomainClassifier(
    sample=200, learner=model.BoostedTrees(trees=15, leaves=4, rate=0.3, min_rows=5)
)


def test_a_window_of_another_shape_is_told_apart_and_one_like_the_reference_is_not():
    values = fleets.bent(6, 7 * WEEKS * 6, seed=0)
    later = values[1, -7 * WEEKS * 2 :, 1]
    later[:] = np.random.default_rng(0).permutation(later)
    rows = fleets.standard(fleets.matrix(values), weeks=WEEKS)
    kept = PART.learn(rows, 0)
    json.dumps(kept, allow_nan=False)
    figures = PART.figures(kept, rows)[:, 0]
    odd = (rows.cells.unit == 1) & (rows.cells.window < 2)
    assert np.isfinite(figures).sum() == len(rows.plain())
    assert np.nanmean(figures[odd]) > np.nanmean(figures[~odd]) + 0.05
    assert abs(np.nanmean(figures[~odd]) - 0.5) < 0.05


def test_the_columns_that_tell_the_window_are_named():
    values = np.random.default_rng(1).normal(size=(6, 7 * WEEKS * 6, 3))
    values[1, -84:, 1] = np.where(np.random.default_rng(0).random(84) < 0.5, -3.0, 3.0)
    drift = monitoring.Drift(over=units.days(84), multivariate=(PART,))
    rows = fleets.standard(fleets.matrix(values), weeks=WEEKS)
    kept = PART.learn(rows, 0)
    cell = int(np.flatnonzero((rows.cells.unit == 1) & (rows.cells.window == 0))[0])
    assert PART.behind(kept, rows, cell)[0] == "c1"
    assert PART.told(kept) == {domain.NAME: ("c0", "c1", "c2")} and drift.multivariate == (PART,)


def test_half_a_window_is_answered_by_what_learned_from_the_other_half():
    # Rows that are all alike within a half and differ between the halves: who knew its own half would tell them.
    window = np.repeat([[1.0], [-1.0]], 40, axis=0).astype(np.float32)
    sample = np.random.default_rng(0).normal(size=(80, 1)).astype(np.float32)
    came, said, halves = PART._told_apart(["c0"], window, sample)
    assert came.tolist() == [1.0] * 80 + [0.0] * 80 and len(halves) == 2
    assert np.sort(np.concatenate([rows for rows, *_ in halves])).tolist() == list(range(160))
    assert said[:80].mean() < said[80:].mean()


def test_a_learner_of_no_probability_and_a_small_sample_are_refused():
    places = [
        problem.place
        for problem in monitoring.DomainClassifier(3, model.Conformal(model.Ridge())).problems(None)
    ]
    assert places == ["sample", "learner"]
    assert monitoring.DomainClassifier().learn(fleets.standard(fleets.matrix(fleets.bent(1, 9, 0))), 0) == {}
