import dataclasses
import types

import numpy as np
import pytest

from flyball import data, features, labels, model
from flyball.runtime import followed, held
from flyball.units import days

DAY = int(days(1))


@pytest.fixture
def world():
    """Ten days of two machines; of "b" two days are censored, one of them before its window opened."""
    moments = features.Moments.of(["a"] * 10 + ["b"] * 10, [day * DAY for day in (*range(10), *range(10))])
    why, until = [None] * 20, moments.at + 9 * DAY
    for row, after, reason in (
        (13, 3, "censored"),
        (14, 1, "censored"),
        (2, 0, "blackout"),
        (9, 5, "future"),
    ):
        why[row], until[row] = reason, moments.at[row] + after * DAY
    came = np.arange(20) % 2 == 0
    came[[13, 14, 2, 9]] = False
    known = np.array([reason is None for reason in why])
    y = labels.Answers(np.where(known, came, np.nan), known, data.Words.of(why), None, until, came)
    x = features.Matrix(moments, {"v": np.linspace(0, 1, 20)})
    label = labels.FailsWithin(days(7), event="t.on", gap=days(2))
    contest = types.SimpleNamespace(metrics=("ipcw_auc", "uno_concordance", "roc_auc"), costs=model.Costs())
    return types.SimpleNamespace(labels=label, model=contest), x, y


def test_censored_rows_of_the_time_judged_on_are_counted_for_as_long_as_they_were_followed(world):
    page, x, y = world
    test = np.flatnonzero(y.known & (x.moments.at >= 2 * DAY))
    chosen = followed.rows(page, x, y, test)
    assert set(chosen) - set(test) == {13} and set(test) <= set(chosen)
    early = np.flatnonzero(y.known & (x.moments.at <= 2 * DAY))
    assert set(followed.rows(page, x, y, early)) == set(early)
    only_a = np.flatnonzero(y.known & (x.moments.codes == 0))
    assert set(followed.rows(page, x, y, only_a)) == set(only_a)


def test_a_label_that_follows_nobody_has_no_such_rows(world):
    page, x, y = world
    bare = dataclasses.replace(y, until=None, came=None)
    assert len(followed.rows(page, x, bare, np.arange(5))) == 0
    given = types.SimpleNamespace(labels=labels.Given("t.x", labels.Probability()), model=page.model)
    assert len(followed.rows(given, x, y, np.arange(5))) == 0
    assert followed.context(given, y, np.arange(5)).until is None
    assert followed.context(page, y, np.array([1, 13])).until.tolist() == y.until[[1, 13]].tolist()


def test_everybody_is_judged_and_paired_and_oracles_are_nobodys_rival(world):
    page, x, y = world
    test = np.flatnonzero(y.known)
    answer = {
        name: lambda matrix: matrix.columns["v"] for name in ("baseline", "challenger", "other", "ceiling")
    }
    seen = followed.judge(page, x, y, test, answer)
    assert seen.answers["other"].tolist() == x.columns["v"][seen.rows].tolist()
    told = followed.measure(page, x, y, seen, resamples=50)
    assert {name for name in told if name.endswith("ipcw_auc")} == {
        "baseline.ipcw_auc", "challenger.ipcw_auc", "other.ipcw_auc", "ceiling.ipcw_auc",
        "difference.ipcw_auc", "difference.other.ipcw_auc",
    }  # fmt: skip
    assert not any("roc_auc" in name for name in told)
    same = told["difference.ipcw_auc"]
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_where_no_metric_asks_nobody_answers(world):
    page, x, y = world
    page.model.metrics = ("roc_auc",)
    seen = followed.judge(page, x, y, np.flatnonzero(y.known), {"challenger": None})
    assert len(seen.rows) == 0 and followed.measure(page, x, y, seen, 10) == {}


def test_it_is_kept_with_the_contest(world, tmp_path):
    page, x, y = world
    seen = followed.judge(page, x, y, np.flatnonzero(y.known), {"challenger": lambda m: m.columns["v"]})
    file = tmp_path / "followed.npz"
    with file.open("wb") as sink:
        np.savez(
            sink,
            rows=seen.rows,
            until=seen.until,
            came=seen.came,
            **{"answers.challenger": seen.answers["challenger"]},
        )
    again = held._followed(file)
    assert again.rows.tolist() == seen.rows.tolist() and again.came.tolist() == seen.came.tolist()
    assert again.answers["challenger"].tolist() == seen.answers["challenger"].tolist()
    assert held._followed(tmp_path / "none.npz") is None
