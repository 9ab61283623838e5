"""A release: a content-addressed folder that holds everything a machine needs to answer, and nothing that runs.

Why: what was tested is what ships.  Every file is listed with its SHA-256 in `manifest.json`; the digest of that
manifest names the folder, so a changed, missing or extra file is told at once.  Model files are self-contained
(ONNX, plain JSON); there is no pickle anywhere.  No name inside a release leads out of its folder, and nothing in it
is larger than a machine at the edge can bear.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.model import stage as model
from flyball.serving import formats

MANIFEST, PACKED = "manifest.json", "packed.json"
FORMAT = 1
#: The most that a release may hold: files, bytes of one file, bytes of a list, packed predictors inside each other.
MOST_FILES, MOST_BYTES, MOST_LISTED, MOST_DEEP = 10_000, 2**30, 2**24, 8

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def sealed(folder: Path) -> str:
    """Write the manifest of a folder's files and return its digest, the name of the release.

    Raises TamperedError for a link, an odd file, an odd name, and too much of anything.
    """
    listed = {name: _digest(file) for name, file in _files(folder).items()}
    (folder / MANIFEST).write_text(_json({"format": FORMAT, "files": listed}), encoding="utf-8")
    return _digest(folder / MANIFEST)


def verify(folder: Path, digest: str | None = None) -> Mapping[str, str]:
    """Return the listed files of a release after checking each of them, or raise TamperedError.

    `digest` is the name the release goes by; None takes the folder's own name.
    """
    expected = folder.name if digest is None else digest
    manifest = folder / MANIFEST
    if manifest.is_symlink() or not manifest.is_file():
        raise errors.TamperedError(f"{folder}: no {MANIFEST}: not a release, or an incomplete one")
    if manifest.stat().st_size > MOST_LISTED or _digest(manifest) != expected:
        raise errors.TamperedError(f"{manifest}: its digest is not {expected[:12]}…: refuse this release")
    listed = _listed(manifest)
    present = _files(folder)
    for name in sorted(set(present) ^ set(listed)):
        what = "is not listed" if name in present else "is missing"
        raise errors.TamperedError(f"{folder / name}: {what}: refuse this release")
    for name, told in listed.items():
        if _digest(present[name]) != told:
            raise errors.TamperedError(
                f"{present[name]}: content is not what was released: refuse this release"
            )
    return listed


def admit(folder: Path, digest: str | None = None) -> Mapping[str, str]:
    """Verify a release and look at what its files are: the check of a machine that takes it in.

    Raises TamperedError as `verify` does, FormatError for a file of a kind that can run code or that leads out of
    the folder, and for a hard link: somebody else could change the file under its other name.
    """
    listed = verify(folder, digest)
    for name in listed:
        if (folder / name).stat().st_nlink > 1:
            raise errors.FormatError(f"{folder / name}: a hard link: refuse this release, or copy it anew")
        formats.check(folder / name)
    return listed


def pack(folder: Path, file: Path) -> None:
    """Write a release folder as one tar file, the same bytes for the same release."""
    verify(folder)
    with tarfile.open(file, "w:", format=tarfile.USTAR_FORMAT) as tar:
        for name in (MANIFEST, *_files(folder)):
            told = tarfile.TarInfo(name)
            told.size = (folder / name).stat().st_size
            with (folder / name).open("rb") as content:
                tar.addfile(told, content)


def unpack(file: Path, folder: Path, digest: str, admit: Callable[[Path, str], object] = admit) -> None:
    """Write the files of a packed release into an empty folder and admit it under the digest.

    `admit` judges what is there: wheels are no release, and are held to other rules (`site.renewal`).

    Raises TamperedError for whatever is no plain file below the folder, and for too much of anything.
    """
    taken = 0
    try:
        with tarfile.open(file, "r:") as tar:
            for count, told in enumerate(tar, 1):
                taken += told.size
                if count > MOST_FILES or told.size > MOST_BYTES or taken > 2 * MOST_BYTES:
                    raise errors.EndlessDataError(f"{file}: larger than a release may be: refuse it")
                place = folder / told.name
                plain = told.isreg() and not told.sparse and _inside(told.name)
                content = tar.extractfile(told) if plain else None
                if content is None or place.exists():
                    raise errors.TamperedError(
                        f"{file}: {told.name!a}: no plain file of a release: refuse it"
                    )
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as sink:
                    shutil.copyfileobj(content, sink)
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise errors.TamperedError(f"{file}: damaged ({error}): refuse it") from None
    admit(folder, digest)


def _inside(name: str) -> bool:
    """Return whether a name is a plain path below its folder, written in one way only.

    >>> [_inside(name) for name in ("model/a.onnx", "../a", "/a", "a//b", "./a", "")]
    [True, False, False, False, False, False]
    """
    pieces = name.split("/")
    return name.isprintable() and "\\" not in name and all(piece not in ("", ".", "..") for piece in pieces)


def digest(folder: Path) -> str:
    """Return the digest of a sealed folder's manifest, which is its name."""
    return _digest(folder / MANIFEST)


