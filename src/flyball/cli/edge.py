"""`flyball edge`: the agent of a machine as a process, with what answers behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flyball import durable, errors, seals
from flyball.cli import fleets, given

#: What arrives is looked at so often, in seconds: each look that finds something is a few writes to the disk.
SCORE_S = 1.0


def begin(
    state: Path, root: Path | None, machine: str | None, kind: str | None, pages: list[str]
) -> dict[str, Any]:
    """Return who this machine is, noted on its first start: its name, kind, pages, and its own key."""
    from flyball.serving.trust import keys

    note = state / "machine.json"
    if note.is_file():
        try:
            told = seals.unsealed(note.read_bytes())
        except ValueError:
            raise errors.StoreError(
                f"{note}: damaged: begin again with --root, --machine, --kind, --page"
            ) from None
        if machine is not None and machine != told["machine"]:
            raise errors.DeclarationError(f"{state} is the state of {told['machine']}, not of {machine}")
        return told
    if root is None or machine is None or kind is None or not pages:
        raise errors.DeclarationError(
            f"{state}: a first start needs --root (the site's root.json), --machine, --kind and --page"
        )
    durable.folder(state)
    if not (state / "machine.key").exists():
        keys.make(state / "machine.key")
    durable.folder(state / "trust")
    durable.write(state / "trust" / "root.json", root.read_bytes())
    durable.write(note, seals.sealed({"machine": machine, "kind": kind, "pages": pages}))
    return seals.unsealed(note.read_bytes())


def go(
    state: Path, mirror: str, told: Mapping[str, Any], *, drop: Path | None, ca: Path | None, token: str | None,
    period_s: float, rounds: int, port: int | None, cap: int, evidence: Path | None = None, rows: Path | None = None,
    ring: Path | None = None, binding: Path | None = None, report: str | None = None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Run the agent and yield what it runs after every round; ends after `rounds`, or when it is told to."""
    from flyball.serving.trust import keys
    from flyball.serving.trust import mirror as mirrors
    from flyball.site import host as hosts
    from flyball.site.agent import Agent, Machine
    from flyball.site.spool import Spool
    from flyball.site.uplink import Drop, Post

    if drop is not None and report is not None:
        raise errors.DeclarationError("--drop and --report are two ways to tell the same: give one of them")
    uplink: Any = Post(report, ca, token) if report is not None else Drop(drop) if drop is not None else None
    if port and len(told["pages"]) > 1:
        raise errors.DeclarationError(
            f"--port {port} can answer one page and this machine has {len(told['pages'])}: "
            "give --port 0, and each page gets a free port"
        )
    answering: dict[str, hosts.Answering] = {}

    def made(page: str) -> hosts.Answering:
        answering[page] = hosts.Answering()
        return answering[page]

    endpoints: list[Any] = []
    scorings: list[Any] = []
    with given.ended() as stop, durable.lock(state / "agent.lock", 1.0):
        try:
            spool = Spool(state / "spool", cap)
            agent = Agent(
                state, Machine(told["machine"], told["kind"], dict.fromkeys(told["pages"], "")),
                mirrors.Late(lambda: mirrors.of(mirror, ca, token)), made, spool,
                keys.load(state / "machine.key"), fleets.now, None, uplink,
                period=int(period_s * 1e6),
            )  # fmt: skip
            scorings = _scorings(state, agent, answering, rows, ring, binding)
            agent.boot(at_once=True)
            if port is not None:
                endpoints = [_endpoint(page, one, port) for page, one in answering.items()]
            count = 0
            while not stop.is_set():
                _seen(agent, answering)
                due = agent.step()
                _score(scorings)
                if evidence is not None:
                    carried(agent, evidence)
                yield {
                    "machine": told["machine"],
                    "problem": agent.problem or next((one.problem for one in scorings if one.problem), ""),
                    "answered": sum(one.answered for one in scorings),
                    "pages": [seat.told() for seat in agent.seats.values()], "spooled": spool.waiting(),
                    "listens": [one.url for one in endpoints],
                }  # fmt: skip
                count += 1
                if rounds and count >= rounds:
                    return
                until = min(due / 1e6, time.time() + period_s)
                while not stop.is_set() and (left := until - time.time()) > 0:
                    if not any(one.more for one in scorings):
                        stop.wait(min(left, SCORE_S))
                    _score(scorings)
        finally:
            for one in (*endpoints, *scorings):
                one.close()
            for host in answering.values():
                host.close()


