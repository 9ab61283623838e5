"""The commands of a fleet: keys, what is shipped, what runs where, why, and back again."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import audit, durable, errors, seals, systems

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

    from flyball.runtime.controller import Controller
    from flyball.runtime.result import Result

#: So many columns of what machines met are listed.
MET = 8


def rehearsed(page: str, found: Result, store: Path, drill: str, prepared: bool) -> dict[str, Any] | None:
    """Take a run's release out to the simulated sites of a ready-made page; None where there are none."""
    from flyball.serving.staged import Staged

    inputs = systems.inputs(page)
    can = prepared and inputs is not None and hasattr(inputs, "machines")
    if not can or not isinstance(found.page.serving.rollout, Staged):
        if drill:
            raise errors.DeclarationError(
                f"{page}: --drill needs a page with simulated sites, such as scanner"
            )
        return None
    if found.release is None:
        return None
    from flyball.fab import rehearsal

    return rehearsal.rehearse(found, store, inputs.machines(), drill)  # type: ignore[union-attr]


def rollout_lines(told: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield how a release went out, as a person reads it."""
    if told is None:
        return
    where = f"{told['machines']} simulated machines of {len(told['kinds'])} kinds"
    yield f"  rollout on {where}{' (drill: slow on ' + told['drill'] + ')' if told['drill'] else ''}"
    for one in told["acts"]:
        yield f"    {one['act']}: {one['why']}"
    yield f"    runs on {told['running']} machines, reached {told['reached']}; signed as {', '.join(told['signed'])}"


class Fleet:
    """A fleet's folder: the signed set (`repository/`), what the controller notes, and what it is bound to.

    `fleet.json` holds the page, where the online key lies, and the public keys of machines.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "repository" / "metadata").is_dir():
            raise errors.RolloutError(f"{folder}: no signed set there: `flyball keys init {folder}`")

    def told(self) -> dict[str, Any]:
        """Return what the fleet is bound to; a simulated one is bound to nothing."""
        try:
            return seals.unsealed((self.folder / "fleet.json").read_bytes())
        except FileNotFoundError:
            raise errors.RolloutError(
                f"{self.folder}: no fleet.json: a simulated fleet is only looked at (why, status)"
            ) from None
        except ValueError:
            raise errors.StoreError(
                f"{self.folder / 'fleet.json'}: damaged: bring it back from a copy"
            ) from None

    def note(self, **changed: Any) -> None:
        """Change what the fleet is bound to."""
        durable.write(self.folder / "fleet.json", seals.sealed({**self.told(), **changed}))

    def online(self, holders: Collection[str]) -> tuple[str, CryptoSigner]:
        """Return the online key that may sign now and its file: the one in use, or the one that takes its place.

        Raises SignatureError where neither may, as after a new root that only the other key fits.
        """
        told = self.told()
        for place in filter(None, (told["online"], told.get("next", ""))):
            (signer,) = key_paths([Path(place)])
            if signer.public_key.keyid in holders:
                return place, signer
        raise errors.SignatureError(
            f"{self.folder}: neither {told['online']} nor what takes its place may sign the snapshot: publish the new "
            "root first, or name the key with `flyball keys delegate`"
        )

    def controller(self) -> Controller:
        """Return the fleet's controller, which signs with the online key."""
        import tempfile

        from flyball.runtime.controller import Controller
        from flyball.serving.trust import keys
        from flyball.serving.trust.repository import Repository

        told = self.told()
        machines = {}
        for name, pem in told["machines"].items():
            with tempfile.NamedTemporaryFile("w", suffix=".pub") as file:
                file.write(pem)
                file.flush()
                machines[name] = keys.load_public(Path(file.name))
        return Controller(
            self.folder / "controller", told["page"], self._rollout(told["page"]),
            Repository(self.folder / "repository"), keys.load(Path(told["online"])), now, (), machines,
        )  # fmt: skip

    def _rollout(self, page: str) -> Any:
        from flyball.serving.staged import Staged

        found = self.told()["file"]
        rollout = systems.load(found).serving.rollout
        if not isinstance(rollout, Staged):
            raise errors.RolloutError(f"{page}: no rollout on the page: declare serving.Staged")
        return rollout

    def status(self) -> dict[str, Any]:
        """Return what is under way and what each machine last said it runs."""
        note = self.folder / "controller" / "rollout.json"
        told = seals.unsealed(note.read_bytes()) if note.is_file() else {}
        rollout = told.get("rollout") or {}
        reports = self.folder / "reports"
        machines = {file.stem: json.loads(file.read_bytes()) for file in sorted(reports.glob("*.json"))}
        candidate = told.get("candidate") or {}
        serving = str(told.get("serving", ""))
        return {
            "fleet": str(self.folder), "stage": rollout.get("stage", ""), "met": self._met(serving),
            "candidate": candidate.get("release", ""), "version": candidate.get("version", 0),
            "paused": told.get("paused", ""), "waiting": told.get("waiting") is not None,
            "serving": serving, "rolled_back": told.get("rolled_back", {}),
            "machines": {
                name: [{key: page[key] for key in ("page", "answering", "version", "release")} for page in one["pages"]]
                for name, one in machines.items()
            },
        }  # fmt: skip

    def _met(self, serving: str) -> list[dict[str, Any]]:
        """Return the newest window of what machines met beside what the serving release learned from, worst first."""
        kept = self.folder / "controller" / "sketches"
        if not serving or not kept.is_dir() or not (self.folder / "fleet.json").is_file():
            return []
        from flyball.runtime import sketched

        packed = self.folder / "controller" / "packed" / f"{serving}.tar"
        found = sketched.newest(packed, serving, sketched.Kept(kept), self.told()["page"])
        worst = sorted(found, key=lambda one: -one.statistic / max(one.limit, 1e-9))
        return [
            {"column": one.column, "since": one.since, "until": one.until, "n": one.n, "alarm": one.alarm,
             "limit": one.limit if math.isfinite(one.limit) else None, **one.shown}
            for one in worst[:MET]
        ]  # fmt: skip


