"""Trials of releases and fleets: what is offered, how it travels, and what becomes of it on many machines.

Each trial takes a seed and an empty folder, and a switch that breaks what it is about: broken, it must fail.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.fab import sites
from flyball.fab.sites import Behaviour
from flyball.serving.trust import mirror
from flyball.site import spool
from flyball.torture import agents, attacks, offers, updates
from flyball.torture import serving as serving_trials
from flyball.torture.trial import Open, Told, Trial, held
from flyball.torture.world import BLIND, ROLLOUT, broken, judged, made, ordered, served


def differs_here(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R30: a variant whose answers differ on one kind of machine's instructions is refused there, and told."""
    begun = time.monotonic()
    world = made(folder, seed)
    world.unchecked = sabotage
    first = served(world)
    second = world.ship(world.release("int8", Behaviour(differs_on=("exe",))))
    world.advance(7 * 24, every=12)
    exe = {answer for name, answer in world.running().items() if world.machines[name].kind == "exe"}
    told = any("golden vectors" in str(alarm["what"]) for alarm in world.told("alarms"))
    if exe != {first} or not told:
        return judged(f"on exe {exe} answers, alarm: {told}", begun)
    return judged("" if second not in exe else "refused nowhere", begun)


def attacked(row: str, seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R32 to R37, R40, R45: every named attack of a row on the signed set."""
    begun = time.monotonic()
    for attack in attacks.ATTACKS:
        if attack.row == row:
            place = folder / attack.name
            place.mkdir()
            if why := attacks.mounted(attack, place, sabotage):
                return judged(f"{attack.name}: {why}", begun)
    return judged("", begun)


def replayed(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R33: the site's keys order an older version by mistake; only an order that names what may be left goes back."""
    begun = time.monotonic()
    world = made(folder, seed)
    first = served(world)
    second = world.ship(world.release("second"))
    world.advance(6 * 24, every=12)
    ordered(world, first, back_from=(1, 2) if sabotage else ())
    world.advance(24, every=12)
    if set(world.running().values()) != {second}:
        return judged("an older version came back by an order that does not say so", begun)
    if not any("RollbackAttackError" in alarm["what"] for alarm in world.told("alarms")):
        return judged("nobody was told of the refused downgrade", begun)
    ordered(world, first, back_from=(2,))
    world.advance(24, every=12)
    return judged(
        "" if set(world.running().values()) == {first} else "the ordered downgrade did not happen", begun
    )


def dripped(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R36: a server that drips bytes is let go of after the grace; what runs goes on."""
    begun = time.monotonic()
    ticks = iter(range(0, 1_000_000, 2))
    with broken(mirror, "FLOOR", 0.0, sabotage):
        try:
            for got, _ in enumerate(mirror.steady(iter([b"x"] * 2000), "drip", clock=lambda: next(ticks))):
                if got > 100:
                    return judged("bytes at half a byte a second were waited for", begun)
        except errors.SlowRetrievalError:
            return judged("", begun)
    return judged("a drip was taken for a file", begun)


def wrong_target(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R39: rightly signed, for another kind of machine or other features: refused there by name."""
    begun = time.monotonic()
    world = made(folder, seed)
    first = served(world)
    kinds, schema = (["nxe", "exe"], sites.SCHEMA) if sabotage else (["nxe"], sites.SCHEMA)
    world.controller.ship(world.release("for nxe"), kinds, schema)
    world.advance(6 * 24, every=12)
    exe = {answer for name, answer in world.running().items() if world.machines[name].kind == "exe"}
    alarms = " ".join(alarm["what"] for alarm in world.told("alarms"))
    if exe != {first} or "WrongTargetError" not in alarms:
        return judged(f"on exe {exe} answers", begun)
    world.controller.roll_back("tidy")
    world.controller.ship(
        world.release("other features"), ["nxe", "exe"], sites.SCHEMA if sabotage else "dd" * 32
    )
    world.advance(24, every=12)
    beside = {site.host.beside for site in world.machines.values() if site.host}
    return judged("" if beside == {""} else "other features were taken in", begun)


def bad_on_one_kind(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R43: a release that is slow on one kind of machine only is stopped at the canary; the others never get it."""
    begun = time.monotonic()
    world = made(folder, seed, count=12, rollout=BLIND if sabotage else ROLLOUT)
    first = served(world)
    bad = world.ship(world.release("bad", Behaviour(slow=0.4, only="exe")))
    reached: set[str] = set()
    for _ in range(14):
        world.advance(12, every=12)
        reached |= {name for name, answer in world.running().items() if answer == bad}
    canary = set(world.rollout.groups("p", {n: s.kind for n, s in world.machines.items()})["canary"])
    why = [entry["told"]["why"] for entry in world.controller.why(bad) if entry["act"] == "rolled back"]
    if not reached <= canary:
        return judged(f"{len(reached - canary)} machines beyond the canary got it", begun)
    if not why or "exe" not in why[0]:
        return judged(f"not rolled back with its reason: {why}", begun)
    return judged("" if set(world.running().values()) == {first} else "it still runs", begun)


def offline(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R44: a site is cut off for 14 days and comes back: what it told arrives once, and is counted where lost."""
    world = made(folder, seed, count=6)
    first = served(world)
    small = world.machines["m05"]
    assert small.agent is not None
    small.agent.spool.cap = 6_000  # type: ignore[attr-defined]
    for site in world.machines.values():
        site.link = False
    before = {name: site.made for name, site in world.machines.items()}
    if sabotage:
        for site in world.machines.values():
            assert site.agent is not None
            site.agent.spool.cap = 2_000  # type: ignore[attr-defined]
    world.advance(14 * 24, every=6)
    if set(world.running().values()) != {first}:
        return Told(False, 0.0, 0, "somebody stopped serving")
    begun = time.monotonic()
    for site in world.machines.values():
        site.link, site.asked = True, 0
    first_round: list[int] = []
    for _ in range(60):
        world.advance(0.25, every=0.25)
        first_round.append(sum(site.asked > 0 for site in world.machines.values()))
    back = time.monotonic() - begun
    if first_round[-1] < len(world.machines):
        return Told(False, back, 0, f"{first_round[-1]} of {len(world.machines)} came back")
    if first_round[0] == len(world.machines):
        return Told(False, back, 0, "all asked at once")
    told = world.told("exposures")
    keys = [(one["machine"], one["release"], one["since"], one["until"]) for one in told]
    if len(keys) != len(set(keys)):
        return Told(False, back, 0, "something arrived twice")
    missing = world.controller.missing()
    for name, site in world.machines.items():
        got = sum(one["machine"] == name for one in told)
        spool = site.agent.spool if site.agent else None
        kept = [batch for batch in (spool.batches() if spool else ()) if batch.kind == "exposures"]
        waiting = sum(len(batch.records) for batch in kept)
        lost = missing.get(name, {}).get("exposures", 0)
        if name != "m05" and lost:
            return Told(False, back, 0, f"{name}: {lost} lost below the cap")
        if site.made != got + waiting + lost or site.made <= before[name]:
            return Told(
                False, back, 0, f"{name}: {site.made} told, {got} arrived, {waiting} wait, {lost} counted"
            )
    if not missing.get("m05", {}).get("exposures"):
        return Told(False, back, 0, "the small spool lost nothing: the cap was never reached")
    return Told(True, back)


def expired(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R45: an expired set and a wrong clock at an air-gapped site: what runs goes on, nothing new comes, and why."""
    begun = time.monotonic()
    world = made(folder, seed, count=3)
    first = served(world)
    site = world.machines["m01"]
    second = world.ship(world.release("second"))
    site.skew = 0 if sabotage else 900 * 24 * sites.HOUR
    world.advance(6 * 24, every=12)
    assert site.agent is not None
    if world.running()["m01"] != first:
        return judged("a set that has expired by this machine's clock was followed", begun)
    if "FreezeAttackError" not in site.agent.problem or "clock" not in site.agent.problem:
        return judged(f"not said why: {site.agent.problem!r}", begun)
    site.skew = 0
    world.advance(4 * 24, every=12)
    return judged(
        "" if world.running()["m01"] == second else "the right time came back and the update did not", begun
    )


def split(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R46: links go up and down, answers are lost, power goes, the controller restarts: each machine applies once."""
    world = made(folder, seed, count=8)
    rng = world.rng
    first = world.ship(world.release("first"))
    with broken(spool.Received, "take", _again, sabotage):
        for _ in range(28):
            for site in world.machines.values():
                site.link, site.lossy = rng.random() < 0.7, 0.3
                site.cut = int(rng.integers(0, 60)) if rng.random() < 0.15 else None
            if rng.random() < 0.3:
                world.controller = world.control()
            world.advance(12, every=6)
    for site in world.machines.values():
        site.link, site.lossy, site.cut = True, 0.0, None
    begun = time.monotonic()
    world.advance(5 * 24, every=6)
    back = time.monotonic() - begun
    if set(world.running().values()) != {first}:
        return Told(False, back, 0, f"not everywhere: {world.controller.status()}")
    for name, site in world.machines.items():
        if site.installs.count(first) > 2 + site.cuts:
            return Told(False, back, 0, f"{name} switched {site.installs.count(first)} times")
    told = world.told("exposures")
    keys = [(one["machine"], one["release"], one["stage"], one["since"]) for one in told]
    return Told(
        len(keys) == len(set(keys)), back, 0, "" if len(keys) == len(set(keys)) else "something came twice"
    )


def _again(self: spool.Received, batch: spool.Batch) -> tuple[Mapping[str, Any], ...]:
    """Take a batch as one does that does not look at its numbers."""
    self.missing["taken"] = self.missing.get("taken", 0) + 1
    return batch.records


_BY_ROW: tuple[tuple[str, str, Callable[..., Told], int], ...] = (
    ("R4", "disk full during an update", updates.full_disk, 8),
    ("R24", "pickle, joblib, torch, arrays of objects, keras offered", offers.code_offered, 8),
    ("R25", "ONNX weights at .., absolute, linked, hard-linked, sparse", offers.weights_outside, 8),
    ("R26", "swapped weights file", updates.swapped, 4),
    ("R30", "answers differ on one kind's instructions", differs_here, 4),
    *(
        (row, f"{what}: every named attack", functools.partial(attacked, row), 8)
        for row, what in (
            ("R32", "arbitrary model"), ("R33", "rollback"), ("R34", "freeze"), ("R35", "mix-and-match"),
            ("R36", "endless data"), ("R37", "fast-forward and recovery"), ("R40", "key loss and theft"),
            ("R45", "expiry and clocks"),
        )
    ),
    ("R33", "an older version ordered by mistake", replayed, 4),
    ("R36", "slow retrieval", dripped, 8),
    ("R38", "extraneous files", offers.extra, 8),
    ("R39", "wrong machine type or features", wrong_target, 4),
    ("R41", "power cut at every step of an update", updates.cut_in_update, 8),
    ("R42", "release and fallback both broken", updates.both_broken, 4),
    ("R43", "bad on one machine type only", bad_on_one_kind, 2),
    ("R44", "offline 14 days, then back", offline, 4),
    ("R45", "expired set and wrong clock", expired, 4),
    ("R46", "split link, lost answers, restarts", split, 2),
)  # fmt: skip
OPEN: tuple[Open, ...] = ()


def _broken(run: Callable[..., Told]) -> Callable[[int, Path], Told]:
    """Return a trial of answering with what it is about broken."""
    return functools.partial(run, sabotage="broken")


def trials(sabotage: bool = False) -> tuple[Trial, ...]:
    """Return every trial, each broken on purpose where asked."""
    own = (
        Trial(row, fault, functools.partial(run, sabotage=sabotage), every)
        for row, fault, run, every in _BY_ROW
    )
    answering = (
        trial._replace(run=_broken(trial.run)) if sabotage else trial for trial in serving_trials.TRIALS
    )
    real = (
        Trial(row, fault, functools.partial(run, sabotage=sabotage), every)
        for row, fault, run, every in agents.TRIALS
    )
    return tuple(sorted((*own, *answering, *real), key=lambda trial: int(trial.row[1:])))


def table(
    seeds: Sequence[int], only: Sequence[str] = (), progress: Callable[[str, int, int], None] | None = None,
    sabotage: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Run the trials of some rows (all: none named) with some seeds; return {"rows": [...], "open": [...]}.

    Raises DeclarationError for a row that is not tried.
    """
    every = trials(sabotage)
    known = list(dict.fromkeys(trial.row for trial in every))
    for row in only:
        if row not in known:
            raise errors.DeclarationError(f"no row {row!r}, " + errors.did_you_mean(row, known))
    chosen = [trial for trial in every if not only or trial.row in only]
    return {"rows": held(chosen, seeds, progress), "open": [one._asdict() for one in OPEN]}
