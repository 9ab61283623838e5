"""`flyball ship`: from a release in a store to the orders that a fleet's machines read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flyball import durable, errors
from flyball.cli import fleets, given


def go(
    fleet: Path, what: str | None, store: Path, why: str, drop: Path | None, bundle: Path | None,
    evidence: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Offer, hear, decide, and write a bundle, each where it is asked for; return what came of it."""
    from flyball.serving.trust import bundle as bundles
    from flyball.site import uplink

    bound = fleets.Fleet(fleet)
    with durable.lock(fleet / "ship.lock"):
        controller = bound.controller()
        told: dict[str, Any] = {
            "fleet": str(fleet),
            "shipped": None,
            "heard": 0,
            "set aside": {},
            "step": None,
        }
        if what is not None:
            folder = found(what, store)
            policy = controller.repository.policy()
            if policy is None:
                raise errors.RolloutError(
                    f"{fleet}: the site has no policy yet: `flyball keys policy`, sign, publish"
                )
            order = controller.ship(folder, sorted(set(policy.machines.values())), schema(folder), why)
            told["shipped"] = {"release": order.release, "version": order.version, "number": order.number}
        if evidence is not None:
            told["evidence"] = carried(evidence, controller)
        if drop is not None:
            aside: dict[str, str] = {}
            told["heard"] = uplink.heard(
                drop,
                controller.receive,
                lambda machine, error: aside.update({machine: f"{type(error).__name__}: {error}"}),
            )
            told["set aside"] = aside
        for name, report in controller.reports.items():
            durable.folder(bound.folder / "reports")
            durable.write(bound.folder / "reports" / f"{name}.json", json.dumps(report).encode())
        step = controller.step()
        if step is not None:
            told["step"] = {"action": step.action, "stage": step.stage, "why": step.why}
        if bundle is not None:
            told["bundle"] = {"file": str(bundle), "bytes": bundles.inward(fleet / "repository", bundle)}
        return told


def receive(
    fleet: Path, drop: Path | None, place: str, certificate: Path | None, key: Path | None, tokens: Path | None,
    every_s: float,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Hear machines over HTTPS and decide now and then, until told to end; yield what came of it each time.

    What machines send lies in `drop`, or in the fleet's own folder, until it is taken in.
    """
    from flyball.runtime.receiver import Receiver
    from flyball.site.endpoint_access import Bind

    host, _, port = place.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise errors.DeclarationError(f"--receive {place}: give HOST:PORT, such as 127.0.0.1:8443")
    bind = Bind(host.strip("[]") or "127.0.0.1", int(port), None, certificate, key, tokens)
    heard = drop if drop is not None else fleet / "drop"
    bound = fleets.Fleet(fleet)
    if drop is None:
        durable.folder(heard)
    with given.ended() as stop, Receiver(heard, bound.controller().machines, bind) as receiver:
        while not stop.is_set():
            receiver.keys = bound.controller().machines  # a machine may have been enrolled since
            yield {**go(fleet, None, fleet, "", heard, None), "listens": receiver.url}
            stop.wait(every_s)


def carried(file: Path, controller: Any) -> str:
    """Take in what a machine's signed file tells that was carried over an air gap; return the machine's name.

    Raises SignatureError for a file that no machine of this site signed.
    """
    import tempfile

    from flyball.serving.trust import bundle
    from flyball.site import uplink

    for name, key in controller.machines.items():
        try:
            told, files = bundle.opened(file, key)
        except errors.SignatureError:
            continue
        if told.get("machine") != name:
            break
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / f"{name}.out.json").write_bytes(files[f"{name}.out.json"])
            uplink.heard(Path(place), controller.receive, _raised)
        return str(name)
    raise errors.SignatureError(f"{file}: no machine of this site signed it: enrol it first, or set it aside")


def _raised(machine: str, error: Exception) -> None:
    """Raise what is wrong with what a machine told: one file was given, and there are no others to be heard."""
    raise error


def found(what: str, store: Path) -> Path:
    """Return the folder of a release, given itself or by the start of its digest in a store."""
    if Path(what).is_dir():
        return Path(what)
    there = sorted((store / "releases").glob(f"{what}*")) if len(what) >= 6 else []
    if len(there) != 1:
        raise errors.RolloutError(
            f"{what}: {len(there)} releases of {store} begin so: give a folder, or more of the digest"
        )
    return there[0]


def schema(folder: Path) -> str:
    """Return the digest of the features that a release reads."""
    from flyball.runtime import following

    return following.schema(folder)


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was done."""
    if told["shipped"]:
        one = told["shipped"]
        which = f"version {one['version']} ({one['release'][:12]}…)"
        yield f"{told['fleet']}: {which} offered in shadow, order {one['number']}"
    if "listens" in told:
        yield f"{told['fleet']}: hears machines at {told['listens']}"
    if told["heard"]:
        yield f"  heard {told['heard']} machine(s)"
    if "evidence" in told:
        yield f"  took in what {told['evidence']} told by hand"
    for machine, why in told["set aside"].items():
        yield f"  set aside what {machine} told: {why}"
    if told["step"]:
        yield f"  {told['step']['action']} ({told['step']['stage']}): {told['step']['why']}"
    if "bundle" in told:
        yield f"  {told['bundle']['file']}: {told['bundle']['bytes']} bytes, to be carried over"