def write_packed(folder: Path, packed: model.Packed) -> None:
    """Write a packed predictor as `packed.json` and its files, inner ones in numbered folders.

    Raises TrustError for a file name that is not a plain one.
    """
    for name in packed.files:
        _plain(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    told = {"runner": packed.runner, "settings": packed.settings, "files": sorted(packed.files)}
    (folder / PACKED).write_text(_json({**told, "inner": len(packed.inner)}), encoding="utf-8")
    for name, content in packed.files.items():
        (folder / name).write_bytes(content)
    for number, inner in enumerate(packed.inner):
        write_packed(folder / str(number), inner)


def read_packed(folder: Path, deep: int = 0) -> model.Packed:
    """Read a packed predictor back; a name in it never leads out of the folder.

    Raises TrustError for a name that would, and for what is no packed predictor or too much of one.
    """
    told = _object(folder / PACKED)
    runner, settings, names, inner = (told.get(key) for key in ("runner", "settings", "files", "inner"))
    if not (isinstance(runner, str) and isinstance(settings, dict) and isinstance(names, list)) or not (
        type(inner) is int and 0 <= inner <= MOST_FILES and len(names) <= MOST_FILES
    ):
        raise errors.TrustError(f"{folder / PACKED}: not a packed predictor: refuse this release")
    if deep >= MOST_DEEP:
        raise errors.TrustError(f"{folder}: packed deeper than {MOST_DEEP} levels: refuse this release")
    files = {name: _content(folder / _plain(name, folder)) for name in names}
    packed = tuple(read_packed(folder / str(number), deep + 1) for number in range(inner))
    return model.Packed(runner, settings, files, packed)


def _plain(name: Any, folder: Path) -> str:
    """Return a file name that stands in its own folder and is none of those the format itself uses."""
    if not isinstance(name, str) or not _PLAIN.fullmatch(name) or name == PACKED or name.isdecimal():
        raise errors.TrustError(f"{folder}: {name!r} is no plain file name: refuse this release")
    return name


def _content(file: Path) -> bytes:
    if file.is_symlink() or not file.is_file():
        raise errors.TrustError(f"{file}: not a plain file: refuse this release")
    if file.stat().st_size > MOST_BYTES:
        raise errors.TrustError(f"{file}: more than {MOST_BYTES} bytes: refuse this release")
    return file.read_bytes()


def _object(file: Path) -> Mapping[str, Any]:
    """Return what a JSON file holds, which must be one object of bounded size."""
    if file.is_file() and file.stat().st_size > MOST_LISTED:
        raise errors.TrustError(f"{file}: more than {MOST_LISTED} bytes: refuse this release")
    try:
        found = json.loads(_content(file))
    except (ValueError, RecursionError):
        raise errors.TrustError(f"{file}: no JSON: refuse this release") from None
    if not isinstance(found, dict):
        raise errors.TrustError(f"{file}: no JSON object: refuse this release")
    return found


def _listed(manifest: Path) -> Mapping[str, str]:
    told = _object(manifest)
    files = told.get("files")
    if told.get("format") != FORMAT:
        what = f"format {told.get('format')!r}, this version of flyball reads {FORMAT}"
        raise errors.TrustError(f"{manifest}: {what}: update flyball on this machine")
    if not isinstance(files, dict) or not all(isinstance(value, str) for value in files.values()):
        raise errors.TamperedError(f"{manifest}: lists no files: refuse this release")
    return files


def _files(folder: Path) -> dict[str, Path]:
    """Return every file of a release but its manifest; links and odd things are refused, nothing is skipped."""
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        for name in folders:
            if (Path(place) / name).is_symlink():
                raise errors.TamperedError(f"{Path(place) / name}: a link: refuse this release")
        for name in names:
            file = Path(place) / name
            if file.is_symlink() or not file.is_file():
                raise errors.TamperedError(f"{file}: not a plain file: refuse this release")
            if file.stat().st_size > MOST_BYTES or len(found) >= MOST_FILES:
                raise errors.TamperedError(
                    f"{file}: larger or more than a release may be: refuse this release"
                )
            told = file.relative_to(folder).as_posix()
            if not told.isprintable():
                raise errors.TamperedError(f"{told!a}: an odd file name: refuse this release")
            if told != MANIFEST:
                found[told] = file
    return dict(sorted(found.items()))


def _digest(file: Path) -> str:
    import hashlib

    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=True) + "\n"
