"""Trials of files that a release must not hold, each offered in a release that is rightly sealed.

Each trial takes a seed and an empty folder, and a switch that breaks what it is about: broken, it must fail.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from flyball import errors
from flyball.serving import formats, release
from flyball.torture import payloads
from flyball.torture.trial import Told
from flyball.torture.world import broken, judged, made


def code_offered(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R24: files that run code when read, each in a release that is rightly sealed."""

    def write(draft: Path, name: str) -> None:
        (draft / "model").mkdir()
        (draft / "model" / name).write_bytes(code[name])

    begun, code = time.monotonic(), payloads.code()
    if name := _admitted(folder, code, write, errors.FormatError, sabotage):
        return judged(f"{name} was taken in", begun)
    return judged("a payload was executed" if payloads.EXECUTED else "", begun)


def weights_outside(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R25: ONNX graphs whose weights lie at `..`, an absolute path, behind a link, hard link, or in a sparse file."""
    begun = time.monotonic()
    how = _admitted(folder, payloads.PLACES, payloads.placed, errors.TrustError, sabotage)
    return judged(f"weights by {how} were taken in" if how else "", begun)


def _admitted(
    folder: Path, names: Iterable[str], write: Callable[[Path, str], object], refusal: type[errors.TrustError],
    sabotage: bool,
) -> str:  # fmt: skip
    """Return the first of some drafts that is taken in, "" where each is refused in that way."""
    with broken(formats, "check", lambda file: None, sabotage):
        for name in names:
            draft = folder / name.replace(".", "_").replace(" ", "_") / "draft"
            draft.mkdir(parents=True)
            write(draft, name)
            try:
                release.admit(draft, release.sealed(draft))
            except refusal:
                continue
            return name
    return ""


def extra(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R38: an unsigned file beside the signed ones, `.git` and hidden names included."""
    begun = time.monotonic()
    world = made(folder, seed)
    good = world.release("good")
    with broken(release, "_files", _listed_only(release._files), sabotage):
        for name in (".git/config", ".hidden", "model/more.txt", "__pycache__/a.txt"):
            place = folder / "copies" / name.replace("/", "_")
            shutil.copytree(good, place)
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_text("x")
            try:
                release.admit(place, good.name)
            except errors.TamperedError:
                continue
            return judged(f"{name} was overlooked", begun)
    return judged("", begun)


def _listed_only(files: Callable[[Path], dict[str, Path]]) -> Callable[[Path], dict[str, Path]]:
    """Return what overlooks hidden files, as a well-known signer does by default."""
    return lambda folder: {n: f for n, f in files(folder).items() if not n.startswith((".", "__"))}
