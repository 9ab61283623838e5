"""What stands on a proposed page, and the decisions that led to it."""

import numpy as np
import polars as pl

from flyball.data.doctor import pieces, plan, table


def told(**extra):
    rng = np.random.default_rng(14)
    n = 400
    frame = pl.DataFrame(
        {"id": np.arange(n), "x": rng.normal(size=n), "label": rng.choice(["a", "b"], n)} | extra
    )
    return table.profile("rows", pieces.Pieces(frame, ["rows.csv"], np.zeros(n, np.int32)))


def test_rows_that_stand_alone_are_named_by_what_numbers_them():
    made = plan.Plan(told())
    assert (made.key, made.moment, made.events) == ("id", None, False)
    assert "every row stands alone" in made.decisions[1]
    assert made.split_by() == ("model.ByMachine(folds=3)", "model.ByMachine(share=0.25, seed=1)")


def test_a_split_that_is_given_is_kept():
    made = plan.Plan(told(part=["train", "train", "val", "test"] * 100))
    assert made.split_by() == (
        "model.Given('rows.part', test=('val',))",
        "model.Given('rows.part', test=('test',))",
    )


def test_without_a_truth_that_is_said_first():
    made = plan.Plan(told(label=[1.5] * 400))
    assert (made.known, made.full) == (False, "rows.TODO")
    assert made.decisions[0].startswith("what is to be known is not known")
    assert any("what is to be known" in missing for missing in made.missing)


def test_how_late_rows_arrive_is_told_by_a_clock_that_comes_after():
    at = np.datetime64("2026-01-01", "us") + np.arange(400) * np.timedelta64(3600 * 10**6, "us")
    late = at + np.timedelta64(120 * 10**6, "us") + np.arange(400) % 7 * np.timedelta64(10**6, "us")
    made = plan.Plan(told(time=at, received=late))
    assert any("'received' comes 2.05 min later" in missing for missing in made.missing), made.missing
    assert not any("arrives=" in missing for missing in plan.Plan(told(time=at, seen=late)).missing)


def test_what_leaks_is_constant_or_only_numbers_rows_is_left_off():
    rng = np.random.default_rng(14)
    rng.normal(size=400)
    label = rng.choice(["a", "b"], 400)
    made = plan.Plan(
        told(knows=[{"a": 7, "b": 9}[one] for one in label], same=[1.0] * 400, repair_note=["r"] * 400)
    )
    assert [column["name"] for column in made.columns] == ["x"]
    left = " ".join(made.decisions)
    assert (
        "'knows'" in left
        and "as it is constant: 'same'" in left
        and "written down after the event: 'repair_note'" in left
    )
