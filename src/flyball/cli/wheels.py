"""`flyball wheels`: flyball itself for machines without a network, collected, ordered, signed and installed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from flyball import errors, seals
from flyball.cli import fleets, shown

app = typer.Typer(
    no_args_is_help=True, help="flyball itself for a site without a network: collect, order, install."
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def collect(
    wheel: Annotated[Path, typer.Argument(help="The wheel of flyball (`python -m build --wheel`).")],
    out: Annotated[Path, typer.Argument(help="Where the folder is made; its digest becomes its name.")],
    constraints: Annotated[Path | None, typer.Option(help="The versions that were tried.")] = None,
    platform: Annotated[list[str] | None, typer.Option(help="Of the machines; may be repeated.")] = None,
    python: Annotated[str, typer.Option(help="Of the machines, 3.11 for instance; this one's.")] = "",
    as_json: Json = False,
) -> None:
    """Bring flyball's wheel and all that it needs into one sealed folder."""
    from flyball.runtime import wheels

    folder = wheels.collect(wheel, out, constraints, platform or (), python)
    told = {"folder": str(folder), "digest": folder.name}
    shown.say(told, as_json, lambda: iter([f"{folder}: order it with `flyball wheels order FLEET {folder}`"]))


@app.command()
def order(
    fleet: Annotated[Path, typer.Argument(help="The folder of the fleet.")],
    folder: Annotated[Path, typer.Argument(help="What `flyball wheels collect` made.")],
    group: Annotated[
        list[str] | None,
        typer.Option(help="Machines: all, canary, kind:NAME, machine:NAME; may be repeated."),
    ] = None,
    back_from: Annotated[
        list[int] | None, typer.Option(help="A newer version's number that may be left for this one.")
    ] = None,
    why: Annotated[str, typer.Option(help="Why: stands in the audit.")] = "",
    as_json: Json = False,
) -> None:
    """Stage a version of flyball for the site's keys; then `flyball keys sign`, `keys publish`, `ship --bundle`."""
    from flyball import audit, durable
    from flyball.serving import release
    from flyball.serving.trust.order import Order
    from flyball.serving.trust.repository import Repository
    from flyball.site import renewal

    version = renewal.about(folder)
    fleets.Fleet(fleet)
    repository = Repository(fleet / "repository")
    policy = repository.policy()
    if policy is None:
        raise errors.RolloutError(
            f"{fleet}: the site has no policy yet: `flyball keys policy`, sign, publish"
        )
    there = [one for one in repository.orders() if one.page == renewal.PAGE]
    new = Order(
        renewal.PAGE, folder.name, 1 + max((one.version for one in there), default=0),
        repository.next_number(renewal.PAGE), "wave", tuple(sorted(set(policy.machines.values()))), "",
        tuple(group or ["all"]), back_from=tuple(back_from or ()), why=why or f"flyball {version}",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        packed = Path(place) / "wheels.tar"
        release.pack(folder, packed)
        repository.stage(fleets.now(), new, packed)
    durable.folder(fleet / "controller")
    told = {
        "release": new.release,
        "version": new.version,
        "number": new.number,
        "flyball": version,
        "why": new.why,
    }
    audit.Audit(fleet / "controller" / "audit.jsonl", fleets.now).append("ordered flyball", told)
    said = f"flyball {version} is version {new.version}: it waits for the site's keys: `flyball keys sign {fleet}`"
    shown.say(told, as_json, lambda: iter([said]))


@app.command()
def install(
    state: Annotated[Path, typer.Argument(help="The folder of the machine's agent (`flyball edge`).")],
    home: Annotated[
        Path, typer.Argument(help="Where versions lie: the service starts HOME/current/bin/flyball.")
    ],
    mirror: Annotated[
        str, typer.Option("--from", help="http(s)://, a folder, or the bundle that was carried.")
    ],
    ca: Annotated[Path | None, typer.Option(help="The certificate that the server is checked by.")] = None,
    token: Annotated[Path | None, typer.Option(help="A file of mode 0600 with the token for it.")] = None,
    as_json: Json = False,
) -> None:
    """Install the version of flyball that the site's keys order for this machine, tried before it is switched to."""
    from flyball.cli import edge
    from flyball.serving.trust import mirror as mirrors
    from flyball.site import renewal

    try:
        who = seals.unsealed((state / "machine.json").read_bytes())
    except (OSError, ValueError):
        raise errors.DeclarationError(
            f"{state}: no machine has begun there: `flyball edge {state}` does"
        ) from None
    secret = edge.secret(token) if token is not None else None
    found = renewal.renew(
        state, home, mirrors.of(mirror, ca, secret), who["machine"], who["kind"], fleets.now()
    )
    version = found.order.version if found.order else 0
    told = {"machine": who["machine"], "version": version, "installed": found.installed, "why": found.why}
    said = "installed" if found.installed else found.why or "nothing newer is ordered"
    shown.say(told, as_json, lambda: iter([f"{who['machine']}: flyball by order, version {version}: {said}"]))
