"""Columns that know the truth are found; columns that only help are not."""

import numpy as np
import polars as pl
import pytest

from flyball.data.doctor import columns, leaks

RNG = np.random.default_rng(6)
N = 1_200
Y = RNG.random(N) < 0.2


def found(**extra):
    frame = pl.DataFrame({"y": Y} | extra)
    return [told["column"] for told in leaks.find(frame, "y", list(extra))]


def test_what_tells_the_truth_alone_is_found_however_it_is_coded():
    told = found(
        noise=RNG.random(N), code=np.where(Y, "E17", "ok"), level=Y * 3.0 + RNG.random(N), 
        low=-1.0 * Y + 0.01 * RNG.random(N)
    )  # fmt: skip
    assert sorted(told) == ["code", "level", "low"]


def test_an_honest_feature_is_no_leak():
    assert found(good=Y * 1.5 + RNG.normal(size=N), name=[f"w{n}" for n in range(N)]) == []


def test_a_column_that_is_filled_in_only_after_the_event_is_told_as_such():
    frame = pl.DataFrame({"y": Y, "cause": [RNG.choice(["a", "b"]) if hit else None for hit in Y]})
    (told,) = leaks.find(frame, "y", ["cause"])
    assert "known after the event" in told["why"]


def test_an_identifier_that_holds_the_truth_in_its_order_is_found():
    order = np.argsort(Y, kind="stable")
    number = np.empty(N, int)
    number[order] = np.arange(N)
    assert found(id=number) == ["id"]


def test_rows_that_are_sorted_by_the_truth_are_told():
    frame = pl.DataFrame({"y": np.sort(Y)})
    assert [told["column"] for told in leaks.order(frame, "y")] == ["(the order of its rows)"]
    at = np.where(Y, 5_000, 0) + RNG.integers(0, 4_000, N)
    assert [told["column"] for told in leaks.order(pl.DataFrame({"y": Y}), "y", at)] == ["(its time)"]
    assert leaks.order(pl.DataFrame({"y": Y}), "y", RNG.integers(0, 9, N)) == []


def test_many_classes():
    kind = RNG.choice(["a", "b", "c"], N)
    frame = pl.DataFrame({"kind": kind, "code": [ord(one) for one in kind], "x": RNG.random(N)})
    assert [told["column"] for told in leaks.find(frame, "kind", ["code", "x"])] == ["code"]


def test_machines_are_not_parted():
    # A machine whose rows all fail is known again by anything that is its own: that is no leak between machines.
    machines = np.repeat(np.arange(60), 20).astype(np.int32)
    fails = RNG.random(60) < 0.3
    own = RNG.permutation(60)
    frame = pl.DataFrame({"y": fails[machines], "own": own[machines]})
    assert leaks.find(frame, "y", ["own"], machines) == []
    assert [told["column"] for told in leaks.find(frame, "y", ["own"])] == ["own"]


def test_too_few_events_are_said():
    few = pl.DataFrame({"y": [True] * 3 + [False] * 500})
    assert "too few rows of each value of 'y'" in leaks.judged(few, "y")
    assert leaks.find(few.with_columns(x=pl.Series(range(503))), "y", ["x"]) == []
    assert leaks.judged(pl.DataFrame({"y": Y}), "y") == ""


def test_names_that_speak_of_what_came_after():
    frame = pl.DataFrame({"repair_code": ["a", "b"], "Root Cause": ["c", "d"], "speed": [1.5, 2.5]})
    told = leaks.later([columns.profile(frame[name]) for name in frame.columns], None)
    assert [one["column"] for one in told] == ["repair_code", "Root Cause"]


def test_the_area_is_the_share_of_pairs_that_are_ranked_right():
    score, hit = RNG.integers(0, 5, 80).astype(float), RNG.random(80) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in score[hit] for b in score[~hit]]
    assert leaks.area(score, hit) == pytest.approx(np.mean(pairs))
    assert leaks.area(score, np.ones(80, bool)) == 0.5
