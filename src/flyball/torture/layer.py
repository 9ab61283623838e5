"""The fault layer below Python and native libraries: built here, loaded into a child, steered by a shared page."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from flyball import errors

#: As in layer.c.
OFF, COUNT, FAIL, FAIL_ON, SHORT, KILL, SLOW = range(7)
_FORM = struct.Struct("<QQiiQ1024s1024s")
SOURCE = Path(__file__).with_name("layer.c")


def built(folder: Path | None = None) -> Path:
    """Return the layer as a shared library, compiled with the system's C compiler when its source is new.

    Raises MissingExtraError on a machine without one.
    """
    source = SOURCE.read_bytes()
    place = folder if folder is not None else Path(tempfile.gettempdir()) / f"flyball-layer-{os.getuid()}"
    out = place / f"layer-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if out.exists() and out.stat().st_uid == os.getuid():
        return out
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise errors.MissingExtraError("the fault layer needs a C compiler: apt-get install gcc libc6-dev")
    place.mkdir(mode=0o700, exist_ok=True)
    if place.stat().st_uid != os.getuid():
        raise errors.TrustError(f"{place} is somebody else's: remove it, what lies there would be loaded")
    part = out.with_suffix(f".{os.getpid()}.part")
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(part), str(SOURCE), "-ldl", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise errors.MissingExtraError(f"the fault layer cannot be built: {done.stderr.strip()[:500]}")
    part.replace(out)
    return out


class Control:
    """The page that steers the layer in a child: arm it, read how many calls there were, let go of it.

    Only what writes below `root` counts.  `at` is the call that is hit, from 1; with FAIL it alone fails with `error`,
    with FAIL_ON every write from it on does (a full disk), with SHORT it writes half, with KILL the process ends before
    it (SIGKILL), with SLOW every call waits.  `trace` names a file that gets all that was done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(_FORM.size))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _FORM.size)

    def environment(self) -> dict[str, str]:
        """Return what a child's environment needs so that it is steered from here."""
        return {**os.environ, "LD_PRELOAD": str(built()), "FLYBALL_FAULTS": str(self.path)}

    def arm(
        self, root: Path, mode: int = COUNT, at: int = 0, error: int = errno.EIO, slow_s: float = 0.0,
        trace: Path | None = None,
    ) -> None:  # fmt: skip
        """Count from 0 and act from now on."""
        told = str(trace).encode() if trace is not None else b""
        where = os.path.realpath(root).encode()
        for text in (told, where):
            if len(text) > 1023:
                raise ValueError(f"the path {text!r} is too long for the fault layer")
        self._page[:] = _FORM.pack(0, at, mode, error, round(slow_s * 1e6), where, told)

    def off(self) -> None:
        """Let everything be from now on."""
        self._page[16:20] = struct.pack("<i", OFF)

    @property
    def count(self) -> int:
        """Return how many calls there were since it was armed."""
        return int(struct.unpack_from("<Q", self._page, 0)[0])

    def close(self) -> None:
        """Let go of the page."""
        self._page.close()
