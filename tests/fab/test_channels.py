"""What the sensors show: a closed loop that hides wear, and noise that does not hide it for ever."""

import numpy as np

from flyball import fab
from flyball.fab import channels, dynamics, wear

FLEET = fab.Fab("tiny", seed=2, machines=12, days=365)


def observed():
    rows = channels.telemetry(FLEET)
    return rows, dynamics.history(FLEET).at(rows["machine"], rows["at"])


def test_the_controlled_channel_is_flat_while_the_actuator_moves():
    rows, state = observed()
    holds = channels.margin(state) > 0.02
    for machine in range(12):
        mine = holds & (rows["machine"] == machine)
        reflectance = state.reflectance[mine]
        if np.ptp(reflectance) < 0.1:
            continue
        assert abs(np.corrcoef(rows["if_power"][mine], reflectance)[0, 1]) < 0.15
        assert np.corrcoef(rows["co2_power"][mine], reflectance)[0, 1] < -0.9


def test_without_margin_the_power_sags():
    rows, state = observed()
    spent = channels.margin(state) < -0.02
    assert spent.any()
    assert rows["if_power"][spent].mean() < channels.SET_W - 4.0
    assert rows["co2_power"][spent].max() < channels.LIMIT_KW + 6 * 0.25


def test_a_worn_component_shows_in_its_channel():
    rows, state = observed()
    pairs = {"jitter": "DGEN", "stage_current": "WSTG", "water_flow": "COOL", "vibration": "VACP"}
    for channel, component in pairs.items():
        severity = state.severity()[:, wear.NAMES.index(component)]
        worn, usual = rows[channel][severity > 0.5], rows[channel][severity == 0]
        assert abs(worn.mean() - usual.mean()) > 3.0 * usual.std(), channel


def test_a_machine_that_is_down_reports_nothing():
    _, state = observed()
    assert (state.down == 0).all()


def test_every_channel_has_a_unit_that_a_page_may_declare():
    from flyball import units

    assert set(fab.UNITS.values()) <= set(units.names())
