import gzip
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import errors, systems
from flyball.cli import begin
from flyball.data import binding


@pytest.fixture
def files(tmp_path):
    """What a site has: other names, other cases, in every format."""
    folder = tmp_path / "site"
    (folder / "repairs").mkdir(parents=True)
    with gzip.open(folder / "telemetry-2026.csv.gz", "wt") as out:
        out.write("Serial_Number;Timestamp;CO2 power;Vibration_mm_s;operator\na;2026-01-01;1;2;x\n")
    pl.DataFrame({"machine": ["a"], "time": ["2026-01-01"], "Code": ["E1"]}).write_parquet(
        folder / "events.parquet"
    )
    (folder / "repairs" / "x.jsonl").write_text(
        json.dumps({"tool_id": "a", "date": "2026-01-01", "part": "p", "failed": 1})
    )
    (folder / "broken.parquet").write_bytes(b"PAR1")
    (folder / "notes.txt").write_text("hello")
    return folder


def test_a_page_of_ones_own_and_a_binding_that_the_page_takes(tmp_path, files):
    told = begin.page("scanner", tmp_path / "My Fab", files)
    page, made = tmp_path / "My Fab.py", tmp_path / "My Fab.binding"
    system = systems.load(str(page))
    assert (told["page"], told["binding"], system.name) == (str(page), str(made), "my-fab")
    assert list(systems.load("scanner").diff(system)) == [("name", "scanner", "my-fab")]
    site = binding.read(made).check(system.data)
    assert site.names["telemetry.co2_power"] == "CO2 power"
    assert site.names["telemetry.vibration"] == "Vibration_mm_s"
    assert site.names["events.code"] == "Code"
    assert "repairs.part" not in site.names
    telemetry = told["tables"]["telemetry"]
    assert telemetry["file"] == "telemetry-2026.csv.gz"
    assert telemetry["taken"]["machine"] == "Serial_Number"
    assert telemetry["left"] == ["operator"]
    assert "jitter" in telemetry["none"]
    assert told["tables"]["repairs"]["file"] == "repairs/x.jsonl"


def test_files_of_machines_within_a_tables_folder_are_found(tmp_path):
    from flyball import fab

    fab.write(fab.Fab("tiny", machines=2, days=8), tmp_path / "sent", form="habit", per="machine")
    told = begin.page("scanner", tmp_path / "mine", tmp_path / "sent")
    for name in ("telemetry", "events", "repairs"):
        assert told["tables"][name]["file"].split("/")[1] == name
        assert not told["tables"][name]["none"]
    assert told["tables"]["events"]["left"] == ["seen", "level", "text"]


def test_it_says_which_columns_were_found_and_what_to_do_next(tmp_path, files):
    text = "\n".join(begin.lines(begin.page("scanner", tmp_path / "mine.py", files)))
    for line in (
        "  telemetry: read from telemetry-2026.csv.gz",
        "    co2_power <- CO2 power",
        "    jitter: no column found",
        "    not on the page: operator",
        f"  flyball check {tmp_path}/mine.py",
        f"  flyball run {tmp_path}/mine.py --from {files} --binding {tmp_path}/mine.binding",
    ):
        assert line in text.splitlines()


def test_a_table_without_a_file_is_told(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "telemetry.csv").write_text("machine,time,vibration\n")
    text = "\n".join(begin.lines(begin.page("scanner", tmp_path / "mine.py", folder)))
    assert (
        "  events: no file found; name one events-*.csv, or put it into a folder events/" in text.splitlines()
    )


def test_without_files_there_is_no_binding(tmp_path):
    told = begin.page("scanner", tmp_path / "mine", None)
    assert told["binding"] is None
    assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]
    assert "FOLDER" in "\n".join(begin.lines(told))


@pytest.mark.parametrize("there", ["mine.py", "mine.binding"])
def test_nothing_is_ever_overwritten(tmp_path, files, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(errors.DeclarationError, match="is there already"):
        begin.page("scanner", tmp_path / "mine", files)
    assert (tmp_path / there).read_text() == "mine"
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([there, "site"])


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x00", b"\xff\xfe\x00", b"\n\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.parquet", "a.xls"])
def test_a_file_that_cannot_be_read_has_no_columns(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert [
        column for column in begin.columns(tmp_path / name) if column.isalpha() and column.isascii()
    ] == []


@given(
    st.lists(st.text(max_size=8), unique=True, max_size=6),
    st.lists(st.text(max_size=8), unique=True, max_size=6),
)
def test_no_column_is_taken_twice_and_equal_names_always_match(wanted, there):
    found = begin.matched(wanted, there)
    assert len(set(found.values())) == len(found)
    assert set(found) <= set(wanted)
    assert set(found.values()) <= set(there)
    assert all(found[name] == name for name in set(wanted) & set(there))


@pytest.mark.parametrize(
    ("page", "site", "match"),
    [
        ("vibration", "vib", True),
        ("vibration", "VIBRATION", True),
        ("vibration", "vibrtion", True),
        ("machine", "tool_id", True),
        ("time", "Timestamp", True),
        ("vibration", "voltage", False),
        ("time", "serial_number", False),
        ("part", "operator", False),
    ],
)
def test_what_is_alike(page, site, match):
    assert bool(begin.matched([page], [site])) is match
