import math
import types

import polars as pl
import pytest

from flyball import data, part, units
from flyball.runtime import followup, report
from flyball.systems import load

WEEK = int(units.WEEK)
DAY = int(units.DAY)


@pytest.fixture(scope="module")
def page():
    return load("scanner")


def table(*rows):
    schema = {
        "key": pl.String,
        "at": pl.Int64,
        "answer": pl.Float64,
        "truth": pl.Float64,
        "state": pl.String,
        "until": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")  # fmt: skip


def test_answers_count_once_by_their_newest_outcome_week_by_week(page):
    kept = table(
        ("a", 0, 0.5, math.nan, "pending", DAY),
        ("a", 0, 0.5, 1.0, "known", DAY),  # its truth came later
        ("b", DAY, 0.1, 0.0, "known", DAY),
        ("c", 2 * DAY, 0.2, math.nan, "censored", DAY),
        ("a", WEEK, 0.3, math.nan, "pending", WEEK + DAY),
    )
    first, second = followup.weeks(page, kept)
    assert (first["since"], first["known"], first["pending"], first["censored"]) == (0, 2, 0, 1)
    assert (first["said"], first["came"], first["metric"]) == (pytest.approx(0.3), 0.5, "log_loss")
    assert first["loss"] == pytest.approx((-math.log(0.5) - math.log(0.9)) / 2)
    assert (second["since"], second["pending"], second["loss"]) == (WEEK, 1, None)


def test_steps_of_a_counter_are_cut_into_spans(page):
    counted = part.replace(page, data=part.replace(page.data, clock=data.Counter("cycle")))
    kept = table(*(("a", step, 0.5, 1.0, "known", step) for step in range(200)))
    spans = followup.weeks(counted, kept)
    assert len(spans) <= followup.MOST and sum(one["known"] for one in spans) == 200


def test_nothing_answered_is_nothing_told(page):
    assert followup.weeks(page, table()) == [] and followup.text(None, [], report.table) == ""


def test_the_section_says_what_was_said_and_what_came(page):
    found = types.SimpleNamespace(page=page)
    kept = table(*(("a", week * WEEK, 0.2, float(week == 1), "known", DAY) for week in range(4)))
    spans = followup.weeks(page, kept)
    text = followup.text(found, spans, report.table)
    assert "is known of 4" in text and "It said 20.0% on average; 25.0% came true." in text
    left, right = followup.draw(found, spans).axes
    assert left.lines[1].get_ydata().tolist() == [0.0, 1.0, 0.0, 0.0] and len(right.lines) == 1
    assert followup.draw(found, spans[:2]) is None
