"""`flyball keys`: who may say what runs.  Private keys never leave the machine they were made on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from flyball import durable, errors, seals
from flyball.cli import fleets, shown

app = typer.Typer(no_args_is_help=True, help="Make keys, begin a signed set, sign what waits, rotate.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
FleetAt = Annotated[Path, typer.Argument(help="The folder of the fleet.")]
Keys = Annotated[list[Path], typer.Option("--key", help="A private key file; may be repeated.")]


@app.command()
def new(
    path: Annotated[
        Path, typer.Argument(help="The file of the private key; its public half stands beside it.")
    ],
    as_json: Json = False,
) -> None:
    """Make an Ed25519 key; FLYBALL_PASSPHRASE encrypts it."""
    import os

    from flyball.serving.trust import keys

    made = keys.make(path, os.environ.get("FLYBALL_PASSPHRASE") or None)
    told = {"key": str(path), "public": f"{path}.pub", "id": made.public_key.keyid}
    shown.say(told, as_json, lambda: iter([f"{path}: key {told['id'][:12]}…, public half in {path}.pub"]))


@app.command()
def init(
    fleet: FleetAt,
    root: Annotated[list[Path], typer.Option(help="A root key (offline); may be repeated.")],
    site: Annotated[list[Path], typer.Option(help="A key of the site (offline); may be repeated.")],
    online: Annotated[Path, typer.Option(help="The loop's online key.")],
    page: Annotated[str, typer.Option(help="The page that this fleet answers: a file, or a ready-made one.")],
    root_threshold: Annotated[int, typer.Option(help="So many root keys must sign.")] = 2,
    site_threshold: Annotated[int, typer.Option(help="So many site keys must sign a wave.")] = 2,
    as_json: Json = False,
) -> None:
    """Begin a signed set: which keys may sign what, and how many of them must."""
    from flyball import systems
    from flyball.serving.trust.repository import Repository

    system = systems.load(page).check()
    Repository.create(
        fleet / "repository", fleets.key_paths(root), fleets.key_paths(site), fleets.key_paths([online])[0],
        (root_threshold, site_threshold), fleets.now(),
    )  # fmt: skip
    durable.write(fleet / "fleet.json", seals.sealed({
        "page": system.name, "file": page, "online": str(online.resolve()), "machines": {},
    }))  # fmt: skip
    first = fleet / "repository" / "metadata" / "1.root.json"
    told = {"fleet": str(fleet), "page": system.name, "root": str(first)}
    shown.say(told, as_json, lambda: iter([f"{fleet}: begun; bring {first} to every machine by hand"]))


@app.command()
def enrol(
    fleet: FleetAt,
    machine: Annotated[str, typer.Argument(help="The name of the machine.")],
    public: Annotated[Path, typer.Argument(help="Its public key, STATE/machine.key.pub.")],
    as_json: Json = False,
) -> None:
    """Let a machine's reports be believed."""
    from flyball.serving.trust import keys

    keys.load_public(public)
    bound = fleets.Fleet(fleet)
    bound.note(machines={**bound.told()["machines"], machine: public.read_text()})
    shown.say({"machine": machine}, as_json, lambda: iter([f"{fleet}: reports of {machine} are believed"]))


