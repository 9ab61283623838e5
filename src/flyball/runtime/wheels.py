"""What a site without a network needs to install flyball: its wheel and those of all it imports, as one sealed folder.

Why: a site may reach no index, and must run what was tried.  The folder is content-addressed as a release is: every
wheel with its SHA-256 in a manifest whose digest is its name.  `site.self_update` installs from it and from nothing
else.  Only the core install is collected: extras are for where pages are trained.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from flyball import durable, errors
from flyball.serving import release
from flyball.site import self_update

LONGEST_S = 1800.0
_WHEEL = re.compile(r"flyball-(?P<version>[^-]+)-.+\.whl")


def collect(
    wheel: Path,
    folder: Path,
    constraints: Path | None = None,
    platforms: Iterable[str] = (),
    python: str = "",
) -> Path:
    """Bring a wheel of flyball and all that it needs into a folder named by its digest; return that folder.

    pip fetches under `constraints`, as its own settings say, wheels only: nothing is built and no foreign code run.
    `platforms` (`manylinux_2_28_x86_64`) and `python` (`3.11`) are those of the machines, this one's by default.
    The same wheels make the same folder.  Raises DataError for what pip cannot find.
    """
    named = _WHEEL.fullmatch(wheel.name)
    if named is None or not wheel.is_file():
        raise errors.DataError(f"{wheel}: no wheel of flyball: make one with `python -m build --wheel`")
    python = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    durable.folder(folder)
    with tempfile.TemporaryDirectory(prefix=".wheels-", dir=folder) as place:
        _download(wheel, Path(place), constraints, tuple(platforms), python)
        about = {"flyball": named["version"], "python": python}
        (Path(place) / self_update.ABOUT).write_text(json.dumps(about, sort_keys=True) + "\n")
        target = folder / release.sealed(Path(place))
        durable.publish(target, lambda fresh: shutil.copytree(place, fresh, dirs_exist_ok=True))
    release.verify(target)
    return target


def _download(
    wheel: Path, place: Path, constraints: Path | None, platforms: tuple[str, ...], python: str
) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--only-binary", ":all:", "--dest", str(place)]
    if constraints is not None:
        command += ["--constraint", str(constraints)]
    if platforms:
        command += ["--implementation", "cp", "--python-version", python]
        command += [word for one in platforms for word in ("--platform", one)]
    try:
        done = subprocess.run(
            [*command, str(wheel)], capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise errors.DataError(f"pip did not bring what {wheel.name} needs within {LONGEST_S:g} s") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no message"]
        raise errors.DataError(f"pip cannot bring what {wheel.name} needs: {said[-1]}")
