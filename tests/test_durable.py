import errno
import multiprocessing

import pytest

from flyball import durable, errors


@pytest.fixture
def steps(monkeypatch):
    told = []
    monkeypatch.setattr(durable, "hook", lambda operation, path: told.append((operation, path.name)))
    return told


def test_a_file_is_forced_before_it_has_its_name_and_the_name_after(tmp_path, steps):
    durable.write(tmp_path / "a.json", b"{}")
    assert [operation for operation, _ in steps] == ["write", "fsync", "rename", "fsync"]
    assert steps[-1] == ("fsync", tmp_path.name) and steps[1][1].endswith(".part")


@pytest.mark.parametrize("failing", ["write", "fsync", "rename"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch, failing):
    durable.write(tmp_path / "a.json", b"old")

    def fail(operation, path):
        if operation == failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "hook", fail)
    with pytest.raises(errors.StoreError, match="free space"):
        durable.write(tmp_path / "a.json", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("code", "fix"), [(errno.EROFS, "writable"), (errno.EIO, "look at the disk"), (errno.EFBIG, "free space")]
)
def test_each_refusal_says_what_to_do(code, fix):
    with pytest.raises(errors.StoreError, match=fix), durable.guard("do it"):
        raise OSError(code, "no")


def test_a_folder_is_published_whole_or_not_at_all(tmp_path):
    def fill(place):
        (place / "deep").mkdir()
        (place / "deep" / "a").write_text("1")

    durable.publish(tmp_path / "new" / "key", fill)
    assert (tmp_path / "new" / "key" / "deep" / "a").read_text() == "1"

    def break_off(place):
        fill(place)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        durable.publish(tmp_path / "new" / "other", break_off)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["key"]


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    for text in ("first", "second"):
        durable.publish(tmp_path / "key", lambda place, text=text: (place / "a").write_text(text))
    assert (tmp_path / "key" / "a").read_text() == "first"


def test_appending_that_fails_is_taken_back(tmp_path, monkeypatch):
    durable.append(tmp_path / "log", b"1\n")

    def fail(operation, path):
        if operation == "fsync":
            raise OSError(errno.EIO, "no")

    monkeypatch.setattr(durable, "hook", fail)
    with pytest.raises(errors.StoreError):
        durable.append(tmp_path / "log", b"2\n")
    assert (tmp_path / "log").read_bytes() == b"1\n"


def test_a_first_line_whose_folder_cannot_be_forced_is_taken_back(tmp_path, monkeypatch):
    def fail(operation, path):
        if operation == "fsync" and path.is_dir():
            raise OSError(errno.EIO, "no")

    monkeypatch.setattr(durable, "hook", fail)
    with pytest.raises(errors.StoreError):
        durable.append(tmp_path / "log", b"1\n")
    monkeypatch.undo()
    assert (tmp_path / "log").read_bytes() == b""
    durable.append(tmp_path / "log", b"2\n")
    assert (tmp_path / "log").read_bytes() == b"2\n"


def _hold(path, held, go):
    with durable.lock(path):
        held.set()
        go.wait(20)


def test_a_lock_is_let_go_when_its_holder_is_killed(tmp_path):
    fork = multiprocessing.get_context("spawn")
    held, go = fork.Event(), fork.Event()
    holder = fork.Process(target=_hold, args=(tmp_path / "lock", held, go))
    holder.start()
    assert held.wait(20)
    with pytest.raises(durable.Busy, match=str(holder.pid)), durable.lock(tmp_path / "lock", wait_s=0.1):
        pass
    holder.kill()
    holder.join()
    with durable.lock(tmp_path / "lock", wait_s=1.0):
        pass
