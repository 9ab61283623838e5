import json

import polars as pl
import pytest

from flyball import errors
from flyball.runtime import journal

SCHEMA = {"at": "Int64", "x": "Float64"}


def frame(n, begin=0):
    return pl.DataFrame(
        {"at": range(begin, begin + n), "x": [0.5] * n}, schema={"at": pl.Int64, "x": pl.Float64}
    )


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda handle: None)
    made = journal.Journal(tmp_path)
    made.open()
    return made


def commit(log, **tables):
    number = log.next()
    named = {name.replace("_", "/"): rows for name, rows in {**tables, "sources": frame(1)}.items()}
    staged = {name: [log.stage(name, number, 0, rows)] for name, rows in named.items()}
    log.commit(number, staged, dict.fromkeys(staged, SCHEMA))
    return staged


def test_what_is_staged_is_not_seen_and_what_is_committed_is(log):
    staged = {"tables/a": [log.stage("tables/a", 1, 0, frame(3))]}
    assert log.files("tables/a") == []
    log.drop(staged)
    commit(log, tables_a=frame(3))
    assert [f.rows for f in log.files("tables/a")] == [3] and log.committed() == 1


def test_rows_come_in_the_order_of_their_commits_over_a_checkpoint(log):
    for number in range(45):
        commit(log, tables_a=frame(1, number))
    rows = pl.concat(log.read("tables/a"))
    assert rows["at"].to_list() == list(range(45))
    assert list((log.folder / "tables" / "a" / "_delta_log").glob("*.checkpoint.parquet"))


def test_joining_files_keeps_rows_and_order_and_bounds_their_number(log):
    most = 0
    for number in range(80):
        commit(log, tables_a=frame(2, 2 * number))
        for table in log.tables():
            log.compact(table)
        most = max(most, len(log.files("tables/a")))
    assert most <= 2 * journal.MANY
    again = journal.Journal(log.folder)
    again.open()
    assert pl.concat(again.read("tables/a"))["at"].to_list() == list(range(160))


def test_a_torn_last_entry_is_set_aside_and_its_commit_carried_again(log, tmp_path):
    commit(log, tables_a=frame(2))
    entries = sorted((tmp_path / "tables" / "a" / "_delta_log").glob("*.json"))
    entries[-1].write_bytes(entries[-1].read_bytes()[:20])
    again = journal.Journal(tmp_path)
    again.open()
    assert again.notes and list((tmp_path / "set-aside").iterdir())
    assert sum(rows.height for rows in again.read("tables/a")) == 2 and not again.lost()


def test_a_short_file_under_the_last_entry_sets_it_aside(log, tmp_path):
    commit(log, tables_a=frame(2))
    (path,) = (tmp_path / "tables" / "a").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-5])
    again = journal.Journal(tmp_path)
    again.open()
    assert "missing or short" in again.notes[0] and again.lost() == [1]


def test_a_commit_that_is_there_is_not_carried_twice(log, tmp_path):
    commit(log, tables_a=frame(2))
    (tmp_path / "pending" / "last.json").rename(tmp_path / "pending" / "00000001.json")
    again = journal.Journal(tmp_path)
    again.open()
    assert sum(rows.height for rows in again.read("tables/a")) == 2
    assert not list((tmp_path / "pending").glob("[0-9]*.json"))


def test_a_new_column_is_given_to_a_table_that_has_it_not(log):
    commit(log, tables_a=frame(1))
    number = log.next()
    wider = frame(1, 5).with_columns(pl.lit("y").alias("y"))
    both = {"tables/a": wider, "sources": frame(1)}
    staged = {name: [log.stage(name, number, 0, rows)] for name, rows in both.items()}
    log.commit(number, staged, {"tables/a": {**SCHEMA, "y": "String"}, "sources": SCHEMA})
    assert pl.concat(log.read("tables/a"), how="diagonal")["y"].to_list() == [None, "y"]


def test_a_file_that_is_gone_or_changed_is_told(log, tmp_path):
    commit(log, tables_a=frame(2))
    (path,) = (tmp_path / "tables" / "a").glob("*.parquet")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"?")
    with pytest.raises(errors.TamperedError):
        log.read("tables/a")
    path.unlink()
    with pytest.raises(errors.StoreError, match="gone"):
        log.read("tables/a")


@pytest.mark.parametrize("table", ["tables/events", "sources"])
def test_a_bit_of_a_log_that_flips_is_noticed_when_the_table_is_read(tmp_path, table):
    """Nothing of Delta's own protects a log: a name of a file that changes takes its rows away without a word."""
    import polars as pl

    def commit(log, number):
        both = {name: pl.DataFrame({"at": [number]}) for name in ("tables/events", "sources")}
        staged = {name: [log.stage(name, number, 0, frame)] for name, frame in both.items()}
        log.commit(number, staged, {name: {"at": "Int64"} for name in both})

    log = journal.Journal(tmp_path)
    log.open()
    for number in (1, 2, 3):
        commit(log, number)
    whole = log.files(table)
    entry = sorted((tmp_path / table / "_delta_log").glob("*.json"))[-1]
    content, silent = entry.read_bytes(), []
    for place in range(0, len(content), 7):
        entry.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            if journal.Journal(tmp_path).files(table) != whole:
                silent.append(place)
        except (errors.StoreError, errors.TamperedError):
            pass
    assert silent == []
    entry.write_bytes(content)
    assert journal.Journal(tmp_path).files(table) == whole
    again = journal.Journal(tmp_path)
    again.open()
    commit(again, 4)
    assert len(again.files(table)) == 4


def test_a_joined_table_and_one_that_is_changed_are_what_the_last_commit_says(tmp_path):
    import polars as pl

    log = journal.Journal(tmp_path)
    log.open()
    for number in range(1, 27):
        both = {name: pl.DataFrame({"at": [number]}) for name in ("tables/events", "sources")}
        staged = {name: [log.stage(name, number, 0, frame)] for name, frame in both.items()}
        log.commit(number, staged, {name: {"at": "Int64"} for name in both})
    before = log.files("tables/events")
    assert log.compact("tables/events") > 0
    other = journal.Journal(tmp_path)
    assert len(other.files("tables/events")) < len(before)
    told = json.loads((tmp_path / "pending" / "last.json").read_text())["lists"]["tables/events"]
    assert told == {"files": [journal.listed(other.files("tables/events"))], "txn": [26]}
    (tmp_path / "pending" / "last.json").write_text("{")
    with pytest.raises(errors.TamperedError, match=r"last\.json is damaged"):
        journal.Journal(tmp_path).files("tables/events")
