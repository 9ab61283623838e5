"""Folds over time never look ahead."""

import types

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from flyball import data, errors, features, labels, model, units


def asked(times):
    return features.Moments.of([f"m{i % 5}" for i in range(len(times))], times)


@hypothesis.given(
    times=st.lists(st.integers(0, 300), min_size=30, max_size=80),
    folds=st.integers(1, 4),
    guard=st.integers(0, 20),
)
def test_no_fold_looks_ahead(times, folds, guard):
    moments = asked(times)
    try:
        made = model.Rolling(folds=folds, guard=guard).split(moments, {})
    except errors.DataError:
        return  # too little history for these folds, and said so
    assert len(made) == folds
    for fold in made:
        start = moments.at[fold.test].min()
        assert moments.at[fold.train].max() < start - guard
        assert not set(fold.train) & set(fold.test)
    tests = np.concatenate([fold.test for fold in made])
    assert len(set(tests.tolist())) == len(tests)
    assert moments.at.max() in moments.at[made[-1].test]


def test_the_guard_is_kept_to_the_start_of_the_fold():
    fold = model.Rolling(folds=1, guard=7, over=7).split(asked(range(35)), {})[0]
    assert fold.test.size == 7
    moments = asked(range(35))
    assert moments.at[fold.train].max() == 28 - 7 - 1


def test_too_little_history_says_so():
    with pytest.raises(errors.DataError, match="fewer or shorter folds"):
        model.Rolling(folds=3, guard=units.WEEK).split(asked(range(10)), {})


def page(clock, horizon):
    return types.SimpleNamespace(
        data=types.SimpleNamespace(clock=clock),
        labels=types.SimpleNamespace(horizon=lambda: horizon, kind=labels.Probability),
    )


def test_a_guard_below_the_horizon_and_a_page_without_clock_are_problems():
    rolling = model.Rolling(guard=units.DAY)
    assert [p.place for p in rolling.problems(page(data.WallClock(), units.WEEK))] == ["guard"]
    assert "wall clock" in next(iter(rolling.problems(page(None, 0)))).what
    assert list(model.Rolling(guard=units.WEEK).problems(page(data.WallClock(), units.WEEK))) == []
