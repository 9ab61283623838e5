"""One scale for all conditions: linear, so a window's sums give what its rows would; what is fitted travels whole."""

import dataclasses

import numpy as np
import pytest

from flyball import data, errors, features, labels
from flyball.model import unpack
from flyball.systems.turbofan import Harmonise, Windows, conditions

SENSORS = tuple(f"cycles.{name}" for name in conditions.DAMAGE)
SETTINGS = ("cycles.a", "cycles.b", "cycles.c")
STEP = Harmonise(windows=("mean.10", "mean.40", "mean.new"), plain=("mean.10",))


def matrix(seed=0, engines=12, n=60, every=3):
    """Engines that wear in six conditions, asked every third cycle."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 6, n * engines)
    wear = np.tile(np.linspace(0, 3, n), engines)[:, None]
    noise = rng.normal(size=(len(kinds), 5))
    sensors = np.array(conditions.LEVELS)[kinds] + np.array(conditions.SPREADS)[kinds] * (wear + noise)
    columns = {name: sensors[:, place] for place, name in enumerate(conditions.DAMAGE)}
    columns |= {name: np.array(conditions.CENTRES)[kinds][:, place] for place, name in enumerate("abc")}
    key = [f"u{number:02d}" for number in range(engines) for _ in range(n)]
    rows = data.Rows.of(key, np.tile(np.arange(1, n + 1), engines), columns=columns)
    moments = features.Moments(rows.keys, rows.segments(), rows.at)[rows.at % every == 0]
    asof = (
        Windows(SENSORS, SETTINGS, means=(10, 40), slopes=()),
        features.Sequence((*SENSORS, *SETTINGS), 10, "last"),
    )
    found = {
        name: column
        for feature in asof
        for name, column in feature.compute({"cycles": rows}, moments).items()
    }
    return rows, features.Matrix(moments, found)


def answers(x):
    return labels.Answers(
        np.zeros(len(x)), np.ones(len(x), bool), data.Words(np.full(len(x), -1, np.int32), ())
    )


def roughness(values, at):
    """Return how much of a column's spread is not its course over the life."""
    course = np.poly1d(np.polyfit(at, values, 2))(at)
    return np.std(values - course) / np.std(values)


def test_what_it_makes_of_a_window_is_what_it_makes_of_its_rows():
    rows, x = matrix(every=1)
    fitted = STEP.fit(x, answers(x), 0)
    z, kinds = [], conditions.of(np.stack([rows.columns[name] for name in "abc"], axis=1))
    sensors = np.stack([rows.columns[name] for name in conditions.DAMAGE], axis=1)
    for maps in (fitted.maps, fitted.plain_maps):
        z.append(np.einsum("nd,nde->ne", np.append(sensors, np.ones((len(sensors), 1)), axis=1), maps[kinds]))
    told = fitted.apply(x)
    for row in (0, 7, 59, 60, 119):
        begin = rows.starts[x.moments.codes[row]]
        now = begin + x.moments.at[row]
        first = max(begin, now - 10)
        for letter, values in zip("hz", z, strict=True):
            got = [told.columns[f"{letter}.{sensor}.mean.10"][row] for sensor in range(5)]
            np.testing.assert_allclose(got, values[first:now].mean(axis=0), atol=5e-3)


def test_the_fitted_map_takes_noise_out_and_brings_conditions_to_one_scale():
    _, x = matrix(engines=60)
    told = Harmonise(windows=("mean.10",), plain=("mean.10",)).fit(x, answers(x), 0).apply(x)
    assert roughness(told.columns["h.0.mean.10"], x.moments.at) < 0.8 * roughness(
        told.columns["z.0.mean.10"], x.moments.at
    )


def test_every_row_alone_gives_the_same_and_it_travels():
    _, x = matrix()
    fitted = STEP.fit(x, answers(x), 0)
    again = unpack.transform(fitted.pack())
    whole = fitted.apply(x)
    some = np.array([0, 5, len(x) - 1])
    for name, column in again.apply(x.take(some)).columns.items():
        np.testing.assert_allclose(column, whole.columns[name][some], rtol=1e-12, atol=1e-12, err_msg=name)
    assert fitted.pack().files == again.pack().files


def test_the_sequence_is_standardised_and_what_lies_before_the_first_row_stays_missing():
    _, x = matrix()
    steps = STEP.fit(x, answers(x), 0).apply(x).columns["last"]
    assert steps.shape == (len(x), 10, 5)
    young = np.flatnonzero(x.moments.at == 3)
    assert np.isnan(steps[young, :7]).all() and np.isfinite(steps[young, 7:]).all()
    assert abs(np.nanmean(steps[young])) < 1.0


def test_a_matrix_without_the_windows_is_told():
    _, x = matrix()
    fitted = STEP.fit(x, answers(x), 0)
    less = dataclasses.replace(x, columns={n: c for n, c in x.columns.items() if n != "cycles.mean.40"})
    with pytest.raises(errors.DataError, match=r"mean\.40"):
        fitted.apply(less)
    with pytest.raises(errors.DataError, match="last"):
        STEP.fit(dataclasses.replace(x, columns={}), answers(x), 0)


def test_a_runner_of_a_system_is_its_own_class_alone():
    from flyball.model.stage import Packed

    for name in ("turbofan.page", "turbofan.Windows", "turbofan.nothing", "os.getcwd", "nosuch.Harmonised"):
        with pytest.raises(errors.DataError, match="no runner"):
            unpack.transform(Packed(name))
