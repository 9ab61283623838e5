"""`flyball mlflow`: releases to a registry of MLflow and back, every byte checked on the way in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flyball.cli import shipping, shown

app = typer.Typer(no_args_is_help=True, help="Releases as registered models of MLflow, there and back.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Registry = Annotated[
    str, typer.Option(help="Where MLflow keeps its notes: sqlite:///mlflow.db, https://mlflow.fab ...")
]
StoreAt = Annotated[Path, typer.Option(help="The folder of the store, in whose releases/ they lie.")]


@app.command()
def send(
    what: Annotated[str, typer.Argument(help="The release: its folder, or its digest in --store.")],
    name: Annotated[str, typer.Argument(help="The registered model that it becomes a version of.")],
    registry: Registry,
    alias: Annotated[str, typer.Option(help="The alias that points at it from now on.")] = "latest",
    artifacts: Annotated[
        str | None, typer.Option(help="Where files of a new experiment go; MLflow's own choice.")
    ] = None,
    store: StoreAt = Path("var"),
    as_json: Json = False,
) -> None:
    """Register a release; one that is there already is pointed at again."""
    from flyball.runtime import mlflow

    folder = shipping.found(what, store)
    version = mlflow.send(folder, name, alias, registry, artifacts)
    told = {"model": name, "version": version, "alias": alias, "release": folder.name}
    shown.say(
        told, as_json, lambda: iter([f"models:/{name}@{alias}: version {version}, {folder.name[:12]}…"])
    )


@app.command()
def fetch(
    model: Annotated[str, typer.Argument(help="models:/NAME@ALIAS or models:/NAME/VERSION.")],
    registry: Registry,
    digest: Annotated[str | None, typer.Option(help="The digest that it must have.")] = None,
    store: StoreAt = Path("var"),
    as_json: Json = False,
) -> None:
    """Bring a release into the store's releases; what is not byte for byte what was sent is refused."""
    from flyball import durable
    from flyball.runtime import mlflow

    durable.folder(store / "releases")
    place = mlflow.fetch(model, store / "releases", registry, digest)
    shown.say(
        {"model": model, "release": place.name, "folder": str(place)}, as_json, lambda: iter([str(place)])
    )
