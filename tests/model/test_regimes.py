"""Conditions are found again whatever their scale, and named the same every time."""

import numpy as np
import pytest

from flyball import errors, features, model


def matrix(points):
    moments = features.Moments.of(["a"] * len(points), range(len(points)))
    return features.Matrix(moments, {"height": points[:, 0], "mach": points[:, 1]})


def test_planted_conditions_are_found(answered):
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [10_000, 0.25], [20_000, 0.7], [25_000, 0.6], [35_000, 0.84], [42_000, 0.84]])
    true = rng.integers(0, 6, 600)
    points = centres[true] + rng.normal(size=(600, 2)) * (50, 0.002)
    step = model.Regimes(("height", "mach"), k=6).fit(matrix(points), answered(np.zeros(600)), 0)
    told = step.apply(matrix(points)).columns["regime"]
    assert len({(a, b) for a, b in zip(true.tolist(), told.codes.tolist(), strict=True)}) == 6
    assert told.labels == tuple(f"regime_{i}" for i in range(6))
    other = model.Regimes(("height", "mach"), k=6).fit(matrix(points[::-1]), answered(np.zeros(600)), 5)
    assert np.array_equal(other.apply(matrix(points)).columns["regime"].codes, told.codes)


def test_a_missing_setting_is_in_no_condition(answered):
    points = np.array([[0.0, 0], [0, 0], [9, 9], [9, 9]])
    step = model.Regimes(("height", "mach"), k=2).fit(matrix(points), answered(np.zeros(4)), 0)
    assert step.apply(matrix(np.array([[np.nan, 0.0], [8, 8]]))).columns["regime"].codes.tolist() == [-1, 1]
    with pytest.raises(errors.DataError, match="1 rows"):
        model.Regimes(("height", "mach"), k=2).fit(matrix(points[:1]), answered(np.zeros(1)), 0)
