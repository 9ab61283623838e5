import pathlib

import pytest

from flyball import data, units
from flyball.data.formats import read

NOW = 1_767_225_600_000_000
TELEMETRY = data.Table("telemetry", columns={"power": "kW"}, arrives=units.hours(1), unique=("at",))
EVENTS = data.Table("events", columns={"code": "category"})
FLEET = data.Fleet("machine", data.WallClock(), (TELEMETRY, EVENTS))


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("telemetry/2025.csv", "telemetry"), ("x/events/2025.csv", "events"), ("events-2025.csv.gz", "events"),
        ("telemetry.parquet", "telemetry"), ("telemetry/events-1.csv", "events"), ("eventsful.csv", None),
        ("a.csv", None),
    ],
)  # fmt: skip
def test_a_file_is_claimed_by_its_folder_or_its_beginning(name, table):
    found = read.claim(FLEET, pathlib.Path("in") / name, pathlib.Path(name))
    assert (found.name if found else None) == table


def test_a_page_of_one_table_claims_every_data_file():
    one = data.Fleet("machine", None, (TELEMETRY,))
    assert read.claim(one, pathlib.Path("in/a.csv"), pathlib.Path("a.csv")) is TELEMETRY
