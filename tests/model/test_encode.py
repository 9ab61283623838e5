"""Rates that tell no row its own answer."""

import numpy as np
import pytest

from flyball import data, errors, features, model
from flyball.model import unpack


def matrix(keys, kind):
    coded = data.Words.of(keys)
    return features.Matrix(
        features.Moments(coded.labels, coded.codes, np.arange(len(keys))), {"kind": data.Words.of(kind)}
    )


def rate(step, kind):
    return step.apply(matrix(["z"], [kind])).columns["kind.rate"][0]


def test_rates_are_drawn_toward_the_whole(answered):
    x = matrix(list("abcdefgh"), ["x"] * 6 + ["y"] * 2)
    step = model.Encode("kind", prior=2).fit(x, answered([1, 0, 0, 0, 0, 0, 1, 1]), 0)
    whole = 3 / 8
    assert rate(step, "x") == pytest.approx((1 + 2 * whole) / 8)
    assert rate(step, "y") == pytest.approx((2 + 2 * whole) / 4)
    assert rate(step, "never seen") == pytest.approx(whole)
    assert "kind" not in step.apply(x).columns


def test_a_training_row_does_not_tell_its_own_answer(answered):
    # One row per machine and per label: in-sample rates would be the answers themselves.
    keys = [f"m{i:03d}" for i in range(100)]
    answer = np.arange(100) % 2
    x = matrix(keys, [f"label {i}" for i in range(100)])
    _, told = model.Encode("kind", prior=0.01).fit_apply(x, answered(answer), 0)
    own = model.Encode("kind", prior=0.01, folds=0).fit_apply(x, answered(answer), 0)[1]
    assert abs(np.corrcoef(told.columns["kind.rate"], answer)[0, 1]) < 0.5
    assert np.corrcoef(own.columns["kind.rate"], answer)[0, 1] > 0.99, "the check can fail"


def test_machines_are_counted_once(answered):
    keys, kind = ["a"] * 5 + ["b"] + ["c"], ["x"] * 6 + ["y"]
    step = model.Encode("kind", prior=0, each="machine", log=True, folds=0).fit(
        matrix(keys, kind), answered([1, 1, 1, 1, 0, 0, 0]), 0
    )
    assert np.exp(rate(step, "x")) == pytest.approx(0.5)


def test_the_prior_follows_how_far_labels_lie_apart(answered):
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 30, 3000)
    keys = [f"m{i % 50}" for i in range(3000)]

    def drawn(spread):
        level = 0.3 + spread * (np.arange(30) / 30 - 0.5)
        x = matrix(keys, [f"{k:02d}" for k in kind])
        step = model.Encode("kind").fit(x, answered(rng.random(3000) < level[kind]), 0)
        return np.ptp(step.numbers[:-1])

    assert drawn(0.0) < 0.06 < 0.2 < drawn(0.5)


def test_one_hot_and_codes(answered):
    x = matrix(list("abcd"), ["x", "y", "y", None])
    hot = model.Encode("kind", by="onehot").fit(x, answered([0] * 4), 0).apply(x)
    assert hot.columns["kind=y"].tolist() == [0, 1, 1, 0] and set(hot.columns) == {"kind=x", "kind=y"}
    step = model.Encode("kind", by="code").fit(x, answered([0] * 4), 0)
    code = step.apply(x).columns["kind.code"]
    assert code[:3].tolist() == [1, 0, 0] and np.isnan(code[3])
    again = unpack.transform(step.pack()).apply(x).columns["kind.code"]
    assert np.array_equal(code, again, equal_nan=True)


def test_a_number_is_no_category(answered, rows):
    with pytest.raises(errors.DataError, match="no category"):
        model.Encode("b").fit(rows.x, answered(rows.event), 0)
