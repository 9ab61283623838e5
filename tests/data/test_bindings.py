"""Of several bindings the one is taken whose site and day a file has."""

from pathlib import Path

import pytest

from flyball import data, errors
from flyball.data import bindings
from flyball.runtime.store import Store

DAY = 86_400_000_000
NOW = 1_767_225_600_000_000  # 2026-01-01
FLEET = data.Fleet(
    "machine", data.WallClock(), (data.Table("telemetry", columns={"power": "kW"}, time="time"),)
)
OLD = data.Binding("A", until="2025-03-01", names={"power": "P"})
NEW = data.Binding("A", since="2025-03-01", names={"power": "P_OUT"}, units={"power": "W"})
OTHER = data.Binding("B", names={"power": "Q"})


def test_a_file_goes_by_its_site_and_its_day():
    three = data.Bindings((OLD, NEW, OTHER))
    assert three.of(Path("A/telemetry/A-001/2025-02-28.csv"), NOW) == OLD
    assert three.of(Path("A/telemetry/A-001/2025-03-01.csv"), NOW) == NEW
    assert three.of(Path("B/telemetry/2019-03-01.csv"), NOW) == OTHER
    assert three.of(Path("C/telemetry/2025-03-01.csv"), NOW) is None
    assert data.Bindings((OLD, NEW)).of(Path("telemetry-2025-01-01.csv"), NOW) == OLD


def test_a_file_without_a_day_is_of_the_day_on_which_it_comes_in():
    two = data.Bindings((OLD, NEW))
    assert two.of(Path("telemetry.csv"), NOW) == NEW
    assert two.of(Path("telemetry.csv"), NOW - 366 * DAY) == OLD
    assert two.of(Path("telemetry-12025-01-012.csv"), NOW) == NEW


def test_a_day_without_a_binding_is_told_before_anything_comes_in():
    with pytest.raises(errors.DataError, match="holds from 2025-03-01 until ever, not on 2025-01-01"):
        data.Bindings((NEW,)).of(Path("telemetry-2025-01-01.csv"), NOW)


def test_two_bindings_of_one_day_are_refused():
    both = data.Bindings((OLD, data.Binding("A", since="2025-02-01")))
    with pytest.raises(errors.DataError, match="give each day one"):
        both.check(FLEET)
    assert data.Bindings((OLD, NEW, OTHER)).check(FLEET) == []


def test_names_of_other_pages_are_noted_where_bindings_serve_several_and_refused_where_not():
    more = data.Binding("A", names={"telemetry.pwer": "x"})
    assert data.Bindings((more,)).check(FLEET) == [
        "binding 'A' holds from ever until ever: not on this page: names['telemetry.pwer']"
    ]
    with pytest.raises(errors.DataError, match="the page has no such column"):
        bindings.several(more).check(FLEET)
    with pytest.raises(errors.DataError, match="no unit 'horses'"):
        data.Bindings((data.Binding("A", units={"power": "horses"}),)).check(FLEET)


def test_a_folder_of_bindings_is_read_and_an_empty_one_refused(tmp_path):
    with pytest.raises(errors.DeclarationError, match=r"no \*\.binding"):
        bindings.read(tmp_path)
    for name, one in (("A-1", OLD), ("A-2", NEW)):
        (tmp_path / f"{name}.binding").write_text(repr(one))
    assert bindings.read(tmp_path) == data.Bindings((OLD, NEW))
    assert bindings.read(tmp_path / "A-1.binding") == OLD


def test_history_is_read_by_the_binding_of_each_day(tmp_path):
    for site, day, column, value in (
        ("A", "2025-02-28", "P", 1.0), ("A", "2025-03-01", "P_OUT", 2000.0), ("B", "2025-03-01", "Q", 3.0),
        ("C", "2025-03-01", "power", 4.0),
    ):  # fmt: skip
        folder = tmp_path / "sent" / site / "telemetry"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{day}.csv").write_text(f"machine,time,{column}\n{site}-1,{day}T10:00:00Z,{value}\n")
    store = Store.open(tmp_path / "store", FLEET)
    receipt = store.ingest([tmp_path / "sent"], data.Bindings((OLD, NEW, OTHER)), now=NOW)
    assert receipt.good == {"telemetry": 4} and not receipt.absent
    assert sorted(store.rows("telemetry").columns["power"].tolist()) == [1.0, 2.0, 3.0, 4.0]
