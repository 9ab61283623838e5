"""R1, R3: a run that is killed, or finds the disk full, at any step leaves what was there, and is gone on with."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys

import pytest

from flyball import durable, errors, evidence, systems
from flyball.runtime import measure, run, runs
from flyball.runtime.store import Store
from flyball.serving import release

ALONE = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "MPLBACKEND": "Agg"}

#: Runs the command line; ends itself without a word at the durable step that it is told, or writes no large file.
PROCESS = """
import os, resource, signal, sys
from flyball import cli
from flyball import durable
at, limit, arguments = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
left = iter(range(at, -1, -1))
def hook(operation, path):
    if next(left) == 0:
        os.kill(os.getpid(), signal.SIGKILL)
if at:
    durable.hook = hook
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
cli.main(arguments)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No report and no scorer where they are not what is tried: they take most of the time."""

    def scorer(folder, digest):
        names = ("p50_ms", "p99_ms", "p999_ms", "resident_bytes", "size_bytes", "agreement")
        return {name: evidence.Measurement(name, 0.1, 0.1, 0.1, 1, "1") for name in names}

    monkeypatch.setattr(measure, "scorer", scorer)
    monkeypatch.setattr(run, "_report", lambda found, kept, steps: None)


@pytest.fixture(scope="module")
def arrived(daily, tmp_path_factory):
    """The files of the whole fleet in one folder."""
    folder = tmp_path_factory.mktemp("arrived")
    for table in ("telemetry", "repairs"):
        files = [file for day in daily.files.values() for file in day if file.parent.name == table]
        head = files[0].read_text().splitlines()[0]
        for part, some in enumerate((files[:30], files[30:])):
            lines = [line for file in some for line in file.read_text().splitlines()[1:]]
            (folder / f"{table}-{part}.csv").write_text("\n".join([head, *lines]) + "\n")
    return folder


@pytest.fixture
def go(daily, arrived):
    """Run the page on a store; return what a user would compare."""
    page = systems.load(str(daily.file))

    def goes(folder):
        told = run.run(page, run.Bound(folder, arrived)).json()
        kept = Store.open(folder, page.data)
        release.verify(folder / "releases" / told["release"], told["release"])
        rows = kept.answers()
        answers = [rows.at.tolist(), rows.columns["answer"].tolist(), rows.columns["release"].texts()]
        return {
            **{
                name: told[name]
                for name in ("contest", "rolling", "release", "threshold", "watch", "outcomes")
            },
            "answers": answers,
        }

    goes.page = page
    return goes


@pytest.fixture
def undisturbed(go, tmp_path):
    """What a run comes to that nothing disturbs, and how many durable steps it takes."""
    taken = []
    durable.hook = lambda operation, path: taken.append(operation)
    told = go(tmp_path / "undisturbed")
    durable.hook = None
    return told, len(taken)


def some(count, most):
    """Return so many steps of a run, the first and the last among them."""
    return sorted({1, most - 1, *random.Random(0).sample(range(2, most - 1), count)})


def killed(folder, work, numbers):
    """Do the work; yield copies of the folder as they were before the durable steps of those numbers."""
    copies, seen = [], iter(range(1, 10**9))

    def copy(operation, path):
        if (number := next(seen)) in numbers:
            target = folder.with_name(f"{folder.name}-{number}")
            with contextlib.suppress(FileNotFoundError):
                shutil.copytree(folder, target)
            copies.append(target)

    durable.hook = copy
    try:
        work()
    finally:
        durable.hook = None
    return copies


def test_killed_at_any_step_and_run_again_it_comes_to_the_same(go, undisturbed, tmp_path):
    told, most = undisturbed
    assert most > 300
    left = killed(tmp_path / "store", lambda: go(tmp_path / "store"), some(12, most))
    assert len(left) == 14
    for folder in left:
        assert go(folder) == told, folder.name


def test_sabotage_results_written_in_place_are_not_gone_on_with(go, undisturbed, tmp_path, monkeypatch):
    told, _ = undisturbed
    opened = []

    def straight(target, fill):
        if not target.exists():
            target.mkdir(parents=True)
            durable.step("write", target)
            fill(target)
            opened.append(target)
        return target

    monkeypatch.setattr(durable, "publish", straight)
    left = killed(tmp_path / "store", lambda: go(tmp_path / "store"), some(12, 150))
    assert opened
    wrong = 0
    for folder in left:
        try:
            wrong += go(folder) != told
        except Exception:
            wrong += 1
    assert wrong


def process(daily, arrived, store, at=0, limit=0):
    arguments = ["run", str(daily.file), "--from", str(arrived), "--store", str(store), "--json"]
    command = [sys.executable, "-c", PROCESS, str(at), str(limit), *arguments]
    return subprocess.Popen(command, env=ALONE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_command_is_shown_as_interrupted_and_gone_on_with(go, undisturbed, daily, arrived, tmp_path):
    told, most = undisturbed
    for number in (40, most // 2, most - 30):
        store = tmp_path / str(number)
        child = process(daily, arrived, store, at=number)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        (record,) = runs.listed(Store.open(store, go.page.data))
        assert record["state"] == "interrupted"
        assert go(store) == told
        states = [record["state"] for record in runs.listed(Store.open(store, go.page.data))]
        assert states == ["interrupted", "done"]


@pytest.mark.parametrize("limit", [300, 20_000])
def test_a_file_that_cannot_grow_ends_a_run_with_a_clear_error(
    go, undisturbed, daily, arrived, tmp_path, limit
):
    """The limit of the process on the size of a file is a disk that is full in earnest, below Python."""
    child = process(daily, arrived, tmp_path / "store", limit=limit)
    _, err = child.communicate()
    assert child.returncode == 3, err
    assert "File too large" in err and "free space and run again" in err and "Traceback" not in err
    assert go(tmp_path / "store") == undisturbed[0]


def full(number):
    """Fail every durable step from that one on, as on a disk without room."""
    seen = iter(range(1, 10**9))

    def hook(operation, path):
        if next(seen) >= number and operation == "write":
            raise OSError(28, "No space left on device", str(path))

    durable.hook = hook


def test_a_disk_that_fills_up_in_any_phase_leaves_what_was_there(go, undisturbed, arrived, tmp_path):
    told, most = undisturbed
    # A first run with half of the files: its release and its answers must outlive what comes.
    half = tmp_path / "half"
    half.mkdir()
    for file in arrived.glob("*-0.csv"):
        shutil.copy(file, half)
    first = run.run(go.page, run.Bound(tmp_path / "first", half))
    before = Store.open(tmp_path / "first", go.page.data).answers()
    for number in some(8, most // 2):
        folder = tmp_path / f"full-{number}"
        shutil.copytree(tmp_path / "first", folder)
        full(number)
        try:
            with pytest.raises(errors.StoreError, match=r"No space left on device.*free space and run again"):
                go(folder)
        finally:
            durable.hook = None
        kept = Store.open(folder, go.page.data)
        release.verify(folder / "releases" / first.release, first.release)
        rows = kept.answers()
        assert len(rows) >= len(before) and set(before.columns["release"].texts()) <= set(
            rows.columns["release"].texts()
        )
        again = go(folder)
        assert {name: again[name] for name in ("contest", "release", "watch")} == {
            name: told[name] for name in ("contest", "release", "watch")
        }


def test_sabotage_unguarded_a_full_disk_is_no_clear_error(go, tmp_path, monkeypatch):
    monkeypatch.setattr(durable, "guard", lambda doing: contextlib.nullcontext())
    full(100)
    with pytest.raises(OSError, match="No space left"):
        go(tmp_path / "store")


def test_two_commands_on_one_store_come_to_the_same_one_after_the_other(daily, arrived, tmp_path):
    children = [process(daily, arrived, tmp_path / "store") for _ in range(2)]
    said = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    told = [json.loads(out) for out, _ in said]
    assert told[0]["release"] == told[1]["release"] and told[0]["contest"] == told[1]["contest"]
    # The later one found every step of the earlier one.
    assert sorted(all(step["reused"] for step in one["steps"]) for one in told) == [False, True]
