import types

import numpy as np
import pytest

from flyball import data, features, labels, model
from flyball.runtime import followed, practice, report

DAY = 86_400_000_000
METRICS = ("roc_auc", "event_recall_at_2_per_machine_year", "net_saving_at_6_per_machine_year", "ipcw_auc")


@pytest.fixture
def found():
    """Sixty days of three machines, as far as the section reads a result; every tenth question is censored."""
    rng = np.random.default_rng(0)
    n = 180
    moments = features.Moments.of(
        np.repeat(["a", "b", "c"], 60).tolist(), [day * DAY for day in (*range(60), *range(60), *range(60))]
    )
    ends = np.tile(np.repeat([10, 30, 45, 70], [10, 20, 15, 15]), 3)  # two failures, a replacement, the end
    until, came = ends * DAY, np.isin(ends, (10, 30))
    truth = (came & (until - moments.at <= 8 * DAY)).astype(float)
    known = np.arange(n) % 10 > 0
    y = labels.Answers(truth, known, data.Words.of([None] * n), None, until, came)
    rows = np.flatnonzero(known)
    answers = {
        name: np.clip(spread * truth[rows] + rng.random(len(rows)) / 2, 0, 1)
        for name, spread in (
            ("baseline", 0.0),
            ("age", 0.1),
            ("challenger", 0.3),
            ("ceiling", 0.5),
            ("severity", 0.5),
        )
    }
    test = types.SimpleNamespace(rows=rows, truth=truth[rows], answers=answers)
    seen = followed.Followed(np.arange(n), until, came, {})
    page = types.SimpleNamespace(
        labels=types.SimpleNamespace(kind=lambda: labels.Probability()),
        model=types.SimpleNamespace(metrics=METRICS, costs=model.Costs(1000.0, 300.0, 50.0)),
    )
    held = types.SimpleNamespace(test=test, followed=seen)
    return types.SimpleNamespace(page=page, x=features.Matrix(moments, {}), y=y, held=held)


def told():
    figures = {name: [0.5, 0.25, 0.75] for name in (*METRICS, "calibration_error")}
    figures["net_saving_at_6_per_machine_year"] = [123456.7, 1000.0, 200000.0]
    ranks = {"roc_auc": [0.9, 0.8, 0.95]}
    contest = {
        "baseline": figures,
        "challenger": figures,
        "ceiling": figures,
        "severity": ranks,
        "peers": {"age": figures},
    }
    return {"contest": contest}


def test_it_applies_where_the_page_asks_for_a_rate_of_false_alarms(found):
    assert practice.applies(found) and practice.rates(found) == [2.0, 6.0] and practice.middle(found) == 6.0
    found.page.model.metrics = ("event_recall_at_1_per_machine_year", "event_recall_at_3_per_machine_year")
    assert practice.middle(found) == 3.0
    found.page.model.metrics = ("roc_auc",)
    assert not practice.applies(found) and practice.text(found, told(), report.table) == ""
    found.page.model.metrics = METRICS
    found.page.labels.kind = lambda: labels.Quantity()
    assert not practice.applies(found)


def test_everything_is_told_of_everybody_with_its_conditions(found):
    text = practice.text(found, told(), report.table)
    for words in (
        "events found, at 2 a year", "net saving per machine-year, at 6 a year", "123,457 (1,000 to 200,000)",
        "1,000 for a stop that nobody foresaw", "A failure found saves 700.", "calibration_error",
        "162 questions have an answer; of 18 more", "right only if being serviced did not depend", "ipcw_auc",
        *("baseline", "age", "challenger", "severity", "ceiling"),
    ):  # fmt: skip
        assert words in text, words
    assert list(practice.everybody(told())) == ["baseline", "age", "challenger", "severity", "ceiling"]
    found.page.model.costs = None
    found.held.followed = None
    text = practice.text(found, told(), report.table)
    assert "Stated costs" not in text and "serviced" not in text


def test_lives_run_from_one_stop_to_the_next(found):
    lasted, ended, last = practice.lives(found.x.moments, found.y.until, found.y.came)
    # The first of each machine began nobody knows when.
    assert lasted.tolist() == [20, 15, 25] * 3
    assert ended.tolist() == [True, False, False] * 3 and last.tolist() == [False, False, True] * 3
    nobody = practice.lives(found.x.moments[[]], np.zeros(0), np.zeros(0, bool))
    assert [len(column) for column in nobody] == [0, 0, 0]


def test_the_two_curves_hold_the_truth_between_them(found):
    curve, worst, cut = practice.curves(found)
    assert cut.tolist() == [15, 25] * 3
    assert curve.time.tolist() == [20] and curve.survival == pytest.approx([0.5])
    assert worst.time.tolist() == [15, 20] and worst.survival == pytest.approx([2 / 3, 1 / 3])
    assert (worst.at(range(40)) <= curve.at(range(40))).all()
    line = practice.summary(found)
    assert "9 lives" in line and "6 of them not seen" in line and "Half last 20 days" in line
    found.y = labels.Answers(found.y.value, found.y.known, found.y.why)
    assert practice.curves(found) is None and practice.summary(found) == ""
