"""The bill of materials of a release: every file, the model with its figures, the data and the libraries behind it.

Why: a site has to say what runs on its machines and which of it is hit by a new vulnerability, years after the
release was made and without asking its makers.  Source: CycloneDX 1.6 (ECMA-424) as JSON, with its model card.
The same release and the same libraries give the same bytes: no clock and no random number goes in.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from flyball import errors

#: The name of the bill inside a release; it does not list itself, nor the manifest, which lists it.
FILE = "bill.json"

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_UNLISTED = (FILE, "manifest.json")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def of(folder: Path) -> bytes:
    """Return the bill of materials of a release folder, sealed or about to be.

    Libraries are those that the release says it was made with, and what flyball itself needs at a site, with the
    licences that their installed metadata tells.  Raises TrustError for a folder that is no release.
    """
    page, made = _page(folder), _told(folder, "versions.json")
    files = [_file(folder, file) for file in sorted(folder.rglob("*")) if file.is_file()]
    files = [one for one in files if one["name"] not in _UNLISTED]
    data = _data(_told(folder, "data.json"))
    model = _model(page, _told(folder, "contest.json"), _told(folder, "serving.json"), data)
    libraries, needs = _libraries(made.get("libraries", {}))
    inside = [one["bom-ref"] for one in files]
    learned = [data["bom-ref"]] if data else []
    trained = [f"library:{_normal(name)}" for name, version in made.get("libraries", {}).items() if version]
    depends = {
        "release": [model["bom-ref"], "library:flyball", *inside],
        model["bom-ref"]: [*learned, *trained, *(ref for ref in inside if ref.startswith("file:model/"))],
        **needs,
    }
    told: dict[str, Any] = {
        "$schema": _SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {
            "component": {
                "bom-ref": "release", "type": "application", "name": page.name, "description": page.question,
                "properties": [{"name": "flyball:page", "value": str(made.get("page", ""))}],
            },
            "tools": {"components": [_library("flyball", metadata.version("flyball"), refer=False)]},
        },
        "components": [model, *([data] if data else []), *files, *libraries],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(set(on))} if on else {"ref": ref} for ref, on in sorted(depends.items())
        ],
    }  # fmt: skip
    told["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, _text(told))}"
    return _text(told).encode()


def _page(folder: Path) -> Any:
    from flyball import system

    file = folder / "page.txt"
    if not file.is_file():
        raise errors.TrustError(f"{folder}: no page.txt: name the folder of a release")
    return system.read(file.read_text(encoding="utf-8"))


def _told(folder: Path, name: str) -> Mapping[str, Any]:
    """Return what one of the notes of a release says; nothing where it has none."""
    file = folder / name
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise errors.TrustError(f"{file}: no JSON: make the release again") from None
    return found if isinstance(found, dict) else {}


def _file(folder: Path, file: Path) -> dict[str, Any]:
    name = file.relative_to(folder).as_posix()
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    hashes = [{"alg": "SHA-256", "content": digest}]
    size = {"name": "flyball:bytes", "value": str(file.stat().st_size)}
    return {"bom-ref": f"file:{name}", "type": "file", "name": name, "hashes": hashes, "properties": [size]}


def _data(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what was learned from, by its digest: rows never leave, what they were can be asked of the store."""
    content = told.get("content")
    if not isinstance(content, str) or not _SHA256.fullmatch(content):
        return None
    notes = {name: told[name] for name in ("rows", "first", "last", "since") if told.get(name) is not None}
    return {
        "bom-ref": "data", "type": "data", "name": "training data",
        "hashes": [{"alg": "SHA-256", "content": content}],
        "properties": [{"name": f"flyball:{name}", "value": str(value)} for name, value in sorted(notes.items())],
        "data": [{"type": "dataset", "name": "training data"}],
    }  # fmt: skip


