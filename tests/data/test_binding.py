import pytest

from flyball import data, errors
from flyball.data import binding

FLEET = data.Fleet(
    "machine",
    data.WallClock(),
    (data.Table("telemetry", columns={"power": "kW", "state": "category"}, time="time"),),
)
NORTH = data.Binding(
    "north", since="2026-01-01", until="2027-01-01", names={"power": "P", "machine": "tool"},
    units={"telemetry.power": "W"},
    zone="Asia/Tokyo", epoch="ms", codes={"state": {"1": "on"}}, software=("7.2",),
)  # fmt: skip


def test_a_binding_is_read_back_equal_and_never_run(tmp_path):
    path = tmp_path / "north.txt"
    path.write_text(repr(NORTH))
    assert binding.read(path) == NORTH and not list(NORTH.problems(FLEET))
    path.write_text("__import__('os').system('true')")
    with pytest.raises(errors.DeclarationError, match="not a known part"):
        binding.read(path)
    path.write_text("1")
    with pytest.raises(errors.DeclarationError, match=r"no data\.Binding"):
        binding.read(path)


def test_a_table_s_own_name_goes_before_the_general_one():
    both = data.Binding("x", names={"power": "P", "telemetry.power": "Q"}, units={"power": "W"})
    assert both.site_name("telemetry", "power") == "Q" and both.site_name("other", "power") == "P"
    assert both.site_unit("other", "power", "kW") == "W" and both.site_unit("other", "x", "kW") == "kW"


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (data.Binding("x", zone="Mars/Base"), "no time zone"),
        (data.Binding("x", epoch="days"), "no epoch unit"),
        (data.Binding("x", since="soon"), "no date"),
        (data.Binding("x", units={"power": "horses"}), "no unit 'horses'"),
        (data.Binding("x", units={"power": "°C"}), "'°C' cannot become 'kW'"),
        (data.Binding("x", names={"pwer": "P"}), "did you mean 'power'"),
    ],
)
def test_every_mistake_is_told(wrong, what):
    with pytest.raises(errors.DataError, match=what):
        wrong.check(FLEET)


def test_it_holds_on_its_days_alone():
    day = 86_400_000_000
    first = 1_767_225_600_000_000
    NORTH.holds(first)
    for when in (first - 1, first + 365 * day):
        with pytest.raises(errors.DataError, match="holds from 2026-01-01 until 2027-01-01"):
            NORTH.holds(when)
