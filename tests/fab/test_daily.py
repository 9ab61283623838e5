"""A day's aggregates are those of NumPy and polars on the same rows."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import fab
from flyball.fab import daily, telemetry

FLEET = fab.Fab("tiny", seed=1, machines=3, days=20)


def slow(values, hours):
    """Return a day's statistics by their definitions."""
    there = ~np.isnan(values)
    known, when = values[there], hours[there]
    out = {"n": len(known), "missing": (~there).sum()}
    out["mean"] = known.mean() if len(known) else np.nan
    out["std"] = known.std(ddof=1) if len(known) > 1 else np.nan
    for name, share in (("min", 0.0), ("p05", 0.05), ("p95", 0.95), ("max", 1.0)):
        out[name] = np.quantile(known, share) if len(known) else np.nan
    out["slope"] = 24.0 * np.polyfit(when, known, 1)[0] if len(np.unique(when)) > 1 else np.nan
    return out


def agree(found, rows, name):
    for row, (machine, end) in enumerate(zip(found["machine"], found["at"], strict=True)):
        mine = (rows["machine"] == machine) & (rows["at"] // 24.0 == end / 24.0 - 1.0)
        want = slow(rows[name][mine], rows["at"][mine] % 24.0)
        for statistic, value in want.items():
            np.testing.assert_allclose(found[f"{name}_{statistic}"][row], value, rtol=1e-7, atol=1e-7)


def test_a_fleet_is_told_as_by_definition():
    rows = telemetry.telemetry(FLEET)
    found = daily.daily(FLEET, rows)
    assert len(found["at"]) == 60 and (found["seen"] > found["at"]).all()
    for name in ("jitter", "vibration", "clamp_voltage", "handler_retries"):
        agree(found, rows, name)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_rows_in_any_order(data):
    n = data.draw(st.integers(1, 60))
    numbers = st.one_of(st.floats(-1e3, 1e3, width=32), st.just(float("nan")))
    rows = {
        "machine": np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))),
        "at": np.array(data.draw(st.lists(st.integers(0, 479), min_size=n, max_size=n, unique=True))) + 0.5,
        "jitter": np.array(data.draw(st.lists(numbers, min_size=n, max_size=n))),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.RankWarning)
        agree(daily.daily(FLEET, rows), rows, "jitter")


def test_no_rows_give_no_days():
    rows = {"machine": np.zeros(0, dtype=int), "at": np.zeros(0), "jitter": np.zeros(0)}
    assert len(daily.daily(FLEET, rows)["jitter_mean"]) == 0


def test_only_the_asked_statistics_are_there():
    rows = telemetry.telemetry(FLEET)
    found = daily.daily(FLEET, rows, ("mean", "n"))
    assert {name.rpartition("_")[2] for name in found} <= {"machine", "at", "seen", "mean", "n"}


def test_fleets_send_it():
    sent = fab.tables(FLEET, "daily")["daily"]
    assert sent["jitter_n"].max() <= 24 and (sent["seen"] > sent["at"]).all()
    assert np.nanmean(sent["jitter_mean"]) == pytest.approx(2.6, abs=0.5)