def _model(
    page: Any, contest: Mapping[str, Any], serving: Mapping[str, Any], data: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the model with its card: what is asked, of which columns, and every figure with its interval."""
    figures = [_figure(name, value) for name, value in sorted(contest.items())]
    columns = serving.get("schema", {}).get("columns", [])
    card = {
        "bom-ref": "card",
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": repr(page.labels.kind()),
            **({"datasets": [{"ref": data["bom-ref"]}]} if data else {}),
            "inputs": [{"format": column} for column in columns],
            "outputs": [{"format": repr(page.labels.kind())}],
        },
        "quantitativeAnalysis": {"performanceMetrics": figures},
        "considerations": {"useCases": [page.question]},
    }
    return {
        "bom-ref": "model", "type": "machine-learning-model", "name": page.name, "description": page.question,
        "modelCard": card,
    }  # fmt: skip


def _figure(name: str, value: Any) -> dict[str, Any]:
    """Return one measured figure; CycloneDX takes numbers as text, so none is rounded.

    >>> _figure("challenger.log_loss", [0.25, 0.2, 0.3])["confidenceInterval"]
    {'lowerBound': '0.2', 'upperBound': '0.3'}
    """
    who, _, metric = name.partition(".")
    found, low, high = value
    told: dict[str, Any] = {"type": metric or who, "value": repr(found)}
    if metric:
        told["slice"] = who
    return {**told, "confidenceInterval": {"lowerBound": repr(low), "upperBound": repr(high)}}


def _libraries(made: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Return the libraries as components, and by reference which of them each one needs."""
    versions = {_normal(name): version for name, version in made.items() if version}
    needs: dict[str, set[str]] = {f"library:{name}": set() for name in versions}
    waiting, met = [("flyball", "")], set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in met:
            continue
        met.add((name, extra))
        versions.setdefault(name, metadata.version(name))
        found = list(_needed(name, extra))
        needs.setdefault(f"library:{name}", set()).update(f"library:{one}" for one, _ in found)
        waiting += found
    told = [_library(name, version) for name, version in sorted(versions.items())]
    return told, {ref: sorted(on) for ref, on in needs.items()}


def _needed(name: str, extra: str) -> Iterable[tuple[str, str]]:
    """Yield (library, its extra or "") for what an installed library asks for here, where that is installed."""
    from packaging import requirements

    for line in metadata.requires(name) or ():
        asked = requirements.Requirement(line)
        if asked.marker is not None and not asked.marker.evaluate({"extra": extra}):
            continue
        found = _normal(asked.name)
        try:
            metadata.version(found)
        except metadata.PackageNotFoundError:
            continue
        yield found, ""
        yield from ((found, one) for one in asked.extras)


def _library(name: str, version: str, refer: bool = True) -> dict[str, Any]:
    told = {"type": "library", "name": name, "version": version}
    licences = _licences(name, version)
    return {
        **({"bom-ref": f"library:{name}"} if refer else {}),
        **told,
        "purl": f"pkg:pypi/{name}@{version}",
        **({"licenses": licences} if licences else {}),
    }


def _licences(name: str, version: str) -> list[dict[str, Any]]:
    """Return the licence of an installed library; none is told of a version that is not the installed one."""
    try:
        # Where the backport of importlib.metadata is imported too, it answers, and raises for a missing field.
        told: Any = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    if told.get("Version") != version:
        return []
    if told.get("License-Expression"):
        return [{"expression": told["License-Expression"]}]
    classes = [one for one in told.get_all("Classifier") or () if one.startswith("License ::")]
    named = sorted({one.rpartition(" :: ")[2] for one in classes}) or [told.get("License") or ""]
    # Some hold the whole text of a licence in the field for its name.
    return [{"license": {"name": one}} for one in named if one and len(one) <= 100 and "\n" not in one]


def _normal(name: str) -> str:
    """Return the name of a library as an index spells it (PEP 503).

    >>> _normal("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(told: Mapping[str, Any]) -> str:
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
