"""Every kind of sensor fault comes at its rate, does what it says, and nothing else is touched."""

import numpy as np
import pytest

from flyball import fab, units
from flyball.fab import channels, fleet, injected, sensors, telemetry

#: So many machines that every rate can be told; rows are made up, for only a machine's channels matter.
MANY = fab.Fab("tiny", seed=5, machines=300, days=730)
REAL = fab.Fab("tiny", seed=5, machines=8, days=400, every_h=4)
NAMES = {channel.name: channel for channel in channels.CHANNELS}


@pytest.fixture(scope="module")
def clean():
    return telemetry.telemetry(REAL)


@pytest.fixture(scope="module", params=sensors.RATES)
def spoilt(request, clean):
    # More often than usual, so that there are some of each.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sensors.RATES, request.param, max(2.0, sensors.RATES[request.param]))
        told, truth = sensors.spoil(REAL, clean, [request.param])
    return told, injected.join(truth)


def plain(fleet_, every=24.0):
    hours = np.arange(0.0, 24.0 * fleet_.size().days, every)
    many = fleet_.size().machines
    at = np.tile(hours, many)
    three = {name: np.sin(at) for name in ("lens_temp_1", "lens_temp_2", "vibration")}
    return {"machine": np.repeat(np.arange(many), len(hours)), "at": at, **three}


@pytest.mark.parametrize("kind", sensors.RATES)
def test_every_kind_comes_at_its_rate_on_any_channel(kind, monkeypatch):
    from flyball.fab import dynamics

    monkeypatch.setattr(dynamics, "history", lambda fab: Visits())
    _, truth = sensors.spoil(MANY, plain(MANY), [kind])
    whole = injected.join(truth)
    asked = sensors.RATES[kind] * 300 * 730 / 365.25
    found = len(truth)
    if kind == "swap":  # the two that are alike
        assert len(whole["kind"]) == 2 * found
        assert set(whole["channel"]) == {"lens_temp_1", "lens_temp_2"}
    else:
        assert set(whole["channel"]) == {"lens_temp_1", "lens_temp_2", "vibration"}
    assert abs(found - asked) < 4.0 * np.sqrt(asked)
    assert (whole["end"] > whole["start"]).all()


class Visits:
    """A life in which every machine is visited once a week."""

    def __init__(self):
        self.journal = self

    def read(self, kind):
        weeks = np.arange(0.0, 24.0 * 730, 168.0)
        row = np.repeat(np.arange(300), len(weeks))
        return {"row": row, "at": np.tile(weeks, 300), "value": np.full(len(row), 5.0)}


def test_cells_differ_only_where_the_truth_says_so(clean, spoilt):
    told, truth = spoilt
    names = np.array(fleet.plan(REAL).names)[clean["machine"]]
    explained = {name: np.zeros(len(names), dtype=bool) for name in NAMES}
    for machine, channel, start, end in zip(
        truth["machine"], truth["channel"], truth["start"], truth["end"], strict=True
    ):
        explained[channel] |= (names == machine) & (clean["at"] >= start) & (clean["at"] < end)
    for name in NAMES:
        same = (told[name] == clean[name]) | (np.isnan(told[name]) & np.isnan(clean[name]))
        assert (same | explained[name]).all(), name
    np.testing.assert_array_equal(told["at"], clean["at"])


def cells(clean, told, truth, row):
    name = truth["channel"][row]
    machine = fleet.plan(REAL).names.index(truth["machine"][row])
    where = clean["machine"] == machine
    where &= (clean["at"] >= truth["start"][row]) & (clean["at"] < truth["end"][row])
    return NAMES[name], clean["at"][where], clean[name][where], told[name][where]


def test_each_fault_does_what_its_row_says(clean, spoilt):
    told, truth = spoilt
    spans = list(zip(truth["machine"], truth["channel"], truth["start"], truth["end"], strict=True))
    seen = set()
    for row, (machine, channel, start, end) in enumerate(spans):
        if any(
            (machine, channel) == other[:2] and other[2] < end and start < other[3]
            for n, other in enumerate(spans)
            if n != row
        ):
            continue  # two faults at once: neither alone tells what is shown
        what, at, was, now = cells(clean, told, truth, row)
        kind, high = truth["kind"][row], truth["magnitude"][row]
        there = ~np.isnan(was)
        if not there.any():
            continue
        seen.add(kind)
        sigma = max(what.sigma, what.step)
        if kind == "drift":
            ramp = high * sigma * (at - start) / (end - start)
            assert np.abs(now - was - ramp)[there].max() <= 0.51 * what.step
            assert 1.0 <= abs(high) <= 5.0 and 120.0 <= end - start <= 720.0
        elif kind == "swap":
            np.testing.assert_array_equal(
                now, clean[truth["note"][row].split()[1]][np.isin(clean["at"], at) & rows_of(clean, machine)]
            )
        elif kind == "gain":
            np.testing.assert_allclose(now, was * high, atol=1e-8)
        elif kind == "unit":
            factor, offset = units.affine(what.unit, truth["note"][row])
            assert factor == high
            np.testing.assert_allclose(now, was * factor + offset, rtol=1e-6, atol=1e-8)
        elif kind == "stuck":
            assert (now[there] == was[there][0]).all() and high == was[there][0]
        elif kind == "spikes":
            moved = now[there] != was[there]
            assert np.abs((now - was)[there]).max() <= high * sigma + what.step
            assert moved.all() or (np.abs((now - was)[there][moved]) >= 5.0 * sigma - what.step).all()
        else:
            above = truth["note"][row] == "nothing above"
            limited = np.minimum(was, high) if above else np.maximum(was, high)
            np.testing.assert_array_equal(now, limited)
    assert seen and seen <= {*sensors.RATES, "unit"}


def rows_of(clean, machine):
    return clean["machine"] == fleet.plan(REAL).names.index(machine)


def test_what_was_given_stays_and_the_same_seed_gives_the_same(clean):
    before = clean["vibration"].copy()
    first, second = sensors.spoil(REAL, clean), sensors.spoil(REAL, clean)
    np.testing.assert_array_equal(clean["vibration"], before)
    for name in NAMES:
        np.testing.assert_array_equal(first[0][name], second[0][name])
    assert [{k: v.tolist() for k, v in part.items() if k != "magnitude"} for part in first[1]] == [
        {k: v.tolist() for k, v in part.items() if k != "magnitude"} for part in second[1]
    ]


def test_units_can_be_converted():
    for channel in channels.CHANNELS:
        if channel.unit in sensors.OTHER:
            assert units.same_dimension(channel.unit, sensors.OTHER[channel.unit]), channel
