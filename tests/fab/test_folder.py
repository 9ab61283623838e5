"""The folder of a fleet: one fleet each, whole or completed by the next run, its digests told."""

import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from flyball import durable, errors, fab
from flyball.fab import folder

FEW = fab.Fab("tiny", seed=4, machines=2, days=3)


def content(place):
    return {str(f.relative_to(place)): f.read_bytes() for f in place.rglob("*") if f.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    place = tmp_path_factory.mktemp("whole")
    return folder.fill(FEW, place), content(place)


def test_the_manifest_tells_the_fleet_and_a_digest_per_table(tmp_path, whole):
    told = folder.fill(FEW, tmp_path / "new" / "place")
    assert told == whole[0] == json.loads((tmp_path / "new" / "place" / "fab.json").read_text())
    assert content(tmp_path / "new" / "place") == whole[1]
    assert all(len(table["digest"]) == 64 for table in told["tables"].values())
    other = folder.fill(fab.Fab("tiny", seed=5, machines=2, days=3), tmp_path / "other")
    assert other["tables"]["telemetry"]["digest"] != told["tables"]["telemetry"]["digest"]
    assert "no vendor" in told["note"]


def test_every_file_stands_in_the_manifest(whole):
    told, files = whole
    assert sum(table["files"] for table in told["tables"].values()) == len(files) - 1
    assert sum(table["bytes"] for table in told["tables"].values()) == sum(
        len(data) for name, data in files.items() if name != "fab.json"
    )


def test_another_fleet_and_foreign_files_are_refused_and_left_alone(tmp_path):
    folder.fill(FEW, tmp_path / "a")
    before = content(tmp_path / "a")
    with pytest.raises(errors.DataError, match="holds another fleet"):
        folder.fill(fab.Fab("tiny", seed=5, machines=2, days=3), tmp_path / "a")
    assert content(tmp_path / "a") == before
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(errors.DataError, match=r"not empty \(notes.txt\)"):
        folder.fill(FEW, tmp_path / "b")
    assert content(tmp_path / "b") == {"notes.txt": b"mine"}
    with pytest.raises(errors.DataError, match="is a file"):
        folder.fill(FEW, tmp_path / "b" / "notes.txt")


def test_a_torn_manifest_is_nobodys(tmp_path):
    (tmp_path / "fab.json").write_text("{")
    with pytest.raises(errors.DataError, match="unknown, its manifest cannot be read"):
        folder.fill(FEW, tmp_path)


@pytest.mark.parametrize("at", [0, 1, 2, 9, 40, 75])
def test_stopped_at_any_step_and_run_again_it_is_whole(tmp_path, whole, at, monkeypatch):
    class Stop(BaseException):
        pass

    steps = []

    def hook(operation, path):
        steps.append(operation)
        if len(steps) > at:
            raise Stop

    monkeypatch.setattr(durable, "hook", hook)
    with pytest.raises(Stop):
        folder.fill(FEW, tmp_path)
    assert not (tmp_path / "fab.json").exists()
    monkeypatch.setattr(durable, "hook", None)
    if (tmp_path / folder.NOTE).exists():
        with pytest.raises(errors.DataError, match="another fleet"):
            folder.fill(fab.Fab("tiny", seed=5, machines=2, days=3), tmp_path)
    assert folder.fill(FEW, tmp_path) == whole[0]
    assert content(tmp_path) == whole[1]


def test_a_killed_process_leaves_what_the_next_completes(tmp_path, whole):
    """The process is killed by the system at a step in the middle, with a half-written file lying there."""
    script = f"""
import os, signal
from flyball import fab
from flyball.fab import folder
from flyball import durable
import pathlib
steps = []
def hook(operation, path):
    steps.append(path)
    if len(steps) == 30:
        pathlib.Path({str(tmp_path)!r}, "A", ".x.csv.gz.1.part").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
durable.hook = hook
folder.fill(fab.Fab("tiny", seed=4, machines=2, days=3), pathlib.Path({str(tmp_path)!r}))
"""
    run = subprocess.run([sys.executable, "-c", script], env=dict(os.environ))
    assert run.returncode == -signal.SIGKILL
    assert not (tmp_path / "fab.json").exists() and any(tmp_path.rglob("*.part"))
    assert folder.fill(FEW, tmp_path) == whole[0]
    assert content(tmp_path) == whole[1]


@pytest.mark.parametrize(
    ("code", "said"), [(errno.ENOSPC, "free space and run again"), (errno.EACCES, "make the folder writable")]
)
def test_a_full_disk_and_a_locked_folder_are_told_in_plain_words(tmp_path, monkeypatch, code, said):
    def hook(operation, path):
        if operation == "write" and "telemetry" in str(path):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(durable, "hook", hook)
    with pytest.raises(errors.StoreError, match=said):
        folder.fill(FEW, tmp_path)
    assert not (tmp_path / "fab.json").exists()