def following(folder: Path, drop: Path | None) -> Any:
    """Return the fleet as a loop follows it: machines are heard through a folder, and reports kept for `status`."""
    from flyball.runtime.following import Following
    from flyball.site import uplink

    bound = Fleet(folder)
    if drop is not None and not drop.is_dir():
        raise errors.RolloutError(f"{drop}: no folder there through which machines tell: is it mounted?")

    def hear(controller: Controller, at: int | None) -> int:
        def aside(machine: str, error: Exception) -> None:
            controller.audit.append(
                "set aside", {"machine": machine, "why": f"{type(error).__name__}: {error}"}
            )

        heard = uplink.heard(drop, controller.receive, aside) if drop is not None else 0
        for name, report in controller.reports.items():
            durable.folder(folder / "reports")
            durable.write(folder / "reports" / f"{name}.json", json.dumps(report).encode())
        return heard

    return Following(bound.controller(), hear)


def now() -> int:
    """Return the time in microseconds."""
    return time.time_ns() // 1000


def status_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what runs where."""
    if told["candidate"]:
        yield f"{told['fleet']}: version {told['version']} ({told['candidate'][:12]}…) in {told['stage']}"
        if told["waiting"]:
            yield "  waits for the site's keys: `flyball keys sign`, then `flyball keys publish`"
        if told["paused"]:
            yield f"  paused: {told['paused']}"
    else:
        yield f"{told['fleet']}: nothing under way; serving {told['serving'][:12] or 'nothing'}"
    for digest, why_ in told["rolled_back"].items():
        yield f"  rolled back {digest[:12]}…: {why_}"
    for one in told["met"]:
        limit = "too few rows to judge" if one["limit"] is None else f"at most {one['limit']:.3f}"
        alarm = ", ALARM" if one["alarm"] else ""
        yield f"  met {one['column']}: PSI {one['psi']:.3f}, {limit}{alarm} ({one['n']} rows)"
    for name, pages in told["machines"].items():
        for page in pages:
            yield f"  {name}: {page['page']} version {page['version']} ({page['answering'] or 'nothing'})"


def decided(what: str, store: Path, fleet: Path | None) -> Path | None:
    """Return the audit in which decisions about a rollout stand, where that is what is asked for."""
    if fleet is not None:
        return fleet / "controller" / "audit.jsonl"
    from flyball.runtime import why

    if what != "rollout":
        return None
    there = why.audits(store)
    if not there:
        raise errors.RolloutError(
            f"{store}: nothing was rolled out from there yet: `flyball run scanner` does"
        )
    return max(there, key=lambda file: file.stat().st_mtime_ns)


def why(place: Path, what: str) -> dict[str, Any]:
    """Return every decision about a release, or about all of them, after checking that none was changed."""
    log = audit.Audit(place)
    count = log.verify()
    found = log.about("" if what == "rollout" else what)
    return {
        "audit": str(place),
        "acts": count,
        "decisions": [{**e["told"], "act": e["act"], "at": e["at"]} for e in found],
    }


def why_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield decisions, oldest first."""
    from flyball.runtime import look

    for one in told["decisions"]:
        who = f" (version {one['version']}, order {one['number']})" if "version" in one else ""
        yield f"{look.when(one['at'])} {one['act']}{who}: {one.get('why') or one.get('who') or 'as asked'}"
    yield f"  {len(told['decisions'])} of {told['acts']} acts in an audit that is whole"


def key_paths(paths: Sequence[Path]) -> list[Any]:
    """Return the signers of key files; passphrases come from the environment, never from an argument."""
    import os

    from flyball.serving.trust import keys

    return [keys.load(path, os.environ.get("FLYBALL_PASSPHRASE") or None) for path in paths]
