import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import units

NAMES = {maker: getattr(units, maker) for maker in units.MAKERS}
UNITS = [name for name in units.names() if units.is_unit(name)]


@given(st.integers(-(2**62), 2**62), st.sampled_from([units.Duration, units.Count, units.Bytes]))
def test_a_quantity_prints_as_the_call_that_makes_it(number, kind):
    value = kind(number)
    back = eval(repr(value), dict(NAMES))
    assert back == value
    assert type(back) is kind
    assert pickle.loads(pickle.dumps(value)) == value
    assert type(pickle.loads(pickle.dumps(value))) is kind


@pytest.mark.parametrize(
    ("value", "text", "size"),
    [
        (units.days(7), "days(7)", 604_800_000_000),
        (units.hours(36), "hours(36)", 129_600_000_000),
        (units.hours(24), "days(1)", 86_400_000_000),
        (units.minutes(1.5), "seconds(90)", 90_000_000),
        (units.ms(5), "ms(5)", 5_000),
        (units.us(7), "us(7)", 7),
        (units.us(0), "us(0)", 0),
        (units.days(-1), "days(-1)", -86_400_000_000),
        (units.steps(30), "steps(30)", 30),
        (units.MiB(75), "MiB(75)", 78_643_200),
        (units.octets(1000), "octets(1000)", 1000),
    ],
)
def test_sizes_and_texts(value, text, size):
    assert (repr(value), str(value), int(value)) == (text, text, size)


@pytest.mark.parametrize(
    ("value", "a", "b", "expected"),
    [
        (1.0, "kW", "W", 1000.0),
        (100.0, "°C", "°F", 212.0),
        (0.0, "°C", "K", 273.15),
        (491.67, "°R", "K", 273.15),
        (1.0, "bar", "hPa", 1000.0),
        (14.5037738, "psi", "bar", 1.0),
        (60.0, "rpm", "Hz", 1.0),
        (3.0, "µm", "nm", 3000.0),
        (50.0, "%", "1", 0.5),
        (1.0, "ft", "m", 0.3048),
    ],
)
def test_known_conversions(value, a, b, expected):
    factor, offset = units.affine(a, b)
    assert value * factor + offset == pytest.approx(expected, rel=1e-7)


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.floats(-1e6, 1e6))
def test_there_and_back_again(a, b, value):
    if not units.same_dimension(a, b):
        with pytest.raises(ValueError, match="do not measure the same thing"):
            units.affine(a, b)
        return
    factor, offset = units.affine(a, b)
    back, again = units.affine(b, a)
    scale = max(abs(value), abs(again), 500.0)
    assert (value * factor + offset) * back + again == pytest.approx(value, rel=1e-9, abs=1e-9 * scale)


def test_kinds_are_no_units():
    assert not any(units.is_unit(kind) for kind in units.KINDS)
    assert not units.same_dimension("category", "category")
    assert set(units.KINDS) < set(units.names())
