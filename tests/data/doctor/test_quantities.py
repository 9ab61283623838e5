"""Units guessed from names, held to the values."""

import pytest

from flyball import units
from flyball.data.doctor import quantities


@pytest.mark.parametrize(
    ("name", "low", "high", "unit", "sure"),
    [
        ("chamber_pressure_mbar", 980, 1020, "mbar", "likely"), ("temp_c", 10, 40, "°C", "likely"),
        ("Flow [l/min]", 0, 5, "l/min", "likely"), ("speed_rpm", 0, 900, "rpm", "likely"), 
        ("power_kW", 0, 9, "kW", "likely"),
        ("humidity_pct", 0.1, 0.9, "1", "perhaps"), ("Temperature", 20, 90, "°C", "perhaps"), 
        ("runtime_h", 0, 10**6, "", ""),
        ("uptime_hours", 0, 10**6, "h", "doubtful"), ("axis_m", 0, 1, "", ""), ("position_m", 0, 1, "m", "likely"),
        ("temp_k", -5, 300, "", ""), ("temperature", -300, 5000, "", ""), ("s017", 0, 1, "", ""),
        ("droplet_temp_n", 0, 16, "", ""), ("power_min", 3, 9, "", ""), ("cycle_time_min", 3, 9, "min", "likely"),
    ],
)  # fmt: skip
def test_guesses(name, low, high, unit, sure):
    found = quantities.guess(name, low, high)
    assert (found.unit, found.sure) == (unit, sure), found
    assert found.why


def test_every_unit_that_may_be_guessed_is_a_unit():
    known = [
        *quantities.SPELLED.values(),
        *(unit for _, unit, _, _ in quantities.MEASURED),
        *(u for u, _ in quantities.SMART.values()),
    ]
    assert [unit for unit in known if not units.is_unit(unit)] == []
