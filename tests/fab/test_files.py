"""Tables and daily files: the same for the same seed, each row once, on the day it was seen."""

import hashlib

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest

from flyball import errors, fab, systems
from flyball.data import bindings
from flyball.fab import files
from flyball.runtime.store import Store

SMALL = fab.Fab("tiny", seed=4, days=40)
FEW = fab.Fab("tiny", seed=4, machines=3, days=12)


def digest(fleet):
    total = hashlib.sha256()
    for name, columns in sorted(fab.tables(fleet).items()):
        for column, values in sorted(columns.items()):
            total.update(f"{name}.{column}".encode() + values.tobytes())
    return total.hexdigest()


def test_the_same_seed_gives_the_same_tables_and_another_seed_others():
    from flyball.fab import dynamics
    from flyball.fab import fleet as plans

    first = digest(SMALL)
    for cache in (files._known, files._telemetry, dynamics.history, plans.plan):
        cache.cache_clear()
    assert digest(SMALL) == first
    assert digest(fab.Fab("tiny", seed=5, days=40)) != first


def test_tables_are_typed_sorted_by_arrival_and_read_only():
    for name, columns in fab.tables(SMALL).items():
        assert list(columns)[:3] == ["machine", "at", "seen"]
        assert columns["at"].dtype == columns["seen"].dtype == np.int64
        assert (np.diff(columns["seen"]) >= 0).all()
        assert columns["seen"].max() < fab.START_US + 40 * 86_400_000_000
        assert not columns["at"].flags.writeable, name
    assert set(fab.UNITS) < set(fab.tables(SMALL)["telemetry"])


def test_tables_can_be_asked_by_name_and_a_wrong_name_is_told():
    assert list(fab.tables(SMALL, "repairs")) == ["repairs"]
    with pytest.raises(errors.DeclarationError, match="no table 'repair', did you mean 'repairs'"):
        fab.tables(SMALL, "repair")


@pytest.mark.parametrize("form", ["csv.gz", "parquet"])
def test_files_hold_every_row_on_the_day_it_was_seen(tmp_path, form):
    written = fab.write(SMALL, tmp_path, form=form)
    for name, columns in fab.tables(SMALL).items():
        every = sorted((tmp_path / name).iterdir())
        files = [file for file in every if file.suffix != ".png"]
        assert len(every) == written[name]["files"] and len(files) <= 40
        assert sum(f.stat().st_size for f in every) == written[name]["bytes"]
        read = pl.read_csv if form == "csv.gz" else pl.read_parquet
        frames = [read(file) for file in files]
        for file, frame in zip(files, frames, strict=True):
            days = frame["seen"].cast(pl.String).str.slice(0, 10).unique().to_list()
            assert days == [file.name[:10]]
        whole = pl.concat(frames, how="vertical_relaxed")
        assert whole.height == len(columns["at"]) == written[name]["rows"]
        assert whole["machine"].to_list() == columns["machine"].tolist()
        assert "time" in whole.columns and "at" not in whole.columns
    jitter, kept = whole_jitter(tmp_path, form), fab.tables(SMALL)["telemetry"]["jitter"]
    np.testing.assert_array_equal(jitter, kept)


def whole_jitter(folder, form):
    read = pl.read_csv if form == "csv.gz" else pl.read_parquet
    frames = [read(file, columns=["jitter"]) for file in sorted((folder / "telemetry").iterdir())]
    return pl.concat(frames)["jitter"].fill_null(float("nan")).to_numpy()


def names(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(("form", "per"), [("csv.gz", "fleet"), ("habit", "machine"), ("habit", "site")])
def test_writing_again_gives_the_same_bytes(tmp_path, form, per):
    written = [fab.write(FEW, tmp_path / folder, form=form, per=per) for folder in ("one", "two")]
    assert written[0] == written[1]
    assert names(tmp_path / "one") == names(tmp_path / "two") != []
    for file in names(tmp_path / "one"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_every_site_has_its_habits(tmp_path):
    fab.write(FEW, tmp_path, form="habit", per="machine")
    there = names(tmp_path)
    for name in ("A/telemetry/A-002/2025-01-05.csv.gz", "B/telemetry/B-001/2025-01-05.parquet"):
        assert name in there
    assert "B/events/B-001/2025-01-05.log.gz" in there
    ways = {tuple(name.split("/")[:2]) for name in there if name.split("/")[1] == "repairs"}
    assert ways <= {("A", "repairs"), ("B", "repairs")}
    assert all(name.count("/") == 2 for name in there if "/repairs/" in name)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What a store holds after the plain files of a fleet were taken in."""
    return rows(tmp_path_factory, fab.write, form="csv.gz", per="fleet", with_truth=False)


def rows(factory, write, **how):
    folder, system = factory.mktemp("sent"), systems.load("scanner")
    write(FEW, folder, **how)
    store = Store.open(factory.mktemp("store"), system.data)
    beside = folder / "bindings"
    receipt = store.ingest([folder], bindings.read(beside) if beside.exists() else None)
    found = {t.name: pl.concat(store.journal.read(f"tables/{t.name}")) for t in system.data.tables}
    return receipt, {
        name: sorted(
            # Another unit and back again leaves the last digit to chance.
            map(
                repr,
                frame.select("key", "at", "seen", *system.data.table(name).columns)
                .with_columns(cs.float().round(9))
                .rows(),
            )
        )
        for name, frame in found.items()
    }


@pytest.mark.parametrize("how", [("habit", "machine"), ("habit", "site"), ("parquet", "fleet")])
def test_every_layout_is_taken_in_to_the_same_rows(tmp_path_factory, plain, how):
    receipt, found = rows(tmp_path_factory, fab.write, form=how[0], per=how[1])
    assert found == plain[1]
    assert all(len(rows) for name, rows in found.items() if name != "repairs")
    assert receipt.good == plain[0].good
    assert not any(receipt.quarantined.values()) and not any(receipt.duplicates.values())


def test_truth_is_taken_for_no_table_whatever_a_page_calls_its_own(tmp_path):
    from flyball import data
    from flyball.data.formats import read

    fab.write(FEW, tmp_path, form="habit", per="machine")
    tables = [data.Table(name, columns={}) for name in {t.name for t in (*files.SENT, *files.TRUTH)}]
    system = data.Fleet("machine", data.WallClock(), tuple(tables))
    assert {f"truth/truth-{table.name}.parquet" for table in files.TRUTH} == set(names_in(tmp_path / "truth"))
    for file in (tmp_path / "truth").iterdir():
        assert read.claim(system, file, file.relative_to(tmp_path)) is None


def names_in(folder):
    return [f"{folder.name}/{name}" for name in names(folder)]


def test_truth_can_be_left_out_and_tables_chosen(tmp_path):
    fab.write(FEW, tmp_path, with_truth=False, only=("repairs", "events"))
    assert {path.name for path in tmp_path.iterdir()} <= {"repairs", "events"}


@pytest.mark.parametrize(
    ("how", "said"),
    [({"form": "xlsx"}, "no form 'xlsx'"), ({"per": "day"}, "per 'day'"), ({"form": "habit"}, "per='site'")],
)
def test_an_unknown_form_or_layout_is_refused(tmp_path, how, said):
    with pytest.raises(errors.DataError, match=said):
        fab.write(SMALL, tmp_path, **how)
    assert not any(tmp_path.iterdir())
