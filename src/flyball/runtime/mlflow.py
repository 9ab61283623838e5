"""Releases in a registry of MLflow, there and back, with the check that MLflow itself does not make.

Why: many a plant keeps its models in MLflow, and its people look for them there.  MLflow loads what lies in its
folder: one bit flipped in a coefficient of a registered model changes its answers without a word (measured with
3.17.2).  So the digest of a release stands beside it as a tag, every byte is checked on the way back, and nothing
that could run code when read is taken in.  Who may sign a release is not asked here: keys are `serving.trust`'s.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors, extras
from flyball.serving import release

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Under these tags a version says which release and which page it holds.
DIGEST, PAGE = "flyball.digest", "flyball.page"
#: Below this path the files of a release lie, byte for byte; all releases are runs of one experiment.
PATH, EXPERIMENT = "release", "flyball"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMED = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[0-9]+))")


def send(folder: Path, name: str, alias: str, registry: str, artifacts: str | None = None) -> str:
    """Register a release folder as a version of a model, point the alias at it, and return the version's number.

    `registry` is where MLflow keeps its notes (`sqlite:////srv/mlflow.db`, `https://...`); `artifacts` is where it
    puts files of a new experiment, None for MLflow's own choice.  A version that holds the release already is used
    again.  Raises TrustError for a release that is not whole, DataError for what MLflow refuses.
    """
    manifest = folder / release.MANIFEST
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else ""
    release.admit(folder, digest)
    client = _client(registry)
    with _told(f"register {name} in {registry}"):
        number = _held(client, name, digest) or _registered(client, folder, name, digest, artifacts)
        client.set_registered_model_alias(name, alias, number)
    return number


def fetch(model: str, releases: Path, registry: str, digest: str | None = None) -> Path:
    """Bring `models:/NAME@ALIAS` or `models:/NAME/VERSION` into a folder of releases and return its place there.

    Raises TamperedError for a version whose files are not those of its digest (or not of `digest`, where one is
    expected), FormatError for what could run code when read, DataError for what is not there.
    """
    client = _client(registry)
    with _told(f"find {model} in {registry}"):
        found = _version(client, model)
        names = dict(_files(found.source, registry))
    _refuse_foreign(model, names)
    told = found.tags.get(DIGEST, "")
    if not _SHA256.fullmatch(told) or (digest is not None and told != digest):
        expected = "no digest of a release" if digest is None else f"not the digest {digest[:12]}…"
        raise errors.TamperedError(f"{model}: {expected} stands beside it: refuse it, or register it again")
    target: Path = releases / told
    if not target.exists():
        durable.publish(target, lambda place: _bring(model, found.source, registry, place, told))
    release.admit(target, told)
    return target


def _client(registry: str) -> MlflowClient:
    # MLflow reads these when it is imported: nothing is reported to anybody.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    mlflow = extras.need("mlflow", "mlflow", "to keep releases in its registry")
    extras.need("sqlalchemy", "mlflow", "to keep releases in its registry")
    client: MlflowClient = mlflow.MlflowClient(registry, registry_uri=registry)
    return client


@contextlib.contextmanager
def _told(doing: str) -> Iterator[None]:
    """Turn what MLflow refuses into a DataError that says what was tried."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        what = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise errors.DataError(f"cannot {doing}: {what}: look at its name and place") from error


def _held(client: MlflowClient, name: str, digest: str) -> str | None:
    """Return the version of a model that holds a release, or None; the model is made where it is new."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(name)
        return None
    same = [one for one in client.search_model_versions(f"name='{name}'") if one.tags.get(DIGEST) == digest]
    return str(same[0].version) if same else None


def _registered(client: MlflowClient, folder: Path, name: str, digest: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = (
        client.create_experiment(EXPERIMENT, artifact_location=artifacts)
        if found is None
        else found.experiment_id
    )
    tags = {DIGEST: digest, PAGE: str(_note(folder / "versions.json").get("page", ""))}
    run = client.create_run(experiment, tags=tags, run_name=f"{name}-{digest[:12]}")
    client.log_artifacts(run.info.run_id, str(folder), PATH)
    for figure, value in _figures(folder):
        client.log_metric(run.info.run_id, figure, value)
    client.set_terminated(run.info.run_id)
    source = f"{run.info.artifact_uri}/{PATH}"
    return str(client.create_model_version(name, source, run.info.run_id, tags=tags).version)


def _figures(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield the contest's figures under names that MLflow takes."""
    for name, (value, *_) in _note(folder / "contest.json").items():
        if math.isfinite(value):
            yield re.sub(r"[^A-Za-z0-9_./ -]", "_", name), float(value)


def _note(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def _version(client: MlflowClient, model: str) -> Any:
    told = _NAMED.fullmatch(model)
    if told is None:
        raise errors.DataError(f"{model!r} names no model: write models:/NAME@ALIAS or models:/NAME/VERSION")
    if told["alias"] is not None:
        return client.get_model_version_by_alias(told["name"], told["alias"])
    return client.get_model_version(told["name"], told["version"])


def _files(source: str, registry: str, below: int = 0) -> Iterator[tuple[str, int]]:
    """Yield (name, bytes) of what lies under a version, before any of it is fetched."""
    from mlflow import artifacts

    if below > 2 * release.MOST_DEEP:
        raise errors.TamperedError(f"{source}: folders deeper than in any release: refuse it")
    for one in artifacts.list_artifacts(artifact_uri=source, tracking_uri=registry):
        name = one.path.rpartition("/")[2]
        if one.is_dir:
            yield from (
                (f"{name}/{inner}", size) for inner, size in _files(f"{source}/{name}", registry, below + 1)
            )
        else:
            yield name, one.file_size or 0


def _refuse_foreign(model: str, names: dict[str, int]) -> None:
    if "MLmodel" in names:
        raise errors.FormatError(
            f"{model}: a model in a flavour of MLflow, which may hold a pickle: refuse it, or register a release"
        )
    if len(names) > release.MOST_FILES or sum(names.values()) > 2 * release.MOST_BYTES:
        raise errors.EndlessDataError(f"{model}: larger than a release may be: refuse it")


def _bring(model: str, source: str, registry: str, place: Path, digest: str) -> None:
    """Fetch a version's files and leave them in `place` when they are the release of the digest."""
    from mlflow import artifacts

    with tempfile.TemporaryDirectory(prefix=".mlflow-", dir=place.parent) as fetched:
        with _told(f"fetch {model}"):
            # By its source: MLflow's own `models:/` asks the registry of its settings, whatever it is given.
            got = artifacts.download_artifacts(artifact_uri=source, dst_path=fetched, tracking_uri=registry)
        shutil.copytree(got, place, symlinks=True, dirs_exist_ok=True)
    release.admit(place, digest)
