"""How flyball itself is renewed at a site without a network: a version beside the last one, tried, then switched to.

Why: an agent that breaks itself cannot be mended from afar.  Each version has a virtual environment of its own, made
from wheels that came as one sealed folder and from nothing else; it is asked for its version and for the golden
vectors of the release that serves before anything points at it.  `current` is a link that is renamed over: a power
cut leaves the old version or the new one.  A version that failed is not tried again.

    HOME/versions/VERSION-DIGEST-ANY/   one virtual environment each
    HOME/current, HOME/previous         links to two of them

`HOME/current/bin/flyball` is what the service starts.  Run as a program, this module is the health check that the
new version carries out on itself:

    python -m flyball.site.self_update RELEASE_FOLDER DIGEST

What starts the service calls it with `--fall-back HOME` from `previous`, when `current` does not stay up.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flyball import durable, errors, seals
from flyball.serving import release

#: What a folder of wheels says of itself, beside the manifest that seals it.
ABOUT = "wheels.json"
VERSIONS, CURRENT, PREVIOUS, WHOLE, REFUSED = "versions", "current", "previous", "whole.json", "refused.json"
#: Seconds that each step may take, and the largest difference on the golden vectors (as a release is held to).
INSTALL_S, HEALTH_S, GOLDEN = 600.0, 120.0, 1e-6
#: A wheel unpacked and compiled takes so many times its size; so many bytes stay free.
UNPACKED, SPARE = 6, 2**24


class Served(NamedTuple):
    """The release that a new version has to answer rightly before it takes over."""

    folder: Path
    digest: str


def update(wheels: Path, digest: str, home: Path, served: Served | None = None, python: str = "") -> Path:
    """Install flyball from a sealed folder of wheels, try it, and point `current` at it; return its environment.

    `digest` is what was ordered, by whoever may order.  `python` makes the environment (None: the one that runs).
    Raises TrustError for wheels that are not those, RolloutError for a version that does not install or is not
    healthy, StoreError for a disk that refuses: what ran before is what runs then.
    """
    durable.folder(home / VERSIONS)
    with durable.lock(home / ".lock"), durable.guard(f"install into {home}"):
        version = _about(wheels, digest, python or sys.executable)
        said = _refused(home).get(digest)
        if said is not None:
            raise errors.RolloutError(f"flyball {version} failed here before ({said}): send a mended one")
        place = _found(home, digest)
        if place is None:
            # A name of its own each time: what a killed update left running still writes into its own folder.
            place = home / VERSIONS / f"{version}-{digest[:12]}-{secrets.token_hex(4)}"
            _tidy(home)
            _room(home, wheels)
            with _or_gone(place):
                _install(wheels, place, python or sys.executable)
        try:
            _healthy(place, version, served)
        except errors.RolloutError as error:
            _refuse(home, digest, str(error))
            if _target(home / CURRENT) != place:
                shutil.rmtree(place, ignore_errors=True)
            raise
        durable.write(place / WHOLE, seals.sealed({"digest": digest, "version": version}))
        _switch(home, place)
        return place


def fall_back(home: Path, why: str = "fell back") -> Path:
    """Point `current` at the version before, and never try the one that ran again; return where it points now.

    For a version that was healthy when tried and is not in service.  Raises RolloutError when there is no other.
    """
    with durable.lock(home / ".lock"), durable.guard(f"switch in {home}"):
        now, before = _target(home / CURRENT), _target(home / PREVIOUS)
        if before is None or before == now or not (before / WHOLE).is_file():
            raise errors.RolloutError(f"{home}: no version before this one: install one from its wheels")
        if now is not None and (told := _whole(now)):
            _refuse(home, told["digest"], why)
        _point(home / CURRENT, before)
        return before


def running(home: Path) -> Mapping[str, str] | None:
    """Return the version and digest that `current` points at, or None before anything was installed."""
    place = _target(home / CURRENT)
    return None if place is None else _whole(place) or None


def _about(wheels: Path, digest: str, python: str) -> str:
    """Return the version of flyball in a folder of wheels, every byte of which is checked."""
    listed = release.verify(wheels, digest)
    odd = [name for name in listed if name != ABOUT and (not name.endswith(".whl") or "/" in name)]
    if odd or ABOUT not in listed:
        raise errors.FormatError(f"{wheels}: {(odd or [ABOUT])[0]!a}: not a folder of wheels: refuse it")
    try:
        told = json.loads((wheels / ABOUT).read_text(encoding="utf-8"))
        version, wanted = told["flyball"], told["python"]
    except (ValueError, KeyError, TypeError):
        raise errors.FormatError(f"{wheels / ABOUT}: says no version: refuse it") from None
    if not isinstance(version, str) or not version.replace(".", "").replace("+", "").isalnum():
        raise errors.FormatError(f"{wheels / ABOUT}: {version!a} is no version: refuse it")
    if not any(name.startswith(f"flyball-{version}-") for name in listed):
        raise errors.MixAndMatchError(f"{wheels}: no wheel of flyball {version} in it: refuse it")
    found = _run([python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], HEALTH_S).strip()
    if found != wanted:
        raise errors.WrongTargetError(f"{wheels}: wheels for Python {wanted}, this machine has {found}")
    return version


def _install(wheels: Path, place: Path, python: str) -> None:
    """Make an environment of exactly these wheels: no index is asked, nothing is resolved, no setting is read."""
    durable.step("write", place)
    _run([python, "-I", "-m", "venv", str(place)], INSTALL_S)
    inside = [str(place / "bin" / "python"), "-I", "-m", "pip", "--isolated", "--disable-pip-version-check"]
    files = sorted(str(file.resolve()) for file in wheels.glob("*.whl"))
    quiet = ["--quiet", "--no-cache-dir", "--no-index", "--find-links", str(wheels.resolve()), "--no-deps"]
    _run([*inside, "install", *quiet, *files], INSTALL_S)
    _run([*inside, "check"], HEALTH_S)
    # Some thousand small files: one call for the whole disk costs less than one for each of them.
    durable.step("fsync", place)
    os.sync()


def _healthy(place: Path, version: str, served: Served | None) -> None:
    """Raise RolloutError unless an installed version says its name and answers the golden vectors rightly."""
    said = _run([str(place / "bin" / "flyball"), "--version"], HEALTH_S).strip()
    if said != f"flyball {version}":
        raise errors.RolloutError(f"asked for its version it says {said[:60]!a}, not 'flyball {version}'")
    if served is None:
        return
    command = [
        str(place / "bin" / "python"),
        "-I",
        "-m",
        "flyball.site.self_update",
        str(served.folder),
        served.digest,
    ]
    try:
        told: dict[str, Any] = json.loads(_run(command, HEALTH_S))
        apart, complete = float(told["golden_error"]), told["complete"] is True
    except (ValueError, KeyError, TypeError):
        raise errors.RolloutError(f"flyball {version} does not say how it answers") from None
    if not complete or not apart <= GOLDEN:  # what is no number is not below it
        raise errors.RolloutError(
            f"flyball {version} is {apart:g} off the golden vectors, {GOLDEN:g} is allowed"
        )


def _run(command: list[str], longest_s: float) -> str:
    """Run a program with no setting of this process but its path; return what it printed."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    bare |= {"PIP_CONFIG_FILE": os.devnull, "DO_NOT_TRACK": "1"}
    what = " ".join(Path(command[0]).parts[-2:] + tuple(command[1:5]))
    try:
        done = subprocess.run(
            command, env=bare, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=longest_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise errors.RolloutError(f"{what}: not done within {longest_s:g} s") from None
    except OSError as error:
        raise errors.RolloutError(f"{what}: {error.strerror}") from None
    if done.returncode != 0:
        last = ((done.stderr or done.stdout).strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise errors.RolloutError(f"{what}: {last}")
    return done.stdout


def _switch(home: Path, place: Path) -> None:
    now = _target(home / CURRENT)
    if now == place:
        return
    if now is not None:
        _point(home / PREVIOUS, now)
    _point(home / CURRENT, place)
    _tidy(home)


def _point(link: Path, place: Path) -> None:
    """Let a link point at a version, at every moment at one or the other."""
    part = link.with_name(f".{link.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(place.relative_to(link.parent))
    durable.rename(part, link)


def _target(link: Path) -> Path | None:
    return link.parent / link.readlink() if link.is_symlink() else None


def _tidy(home: Path) -> None:
    """Remove every version that no link points at, half-made ones among them."""
    kept = {_target(home / CURRENT), _target(home / PREVIOUS)}
    for place in (home / VERSIONS).iterdir():
        if place not in kept:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _or_gone(place: Path) -> Iterator[None]:
    """Leave no half of an environment behind."""
    try:
        yield
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _room(home: Path, wheels: Path) -> None:
    told = os.statvfs(home)
    free, needed = told.f_bavail * told.f_frsize, SPARE
    needed += UNPACKED * sum(file.stat().st_size for file in wheels.glob("*.whl"))
    if free < needed:
        raise errors.StoreError(f"{home}: {free} bytes free, {needed} needed: free space; what runs goes on")


def _found(home: Path, digest: str) -> Path | None:
    """Return where these wheels are installed whole and were healthy, or None."""
    places = sorted((home / VERSIONS).iterdir())
    return next((place for place in places if _whole(place).get("digest") == digest), None)


def _whole(place: Path) -> dict[str, Any]:
    try:
        return seals.unsealed((place / WHOLE).read_bytes())
    except (OSError, ValueError):
        return {}


def _refused(home: Path) -> dict[str, Any]:
    try:
        return seals.unsealed((home / REFUSED).read_bytes())
    except (OSError, ValueError):
        return {}


def _refuse(home: Path, digest: str, why: str) -> None:
    durable.write(home / REFUSED, seals.sealed({**_refused(home), digest: why[:500]}))


def main(arguments: list[str]) -> int:
    """Print how this version answers the golden vectors of a release, or fall back to the version before.

    Returns 0 when done, 2 when called wrongly, 3 for bad content, 5 where there is no trust or no version before.
    """
    if len(arguments) != 2:
        print(
            "usage: python -m flyball.site.self_update RELEASE_FOLDER DIGEST | --fall-back HOME",
            file=sys.stderr,
        )
        return 2
    try:
        if arguments[0] == "--fall-back":
            told: dict[str, Any] = {"current": str(fall_back(Path(arguments[1]), "did not stay up"))}
        else:
            told = _answers(Path(arguments[0]), arguments[1])
    except errors.FlyballError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 5 if isinstance(error, errors.TrustError | errors.RolloutError) else 3
    print(json.dumps(told))
    return 0


def _answers(folder: Path, digest: str) -> dict[str, Any]:
    from flyball import __version__
    from flyball.site import answering, scorer

    held = scorer.Scorer(folder, digest)
    return {"flyball": __version__, **answering.checked(held, held.golden())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
