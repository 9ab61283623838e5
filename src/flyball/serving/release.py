"""A release: a content-addressed folder that holds everything a machine needs to answer, and nothing that runs.

Why: what was tested is what ships.  Every file is listed with its SHA-256 in `manifest.json`; the digest of that
manifest names the folder, so a changed, missing or extra file is told at once.  Model files are self-contained
(ONNX, plain JSON); there is no pickle anywhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.model import stage as model

MANIFEST = "manifest.json"


def sealed(folder: Path) -> str:
    """Write the manifest of a folder's files and return its digest, the name of the release."""
    listed = {str(file.relative_to(folder)): _digest(file) for file in _files(folder)}
    (folder / MANIFEST).write_text(_json({"format": 1, "files": listed}))
    return _digest(folder / MANIFEST)


def verify(folder: Path, digest: str | None = None) -> Mapping[str, str]:
    """Return the listed files of a release after checking each of them, or raise TamperedError.

    `digest` is the name the release goes by; None takes the folder's own name.
    """
    expected = folder.name if digest is None else digest
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise errors.TamperedError(f"{folder}: no {MANIFEST}: not a release, or an incomplete one")
    if _digest(manifest) != expected:
        raise errors.TamperedError(f"{manifest}: its digest is not {expected[:12]}…: refuse this release")
    listed: Mapping[str, str] = json.loads(manifest.read_text())["files"]
    present = {str(file.relative_to(folder)) for file in _files(folder)}
    for name in sorted(present ^ set(listed)):
        what = "is not listed" if name in present else "is missing"
        raise errors.TamperedError(f"{folder / name}: {what}: refuse this release")
    for name, told in listed.items():
        if _digest(folder / name) != told:
            raise errors.TamperedError(f"{folder / name}: content is not what was released: refuse this release")
    return listed


def write_packed(folder: Path, packed: model.Packed) -> None:
    """Write a packed predictor as `packed.json` and its files, inner ones in numbered folders."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"runner": packed.runner, "settings": packed.settings, "files": sorted(packed.files)}
    (folder / "packed.json").write_text(_json({**told, "inner": len(packed.inner)}))
    for name, content in packed.files.items():
        (folder / name).write_bytes(content)
    for number, inner in enumerate(packed.inner):
        write_packed(folder / str(number), inner)


def read_packed(folder: Path) -> model.Packed:
    """Read a packed predictor back."""
    told = json.loads((folder / "packed.json").read_text())
    files = {name: (folder / name).read_bytes() for name in told["files"]}
    inner = tuple(read_packed(folder / str(number)) for number in range(told["inner"]))
    return model.Packed(told["runner"], told["settings"], files, inner)


def _files(folder: Path) -> list[Path]:
    """Return every file of a release but its manifest; links and odd things are refused, nothing is skipped."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place) / name
            if file.is_symlink() or not file.is_file():
                raise errors.TamperedError(f"{file}: not a plain file: refuse this release")
            if file != folder / MANIFEST:
                found.append(file)
    return sorted(found)


def _digest(file: Path) -> str:
    import hashlib

    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=True) + "\n"
