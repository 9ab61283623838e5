import json
import shutil

import pytest

from flyball import errors
from flyball.runtime import look, why


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
        why.why(pumps.store, what)
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
    assert why.why(copy, "release")["release"]


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
