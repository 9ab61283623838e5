"""Writing so that what was acknowledged is there after a crash: write, fsync, rename, fsync the folder.

Nothing is overwritten in place.  Every step goes through `hook`, so that a test can stop the process at any of
them or make any of them fail; in normal operation there is none.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from flyball import errors

#: Called with (operation, path) before every durable step; set by tests only.
hook: Callable[[str, Path], None] | None = None
#: Set by a simulated fleet only, whose disks are in memory: forcing is announced to `hook`, and not done.
simulated = False


class Busy(errors.StoreError):
    """Another process writes."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def step(operation: str, path: Path) -> None:
    """Announce a durable step: a crash before it and a crash after it are both to be survived."""
    if hook is not None:
        hook(operation, path)


@contextlib.contextmanager
def guard(doing: str) -> Iterator[None]:
    """Turn what the file system refuses into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        said = " ".join(re.sub(r"\x1b\[[0-9;]*m|↳", "", str(error.strerror or error)).split())
        if error.errno in FULL or "No space left" in said or "File too large" in said:
            fix = "the old state is untouched: free space and run again"
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            fix = "make the folder writable and run again"
        else:
            fix = "the old state is untouched: look at the disk, then run again"
        raise errors.StoreError(f"cannot {doing}: {said}, {fix}") from error


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    step("fsync", path)
    if simulated:
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(old: Path, new: Path) -> None:
    """Move a finished file or folder to its name, and make the move itself durable."""
    step("rename", new)
    os.replace(old, new)
    sync(new.parent)


def folder(path: Path) -> Path:
    """Make a folder and its parents durable; return it."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        sync(place.parent)
    return missing[0] if missing else path


def write(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a whole file, given whole or in pieces, under its name, or leave what was there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     write(Path(place) / "a.json", b"{}")
    ...     (Path(place) / "a.json").read_bytes()
    b'{}'
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with guard(f"write {path}"):
        try:
            step("write", part)
            with part.open("wb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
            sync(part)
            rename(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def publish(target: Path, fill: Callable[[Path], object]) -> Path:
    """Let `fill` write into a new folder and give it its name when it is whole and on the disk; return it.

    A folder that is there already is left as it is: equal names stand for equal content.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with guard(f"write {target}"):
        try:
            folder(target.parent)
            shutil.rmtree(part, ignore_errors=True)
            step("write", part)
            part.mkdir()
            fill(part)
            sync_tree(part)
            with contextlib.suppress(FileExistsError):
                rename(part, target)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or not target.is_dir():
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target


def sync_tree(place: Path) -> None:
    """Force every file and folder below a folder, and the folder itself, to the disk."""
    for inner in sorted(place.rglob("*")):
        sync(inner)
    sync(place)


def append(path: Path, line: bytes) -> None:
    """Add one whole line to a file and force it to the disk; a line that could not be added is taken back."""
    with guard(f"append to {path}"):
        fresh = not path.exists()
        step("write", path)
        with path.open("ab") as file:
            begun = file.tell()
            try:
                file.write(line)
                file.flush()
                step("fsync", path)
                if not simulated:
                    os.fsync(file.fileno())
                if fresh:
                    sync(path.parent)
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(path, begun)
                raise


@contextlib.contextmanager
def lock(path: Path, wait_s: float = 30.0) -> Iterator[None]:
    """Hold a lock among processes; it is let go by the system when its holder dies.

    Raises StoreError when another process holds it longer than `wait_s`.
    """
    import fcntl
    import time

    with guard(f"open the lock {path}"):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        end = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    holder = os.pread(handle, 64, 0).decode(errors="replace").strip() or "unknown"
                    raise Busy(
                        f"{path.parent} is being written to by process {holder}: wait for it or stop it"
                    ) from None
                time.sleep(0.02)
        with contextlib.suppress(
            OSError
        ):  # who holds it is said for people; a full disk must not stop a reader
            os.pwrite(handle, f"{os.getpid():<16}".encode(), 0)
        yield
    finally:
        os.close(handle)