def _scorings(
    state: Path,
    agent: Any,
    answering: Mapping[str, Any],
    rows: Path | None,
    ring: Path | None,
    binding: Path | None,
) -> list[Any]:
    """Return what scores the rows that arrive, one for each page, where there is a place from which they come."""
    from flyball.data import binding as bindings
    from flyball.site.scoring import Scoring

    if rows is None and ring is None:
        return []
    if rows is not None and not rows.is_dir():
        raise errors.DataError(f"{rows}: no folder there: give the one in which files arrive")
    held = bindings.read(binding) if binding is not None else None
    return [
        Scoring(
            state / "scoring", page, host, agent.spool, fleets.now, agent.machine.name, agent.machine.kind, rows, ring,
            held, agent.keep, lambda: agent.may_leave("sketches"),
        )
        for page, host in answering.items()
    ]  # fmt: skip


def _score(scorings: list[Any]) -> None:
    """Score what is new."""
    for one in scorings:
        one.step()


def carried(agent: Any, file: Path) -> None:
    """Write what waits, the report and the audit as one signed file that is carried over an air gap.

    What was carried twice is taken in once; it waits here until the cap, as nobody says that it arrived.
    """
    import tempfile

    from flyball.serving.trust import bundle
    from flyball.site.uplink import Drop

    with tempfile.TemporaryDirectory() as place:
        batches = agent.leaving()
        Drop(Path(place)).send(agent.machine.name, agent.report(batches), batches, lambda batch: None)
        files = {found.name: found.read_bytes() for found in Path(place).iterdir()}
    if agent.audit.path.is_file():
        files["audit.jsonl"] = agent.audit.path.read_bytes()
    bundle.outward(file, files, {"machine": agent.machine.name, "at": agent.clock()}, agent.signer)


def secret(file: Path) -> str:
    """Return the token in a file that only its owner can read."""
    if not file.is_file() or file.stat().st_mode & 0o077:
        raise errors.DataError(f"{file}: no token that only its owner can read: chmod 600 it")
    return file.read_text().strip()


def _seen(agent: Any, answering: Mapping[str, Any]) -> None:
    """Tell what each release came to since the last round."""
    now = fleets.now()
    for page, host in answering.items():
        seat = agent.seats[page]
        serving, shadow = seat.serving, seat.shadow
        for digest, counts in host.counts().items():
            stage = serving.stage if serving is not None and serving.release == digest else ""
            stage = "shadow" if shadow is not None and shadow.release == digest else stage
            if stage:
                agent.keep("exposures", {
                    "machine": agent.machine.name, "kind": agent.machine.kind, "release": digest, "stage": stage,
                    "since": now, "until": now, **counts,
                })  # fmt: skip


def _endpoint(page: str, host: Any, port: int) -> Any:
    from flyball.site.endpoint import Endpoint
    from flyball.site.endpoint_access import Bind

    return Endpoint(host.router, page, Bind(port=port)).start()


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a machine runs."""
    for page in told["pages"]:
        shadow = f", {page['shadow'][:12]}… in shadow" if page["shadow"] else ""
        yield f"{told['machine']}: {page['page']} version {page['version']} ({page['answering'] or 'nothing'}){shadow}"
        for digest, why in page["refused"].items():
            yield f"  refused {digest[:12]}…: {why}"
    if told.get("answered"):
        yield f"  {told['answered']} questions about rows that arrived answered"
    if told["problem"]:
        yield f"  {told['problem']}"
