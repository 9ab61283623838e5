"""Levels and spreads from training rows only, per machine where there are enough of them."""

import numpy as np
import pytest

from flyball import data, errors, features, model
from flyball.model import unpack


def matrix(keys, **columns):
    return features.Matrix(features.Moments(*words(keys), np.arange(len(keys))), columns)


def words(keys):
    coded = data.Words.of(keys)
    return coded.labels, coded.codes


@pytest.mark.parametrize("robust", [False, True])
def test_a_machine_is_compared_with_itself(answered, robust):
    rng = np.random.default_rng(0)
    keys = ["a"] * 200 + ["b"] * 200
    column = np.concatenate([rng.normal(0, 1, 200), rng.normal(100, 10, 200)])
    step = model.Normalise(by="machine", robust=robust, prior=0).fit(
        matrix(keys, x=column), answered([0] * 400), 0
    )
    told = step.apply(matrix(keys, x=column)).columns["x"]
    for half in (told[:200], told[200:]):
        assert abs(np.median(half)) < 0.15 and 0.8 < half.std() < 1.2


def test_a_machine_never_seen_stands_on_the_fleet(answered):
    step = model.Normalise(by="machine").fit(matrix(["a"] * 50, x=np.arange(50.0)), answered([0] * 50), 0)
    alone = model.Normalise().fit(matrix(["a"] * 50, x=np.arange(50.0)), answered([0] * 50), 0)
    new = matrix(["new"] * 3, x=np.array([1.0, np.nan, 9.0]))
    told, fleet = step.apply(new).columns["x"], alone.apply(new).columns["x"]
    assert told == pytest.approx(fleet, nan_ok=True) and np.isnan(told[1])


def test_few_rows_are_drawn_toward_the_fleet(answered):
    keys, column = ["a"] * 100 + ["b"], np.append(np.zeros(100), 50.0)
    column[:100] += np.tile([-1.0, 1.0], 50)
    step = model.Normalise(by="machine", prior=10).fit(matrix(keys, x=column), answered([0] * 101), 0)
    b = step.apply(matrix(["b"], x=np.array([50.0]))).columns["x"][0]
    assert b > 5, "one row must not become the usual level"


def test_rows_applied_teach_nothing(answered):
    step = model.Normalise(by="machine").fit(matrix(["a"] * 9, x=np.arange(9.0)), answered([0] * 9), 0)
    one = step.apply(matrix(["a"], x=np.array([4.0]))).columns["x"][0]
    many = step.apply(matrix(["a"] * 3, x=np.array([4.0, 1e6, 1e6]))).columns["x"][0]
    assert one == many


def test_sequences_go_by_channel_and_category(answered):
    rng = np.random.default_rng(0)
    window = rng.normal(size=(60, 5, 2)) * (1, 100) + (0, 7)
    kind = data.Words.of(["x", "y"] * 30)
    x = matrix(["a"] * 60, window=window, kind=kind)
    step = model.Normalise(by="kind", columns=("window",), prior=0).fit(x, answered([0] * 60), 0)
    told = step.apply(x).columns["window"]
    assert told.shape == (60, 5, 2)
    assert told[::2].reshape(-1, 2).std(axis=0) == pytest.approx([1, 1])
    again = unpack.transform(step.pack()).apply(x).columns["window"]
    assert np.array_equal(told, again)


def test_what_cannot_be_normalised_says_so(answered):
    x = matrix(["a"] * 2, x=np.zeros(2), kind=data.Words.of(["x", "y"]))
    with pytest.raises(errors.DataError, match="not numeric"):
        model.Normalise(columns=("kind",)).fit(x, answered([0, 0]), 0)
    with pytest.raises(errors.DataError, match="no category"):
        model.Normalise(by="x").fit(x, answered([0, 0]), 0)
    assert np.isfinite(model.Normalise().fit(x, answered([0, 0]), 0).apply(x).columns["x"]).all()