@app.command()
def policy(
    fleet: FleetAt,
    file: Annotated[
        Path, typer.Argument(help="The policy as JSON: site, machines, canary, waves, approvals ...")
    ],
    approver: Annotated[
        list[str] | None,
        typer.Option(help="Who may approve waves, NAME=PUBLIC_KEY_FILE; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Stage a site's policy for its keys."""
    import json

    from flyball.serving.trust import approvals, keys, order
    from flyball.serving.trust.repository import Repository
    from flyball.site import spool

    people = {}
    for one in approver or []:
        name, mark, place = one.partition("=")
        if not (name and mark and place):
            raise errors.DeclarationError(f"{one!r} names no approver: write --approver NAME=PUBLIC_KEY_FILE")
        people[name] = approvals.public(keys.load_public(Path(place)))
    try:
        told = json.loads(file.read_bytes())
        if people and isinstance(told, dict):
            told["approvers"] = {**told.get("approvers", {}), **people}
        found = order.read_policy(told)
    except (OSError, ValueError) as error:
        raise errors.DeclarationError(f"{file}: no policy can be read there: {error}") from None
    for kind in found.leaves:
        if kind not in spool.CLASSES:
            fix = errors.did_you_mean(kind, spool.CLASSES)
            raise errors.DeclarationError(f"{file}: leaves: no class {kind!r}, {fix}")
    fleets.Fleet(fleet)
    Repository(fleet / "repository").stage(fleets.now(), policy=found)
    told = {"site": found.site, "machines": len(found.machines), "approvers": sorted(found.approvers)}
    shown.say(
        told,
        as_json,
        lambda: iter([f"policy of {found.site} waits for the site's keys: `flyball keys sign {fleet}`"]),
    )


@app.command()
def approve(
    fleet: FleetAt,
    key: Annotated[Path, typer.Option(help="The private key of the person who approves.")],
    who: Annotated[str, typer.Option("--as", help="Their name, as the site's policy has it.")],
    as_json: Json = False,
) -> None:
    """Approve the waves that wait: a signature over what runs where, which every machine checks again.

    Approve first and let the site's keys sign then: what they had signed before holds no approval.
    """
    from flyball import audit
    from flyball.serving.trust.repository import Repository

    fleets.Fleet(fleet)
    repository = Repository(fleet / "repository")
    missing = repository.approve(who, fleets.key_paths([key])[0])
    durable.folder(fleet / "controller")
    log = audit.Audit(fleet / "controller" / "audit.jsonl", fleets.now)
    for order in repository.waves():
        told = {"release": order.release, "version": order.version, "number": order.number, "who": who}
        log.append("approved", told)
    shown.say(
        {"who": who, "missing": missing}, as_json,
        lambda: iter([f"approved by {who}: {missing} approval(s) missing; then `flyball keys sign {fleet}`"]),
    )  # fmt: skip


@app.command()
def sign(
    fleet: FleetAt,
    key: Keys,
    role: Annotated[
        str, typer.Option(help="What is signed: targets (policies and waves), or root.")
    ] = "targets",
    as_json: Json = False,
) -> None:
    """Sign what waits; says how many signatures are still missing."""
    from flyball.serving.trust.repository import Repository

    fleets.Fleet(fleet)
    missing = -1
    for signer in fleets.key_paths(key):
        missing = Repository(fleet / "repository").sign(signer, role)
    shown.say(
        {"role": role, "missing": missing}, as_json, lambda: iter([f"{role}: {missing} signature(s) missing"])
    )


@app.command()
def publish(
    fleet: FleetAt,
    role: Annotated[str, typer.Option(help="What is published: targets, or root.")] = "targets",
    as_json: Json = False,
) -> None:
    """Publish what enough keys have signed, and sign snapshot and timestamp over it."""
    from flyball.serving.trust.repository import Repository

    bound = fleets.Fleet(fleet)
    repository = Repository(fleet / "repository")
    place, online = bound.online(repository.online_keys(role))
    repository.publish(online, fleets.now(), role)
    if place != bound.told()["online"]:
        bound.note(online=place, next="")
    shown.say({"role": role}, as_json, lambda: iter([f"{role}: published"]))


@app.command()
def rotate(
    fleet: FleetAt,
    role: Annotated[str, typer.Argument(help="root, targets, snapshot or timestamp.")],
    to: Annotated[
        list[Path], typer.Option(help="A public key that holds the role from now on; may be repeated.")
    ],
    threshold: Annotated[int, typer.Option(help="So many of them must sign.")] = 1,
    as_json: Json = False,
) -> None:
    """Stage a root that gives a role other keys: a key was lost or stolen. Sign it with --role root."""
    from flyball.serving.trust import keys
    from flyball.serving.trust.repository import Repository

    fleets.Fleet(fleet)
    if role not in ("root", "targets", "snapshot", "timestamp"):
        known = ("root", "targets", "snapshot", "timestamp")
        raise errors.DeclarationError(f"no role {role!r}, {errors.did_you_mean(role, known)}")
    public = [keys.load_public(path) for path in to]
    Repository(fleet / "repository").rotate(fleets.now(), role, public, threshold)
    shown.say(
        {"role": role},
        as_json,
        lambda: iter([f"{role}: a new root waits for root keys: `flyball keys sign {fleet} --role root`"]),
    )


@app.command()
def delegate(
    fleet: FleetAt,
    to: Annotated[Path, typer.Option(help="The new online key, a private key file: it stays where it is.")],
    as_json: Json = False,
) -> None:
    """Let another online key sign candidates, snapshot and timestamp from now on: the old one was stolen or lost.

    Root keys and the site's keys must both say so: publish the new root first, then what the site's keys sign.
    """
    from flyball.serving.trust.repository import Repository

    bound, new = fleets.Fleet(fleet), fleets.key_paths([to])[0]
    repository = Repository(fleet / "repository")
    for role in ("snapshot", "timestamp"):
        repository.rotate(fleets.now(), role, [new.public_key], 1)
    repository.delegate(fleets.now(), new.public_key)
    bound.note(next=str(to.resolve()))
    shown.say({"online": new.public_key.keyid}, as_json, lambda: iter([
        f"{fleet}: {to} takes the place of the online key once root and site say so:",
        f"  flyball keys sign {fleet} --role root --key ...; flyball keys publish {fleet} --role root",
        f"  flyball keys sign {fleet} --key ...; flyball keys publish {fleet}",
    ]))  # fmt: skip


@app.command()
def show(fleet: FleetAt, as_json: Json = False) -> None:
    """Say which keys hold which role, until when, and what waits for signatures."""
    from flyball.serving.trust.repository import Repository

    fleets.Fleet(fleet)
    repository = Repository(fleet / "repository")
    root = repository.read("root").signed
    roles = {
        name: {"keys": list(role.keyids), "threshold": role.threshold}
        for name, role in sorted(root.roles.items())
    }
    expires = {name: f"{repository.read(name).signed.expires:%Y-%m-%d}" for name in (*roles, "candidates")}
    waiting = sorted(file.stem for file in repository.staged.glob("*.json") if file.name != "policy.json")
    told: dict[str, Any] = {"roles": roles, "expires": expires, "waiting": waiting}

    def lines() -> Iterator[str]:
        for name, role in roles.items():
            held = ", ".join(key[:12] + "…" for key in role["keys"])
            yield f"{name}: {role['threshold']} of {len(role['keys'])} ({held}), until {expires[name]}"
        yield f"candidates: the online key, until {expires['candidates']}"
        yield f"waiting for signatures: {', '.join(waiting) or 'nothing'}"

    shown.say(told, as_json, lines)
