"""R3, R5, R7: a full or read-only disk leaves the old state and says what to do; writers take turns."""

import os
import subprocess
import sys

import pytest

from flyball import durable, errors
from flyball.runtime.store import Store

LIMITED = """
import resource, sys
sys.path.insert(0, {tests!r})
import conftest
from flyball import errors
from flyball.runtime.store import Store
store = Store.open({folder!r}, conftest.FLEET)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
try:
    store.ingest([{inbox!r}], now={now})
    print("done")
except errors.StoreError as error:
    print("refused:", error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 64, 700, 2_000, 3_000])
def test_a_file_system_that_takes_no_more_leaves_the_old_state(
    tmp_path, fleet, inbox, now, content, undisturbed, limit
):
    folder = tmp_path / "store"
    before = content(Store.open(folder, fleet))
    script = LIMITED.format(
        tests=os.path.dirname(__file__), folder=str(folder), inbox=str(inbox), now=now, limit=limit
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "refused: cannot" in done.stdout and "free space" in done.stdout, done.stdout
    store = Store.open(folder, fleet)
    assert content(store) in (before, undisturbed)
    store.ingest([inbox], now=now)
    assert content(store) == undisturbed


@pytest.fixture
def tiny_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True
    )
    if made.returncode:
        pytest.skip("no small file system can be mounted here; the file size limit stands for it")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_really_full_disk_leaves_the_old_state(tiny_disk, fleet, inbox, now, content, undisturbed):
    folder = tiny_disk / "store"
    before = content(Store.open(folder, fleet))
    refused = 0
    for left in range(0, 160_000, 8_192):
        (tiny_disk / "filler").write_bytes(b"")
        free = os.statvfs(tiny_disk).f_bavail * os.statvfs(tiny_disk).f_frsize
        (tiny_disk / "filler").write_bytes(b"x" * max(0, free - left))
        try:
            Store.open(folder, fleet).ingest([inbox], now=now)
            break
        except errors.StoreError as error:
            refused += 1
            assert "free space" in str(error)
    (tiny_disk / "filler").unlink()
    assert refused
    store = Store.open(folder, fleet)
    assert content(store) in (before, undisturbed)
    store.ingest([inbox], now=now)
    assert content(store) == undisturbed


def test_sabotage_an_error_that_is_swallowed_is_noticed(
    tmp_path, fleet, inbox, now, content, undisturbed, monkeypatch
):
    """Were a failed write taken for done, the rows would be gone: the same check finds it."""
    real = durable.write
    monkeypatch.setattr(
        durable, "write", lambda path, content: None if "pending" in str(path) else real(path, content)
    )
    store = Store.open(tmp_path / "store", fleet)
    with pytest.raises((OSError, AssertionError, errors.FlyballError)):
        store.ingest([inbox], now=now)
        assert content(store) == undisturbed


def test_writers_take_turns_and_nothing_is_lost(tmp_path, fleet, now):
    inbox = tmp_path / "in"
    writers = []
    for number in range(4):
        place = inbox / str(number) / "events"
        place.mkdir(parents=True)
        (place / "a.csv").write_text(
            "machine,at,code\n" + "".join(f"m{number},2025-01-{d:02d},E{d}\n" for d in range(1, 9))
        )
        script = (
            f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import conftest\n"
            "from flyball.runtime.store import Store\n"
            f"Store.open({str(tmp_path / 'store')!r}, conftest.FLEET).ingest([{str(inbox / str(number))!r}], now={now})"
        )
        writers.append(subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True))
    for writer in writers:
        _, told = writer.communicate()
        assert writer.returncode == 0, told
    assert len(Store.open(tmp_path / "store", fleet).rows("events")) == 32


def test_a_lock_that_is_held_is_told_with_who_holds_it(tmp_path, fleet):
    store = Store.open(tmp_path / "store", fleet)
    with store.writing(), pytest.raises(errors.StoreError, match=str(os.getpid())), store.writing(wait_s=0.1):
        pass
