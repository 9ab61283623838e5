import json
import shutil

import pytest

from flyball import errors
from flyball.runtime import look, store


@pytest.fixture
def copy(pumps, tmp_path):
    """A store of one's own to change."""
    return shutil.copytree(pumps.store, tmp_path / "store")


def digests(folder):
    return {str(file): file.stat().st_mtime_ns for file in sorted(folder.rglob("*"))}


def test_looking_changes_nothing(pumps):
    before = digests(pumps.store)
    look.status(pumps.store)
    for what in ("release", "alarm", "m03"):
        look.why(pumps.store, what)
    assert digests(pumps.store) == before


def test_status_counts_what_is_there(pumps):
    told = look.status(pumps.store)
    assert told["tables"]["telemetry"] == 720
    assert told["files"] == 2
    assert told["quarantine"] == {}
    assert told["runs"]["states"] == {"done": 1}
    assert [(one["digest"], one["system"], one["now"]) for one in told["releases"]] == [
        (pumps.result.release, "pumps", True)
    ]


def test_a_killed_run_shows_as_interrupted(copy):
    kept = look.opened(copy)
    record = next((kept.folder / "runs").glob("*.json"))
    told = json.loads(record.read_text())
    dead = {**told, "run": "20990101T000000-dead", "state": "running", "pid": 2**22 + 1, "started": "1"}
    (kept.folder / "runs" / "20990101T000000-dead.json").write_text(json.dumps(dead))
    status = look.status(copy)
    assert status["runs"]["states"] == {"done": 1, "interrupted": 1}
    assert any("interrupted" in line for line in look.status_lines(status))
    assert look.why(copy, "release")["release"]


def test_why_a_release(pumps):
    told = look.why(pumps.store, "release")
    assert told["release"] == pumps.result.release
    assert told["page"] == pumps.result.page.fingerprint()
    assert told["data"]["files"] == 2
    assert told["contest"]["challenger"]["average_precision"]
    assert all(verdict["passed"] for verdict in told["verdicts"])


def test_why_an_alarm_tells_which_columns_since_when(copy):
    kept = store.Store.open(copy, look.opened(copy).fleet)
    alarm = {"detector": "drift", "statistic": 0.4, "limit": 0.2, "why": "x PSI"}
    alarms = [{**alarm, "at": 2000, "columns": ["x", "y"]}, {**alarm, "at": 1000, "columns": ["y", "z"]}]
    kept.state("watch", {"alarms": alarms, "columns": [], "retrain": "alarm: drift"})
    (told,) = look.why(copy, "alarm")["alarms"]
    assert (told["since"], told["at"], told["times"], told["columns"]) == (1000, 2000, 2, ["x", "y", "z"])
    assert "train again: alarm: drift" in list(look.why_lines(look.why(copy, "alarm")))


def test_why_a_machine_is_answered_as_it_is(pumps):
    told = look.why(pumps.store, "m03")
    assert told["answers"][-1]["release"] == pumps.result.release
    assert 1 <= told["rank"] <= told["among"] == 12
    assert told["features"]
    ranks = sorted(look.why(pumps.store, f"m{number:02d}")["rank"] for number in range(12))
    assert ranks == list(range(1, 13))


def test_the_most_worn_machine_stands_out_by_its_vibration(pumps):
    every = [look.why(pumps.store, f"m{number:02d}") for number in range(12)]
    worst = next(told for told in every if told["rank"] == 1)
    assert worst["features"][0]["feature"].startswith("telemetry.vibration")
    assert worst["features"][0]["away"] > 0.5


def test_a_machine_nobody_asked_about(pumps):
    with pytest.raises(errors.DataError, match="no answer about 'm33': did you mean 'm03'"):
        look.why(pumps.store, "m33")


@pytest.mark.parametrize("what", ["nothing", "file", "empty"])
def test_what_is_no_store(tmp_path, what):
    place = tmp_path / what
    if what == "file":
        place.write_text("")
    elif what == "empty":
        place.mkdir()
    with pytest.raises(errors.StoreError, match=r"no store at|not a store"):
        look.status(place)
    assert not (place / "runs").exists()
