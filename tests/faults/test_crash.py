"""R1, R2: a crash or a power cut at any step of taking files in leaves the old state or the new one."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

from flyball import durable, errors
from flyball.runtime import journal
from flyball.runtime.store import Store


def different(states):
    """Yield one of all copies that hold the same files: a forced file changes nothing that a kill would leave."""
    seen = set()
    for told, folder in states:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        tree = tuple((str(path.relative_to(folder)), path.read_bytes()) for path in files)
        if tree not in seen:
            seen.add(tree)
            yield told, folder


def states_at_every_step(folder, work):
    """Do the work; return a copy of the folder as it was before every durable step: what a kill would leave."""
    copies = []

    def copy(operation, path):
        target = folder.with_name(f"{folder.name}-killed-{len(copies):04d}")
        shutil.copytree(folder, target)
        copies.append((operation, target))

    durable.hook = copy
    try:
        work()
    finally:
        durable.hook = None
    return copies


def test_killed_at_every_step_and_sent_again_it_is_as_if_nothing_happened(
    tmp_path, fleet, inbox, now, content, undisturbed
):
    folder = tmp_path / "store"
    store = Store.open(folder, fleet)
    before = content(store)
    killed = states_at_every_step(folder, lambda: store.ingest([inbox], now=now))
    assert len(killed) > 30
    seen = set()
    for operation, left in different(killed):
        reopened = Store.open(left, fleet)
        after = content(reopened)
        assert after in (before, undisturbed), f"a mix after a kill before {operation}"
        seen.add(after == undisturbed)
        reopened.ingest([inbox], now=now)
        assert content(reopened) == undisturbed
        assert not list((left / "pending").glob("[0-9]*.json"))
    assert seen == {True, False}


def test_a_reader_during_a_crash_sees_no_mix(tmp_path, fleet, inbox, now, content, undisturbed):
    """A reader that may not write (and so does not carry on) sees old or new as well."""
    folder = tmp_path / "store"
    store = Store.open(folder, fleet)
    before = content(store)
    for operation, left in different(states_at_every_step(folder, lambda: store.ingest([inbox], now=now))):
        assert content(Store(left, fleet)) in (before, undisturbed), operation


def test_sabotage_without_the_intent_a_kill_leaves_a_mix(
    tmp_path, fleet, inbox, now, content, undisturbed, monkeypatch
):
    folder = tmp_path / "store"
    store = Store.open(folder, fleet)
    before = content(store)
    killed = states_at_every_step(folder, lambda: store.ingest([inbox], now=now))
    monkeypatch.setattr(journal.Journal, "_carry", lambda self, intent: intent.unlink())
    monkeypatch.setattr(journal.Journal, "committed", lambda self: 1)
    states = [content(Store.open(left, fleet)) for _, left in killed]
    assert any(state not in (before, undisturbed) for state in states)


def power_cuts(folder, disk, work, targets):
    """Do the work; return what a power cut at every step would leave, and after the last one."""
    left = []

    def cut(operation, path):
        left.append(disk.after_the_cut(targets.with_name(f"{targets.name}-{len(left):04d}")))
        if operation == "fsync":
            disk.forced(path)

    durable.hook = cut
    try:
        work()
    finally:
        durable.hook = None
    left.append(disk.after_the_cut(targets.with_name(f"{targets.name}-last")))
    return left


def test_a_power_cut_at_any_step_leaves_old_or_new(tmp_path, fleet, inbox, now, content, undisturbed, disk):
    folder = tmp_path / "store"
    forced = disk(folder)
    left = power_cuts(
        folder, forced, lambda: Store.open(folder, fleet).ingest([inbox], now=now), tmp_path / "cut"
    )
    empty = content(Store.open(tmp_path / "empty", fleet))
    for number, place in different(enumerate(left)):
        store = Store.open(place, fleet)
        assert content(store) in (empty, undisturbed), f"a mix after a cut at step {number}"
        store.ingest([inbox], now=now)
        assert content(store) == undisturbed
    assert content(Store.open(left[-1], fleet)) == undisturbed, "acknowledged and gone"


def test_sabotage_without_fsync_what_was_acknowledged_is_gone(
    tmp_path, fleet, inbox, now, content, undisturbed, disk, monkeypatch
):
    folder = tmp_path / "store"
    forced = disk(folder)
    real = durable.sync
    monkeypatch.setattr(
        durable,
        "sync",
        lambda path: None if path.suffix == ".parquet" or "_delta_log" in str(path) else real(path),
    )
    left = power_cuts(
        folder, forced, lambda: Store.open(folder, fleet).ingest([inbox], now=now), tmp_path / "cut"
    )
    monkeypatch.undo()
    try:
        after = content(Store.open(left[-1], fleet))
    except errors.FlyballError:
        after = None
    assert after != undisturbed


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_a_step_that_fails_leaves_old_or_new_and_says_so(
    tmp_path, fleet, inbox, now, content, undisturbed, lasting
):
    number, failed = 0, 0
    empty = None
    while True:
        folder = tmp_path / f"store-{lasting}-{number}"
        store = Store.open(folder, fleet)
        empty = empty or content(store)
        calls = iter(range(10**6))

        def full(operation, path, calls=calls, number=number):
            call = next(calls)
            if call == number or (lasting and call > number):
                raise OSError(28, "No space left on device", str(path))

        durable.hook = full
        try:
            store.ingest([inbox], now=now)
            told = None
        except errors.StoreError as error:
            told = str(error)
        finally:
            durable.hook = None
        if told is None:
            assert content(Store.open(folder, fleet)) == undisturbed
            break
        failed += 1
        assert "No space left" in told and ("free space" in told)
        reopened = Store.open(folder, fleet)
        assert content(reopened) in (empty, undisturbed)
        reopened.ingest([inbox], now=now)
        assert content(reopened) == undisturbed
        number += 5 if lasting else 1
    assert failed > 10


KILLED = """
import os, signal, sys
from flyball import durable
from flyball.runtime.store import Store
sys.path.insert(0, {tests!r})
import conftest
left = [{after}]
def kill(operation, path):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
store = Store.open({folder!r}, conftest.FLEET)
durable.hook = kill
store.ingest([{inbox!r}], now={now})
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [4, 12, 20, 31])
def test_a_real_kill_is_survived(tmp_path, fleet, inbox, now, content, undisturbed, after):
    folder = tmp_path / "store"
    script = textwrap.dedent(KILLED).format(
        tests=os.path.dirname(__file__), after=after, folder=str(folder), inbox=str(inbox), now=now
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = Store.open(folder, fleet)
    store.ingest([inbox], now=now)
    assert content(store) == undisturbed
