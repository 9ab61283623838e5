"""Fields, marks and the ten parameters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import errors
from flyball.fab import overlay


def test_a_wafer_has_57_full_fields_and_20_are_measured_in_balance():
    assert len(overlay.fields()) == 57
    at = overlay.marks()
    measured = {tuple(place) for place in at[:, :2]}
    assert at.shape == (180, 4) and len(measured) == 20
    assert measured <= {tuple(place) for place in overlay.fields()}
    assert overlay.fit(at, np.random.default_rng(0).normal(size=(1, 180, 2))).condition < 1.08


@given(st.lists(st.floats(-5.0, 5.0), min_size=10, max_size=10))
def test_the_model_is_that_of_the_formula(theta):
    tx, ty, mx, my, rx, ry, fx, fy, gx, gy = theta
    X, Y, x, y = overlay.marks().T
    dx = tx + mx * X - ry * Y + fx * x - gy * y
    dy = ty + my * Y + rx * X + fy * y + gx * x
    of_x, of_y = overlay.design(overlay.marks())
    value = np.array(theta)
    np.testing.assert_allclose(of_x @ value[list(overlay.OF_X)], dx, atol=1e-9)
    np.testing.assert_allclose(of_y @ value[list(overlay.OF_Y)], dy, atol=1e-9)
    found = overlay.fit(overlay.marks(), np.stack([dx, dy], axis=1)[None])
    np.testing.assert_allclose(found.value[0], theta, atol=1e-8)


def test_errors_are_those_of_repeated_measurement():
    rng, lots = np.random.default_rng(0), 3000
    found = overlay.fit(overlay.marks(), 0.3 * rng.normal(size=(lots, 180, 2)))
    np.testing.assert_allclose(found.value.std(axis=0), found.error.mean(axis=0), rtol=0.05)
    assert (np.abs(found.value) < 3.0 * found.error).mean() == pytest.approx(0.9973, abs=0.002)


def test_flyers_are_left_out_and_missing_marks_are_no_marks():
    rng = np.random.default_rng(1)
    offset = 0.3 * rng.normal(size=(50, 180, 2))
    flown = rng.random((50, 180)) < 0.02
    offset[flown] += 20.0
    gone = rng.random((50, 180)) < 0.05
    offset[gone] = np.nan
    found = overlay.fit(overlay.marks(), offset)
    assert not found.kept[flown | gone].any()
    assert found.kept[~flown & ~gone].mean() > 0.99
    assert np.abs(found.value[:, :2]).max() < 0.15


def test_what_cannot_be_fitted_is_told():
    with pytest.raises(errors.DataError, match="five marks"):
        overlay.fit(overlay.marks(), np.full((1, 180, 2), np.nan))
    with pytest.raises(errors.DataError, match="lie so"):
        overlay.fit(overlay.marks()[:9], np.zeros((1, 9, 2)))


def test_spread_is_mean_plus_three_sigma():
    left = np.zeros((1, 4, 2))
    left[0, :, 0] = [1.0, -1.0, 3.0, 99.0]
    kept = np.array([[True, True, True, False]])
    np.testing.assert_allclose(overlay.spread(left, kept)[0], [1.0 + 3.0 * np.sqrt(8.0 / 3.0), 0.0])
