"""Peers that cannot be installed beside one another, nor beside Flyball: each in an environment of its own.

What is installed is pinned in NAME.txt beside this file.  An environment is made once, with plain pip, below
`FLYBALL_PEERS` (the user's cache by default), under the digest of its pins.  Nothing of Flyball is in it: what a peer
is asked stands in a script of this folder that imports NumPy and that peer alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

#: One core, and nobody is told anything.
QUIET = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
    "DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "NML_DISABLE_USER_ANALYTICS": "1",
}  # fmt: skip
#: So long an installation may take, and so long a peer may be asked, in seconds.
INSTALL_S, ASKED_S = 900, 1800


class AbsentError(Exception):
    """A peer cannot be had here, or does not answer; says why."""


def place(name: str) -> Path:
    """Return where the environment of a peer lies."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = Path(os.environ.get("FLYBALL_PEERS") or cache / "flyball" / "peers")
    return home / f"{name}-{hashlib.sha256(_pins(name).read_bytes()).hexdigest()[:12]}"


def python(name: str) -> Path:
    """Return the Python of a peer's environment, which is made where it is not there; raises AbsentError."""
    found, ready = place(name) / "bin" / "python", place(name) / "ready"
    if ready.is_file():
        return found
    _did(
        f"make an environment for {name}",
        sys.executable,
        "-m",
        "venv",
        "--clear",
        "--without-pip",
        place(name),
    )
    _did(
        f"install {name}", sys.executable, "-m", "pip", "--python", found, "install", "--quiet", "--no-deps",
        "--disable-pip-version-check", "-r", _pins(name),
    )  # fmt: skip
    ready.touch()
    return found


def asked(name: str, script: str, *arguments: Any) -> Any:
    """Return what a script of this folder says, as JSON on its last line, in the environment of a peer.

    Raises AbsentError where the environment cannot be made, or the script fails.
    """
    command = (python(name), "-W", "ignore", Path(__file__).parent / f"{script}.py", *arguments)
    return json.loads(_did(f"ask {name}", *command, within_s=ASKED_S).splitlines()[-1])


def _pins(name: str) -> Path:
    return Path(__file__).parent / f"{name}.txt"


def _did(doing: str, *command: Any, within_s: float = INSTALL_S) -> str:
    """Run a command and return what it printed; a peer inherits no path to Flyball and tells nobody anything."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | QUIET
    try:
        done = subprocess.run(
            [str(one) for one in command],
            env=env,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AbsentError(f"cannot {doing}: not done after {within_s:.0f} s") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise AbsentError(f"cannot {doing}: {said[:200]}")
    return done.stdout
