"""What the sensors show: a closed loop that hides wear, and couplings that do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import fab
from flyball.fab import channels, dynamics, fleet, physics, telemetry, wear

FLEET = fab.Fab("tiny", seed=2, machines=12, days=365)


@pytest.fixture(scope="module")
def rows():
    return telemetry.telemetry(FLEET)


@pytest.fixture(scope="module")
def state(rows):
    return dynamics.history(FLEET).at(rows["machine"], rows["at"])


def test_the_controlled_channel_is_flat_while_the_actuator_moves(rows, state):
    holds, plan, looked_at = physics.margin(state) > 0.02, fleet.plan(FLEET), 0
    for machine in np.flatnonzero(plan.euv):
        mine = holds & (rows["machine"] == machine)
        reflectance = state.reflectance[mine]
        if np.ptp(reflectance) < 0.1:
            continue
        looked_at += 1
        assert abs(np.corrcoef(rows["if_power"][mine], reflectance)[0, 1]) < 0.15
        assert np.corrcoef(rows["co2_power"][mine], reflectance)[0, 1] < -0.9
    assert looked_at >= 5


def test_without_margin_the_power_sags_and_wafers_with_it(rows, state):
    plan = fleet.plan(FLEET)
    spent = (physics.margin(state) < -0.02) & (plan.kind[rows["machine"]] == 0)
    usual = (physics.margin(state) > 0.02) & (plan.kind[rows["machine"]] == 0)
    assert spent.any()
    assert rows["if_power"][spent].mean() < 246.0 < rows["if_power"][usual].mean()
    assert rows["co2_power"][spent].max() < physics.LIMIT_KW * 1.1
    assert rows["wafer_rate"][spent].mean() < rows["wafer_rate"][usual].mean()
    assert rows["dose_error"][spent].mean() > 0.4 > rows["dose_error"][usual].mean()


@pytest.mark.parametrize(
    ("channel", "component"),
    [
        *[
            ("jitter", "DGEN"),
            ("missed_pulses", "DGEN"),
            ("droplet_pressure", "DGEN"),
            ("mirror_temp", "LASR"),
        ],
        *[("stage_current", "WSTG"), ("water_flow", "COOL"), ("water_drop", "COOL"), ("vibration", "VACP")],
        *[("vacuum_pressure", "LEAK"), ("water_vapour", "LEAK"), ("reticle_deviation", "RSTG")],
        *[("handler_cycle", "HNDL"), ("handler_retries", "HNDL")],
    ],
)
def test_a_worn_component_shows_in_its_channel(rows, state, channel, component):
    severity = state.severity()[:, wear.NAMES.index(component)]
    of_type = ~np.isnan(rows[channel]) & fleet.plan(FLEET).euv[rows["machine"]]
    worn, usual = rows[channel][of_type & (severity > 0.5)], rows[channel][of_type & (severity == 0)]
    assert len(worn) > 1
    assert abs(worn.mean() - usual.mean()) > 2.0 * usual.std()


def test_a_machine_has_the_channels_of_its_source(rows):
    plan = fleet.plan(FLEET)
    for channel in channels.CHANNELS:
        plasma = ~np.isnan(rows[channel.name][plan.euv[rows["machine"]]])
        excimer = ~np.isnan(rows[channel.name][~plan.euv[rows["machine"]]])
        assert plasma.any() == (channel.source != "excimer"), channel.name
        assert excimer.any() == (channel.source != "plasma"), channel.name


def test_products_and_reticles_move_what_is_no_wear():
    at = np.arange(24.0 * 365)
    seen = physics.scene(FLEET, 0, at)
    healthy = (seen.state.severity().max(axis=1) == 0) & (physics.margin(seen.state) > 0)
    values = physics.clean(seen)
    quality = [values["mark_quality"][healthy & (seen.product == product)] for product in range(12)]
    assert np.std([q.mean() for q in quality if len(q)]) > 1.0
    assert all(np.ptp(q) == 0 for q in quality if len(q))
    for product in np.unique(seen.product[healthy]):
        mine = healthy & (seen.product == product)
        rates = [np.unique(values["wafer_rate"][mine & (seen.reticle == r)].round(6)) for r in range(36)]
        assert all(len(rate) <= 1 for rate in rates) and sum(map(len, rates)) > 1


def test_the_optics_warm_up_by_first_order_laws():
    load, slow = physics._load(FLEET, 0)
    hour = int(np.argmax(np.abs(np.diff(load)))) + 1
    at = hour + np.linspace(0.0, 0.999, 50)
    fast, lasting = physics._warm(FLEET, 0, at)
    np.testing.assert_allclose(fast, load[hour] + (load[hour - 1] - load[hour]) * np.exp(-(at - hour) * 12.0))
    np.testing.assert_allclose(lasting[-1], slow[hour + 1], atol=2e-3 * abs(load[hour] - slow[hour]) + 1e-6)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=300),
    st.floats(0.01, 0.99),
)
def test_filtering_by_doubling_is_the_recursion(fresh, keeps):
    slow, before = [], 0.0
    for value in fresh:
        before = keeps * before + value
        slow.append(before)
    # What is left out is below a millionth of the largest input's whole sum.
    atol = 2e-6 * max(map(abs, fresh)) / (1.0 - keeps) + 1e-9
    np.testing.assert_allclose(physics.filtered(np.array(fresh), keeps), slow, atol=atol)


def test_throughput_is_that_of_the_power_and_the_dose():
    assert physics.wph(np.array(30.0), np.array(250.0)) == pytest.approx(176.0, abs=0.5)
    assert physics.wph(np.array(30.0), np.array(500.0)) == pytest.approx(209.0, abs=0.5)


def test_a_new_generator_jitters_half_as_much():
    one = fab.Fab("tiny", seed=5, machines=12, days=365)
    ratio = {True: [], False: []}
    for machine in np.flatnonzero(fleet.plan(one).euv):
        seen = physics.scene(one, machine, np.arange(24.0 * 365))
        worn = seen.state.severity()[:, wear.DGEN] > 0.1
        moved = (physics.clean(seen)["jitter"] - 2.5) / np.maximum(seen.state.severity()[:, wear.DGEN], 1e-9)
        for new in ratio:
            ratio[new].extend(moved[worn & (seen.renewed == new)].tolist())
    assert set(np.round(ratio[False], 6)) == {9.0} and set(np.round(ratio[True], 6)) == {4.5}
