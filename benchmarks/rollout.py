"""Rollouts over 200 seeds: good releases rolled back by chance, planted faults caught, beside a test that is peeked at.

The fleet has 60 machines of three kinds, asked 48 times a day; every six hours each tells what it saw, and the rollout
decides.  A good release behaves as the one that serves: 1 % of its answers are slow, 5 % of decisions differ, its
loss is the same.  Each fault is planted in one figure, on all machines or on one kind only, in the size that is stated.
The peer is what a dashboard does: at every look a one-sided z-test per figure and kind, at the 5 % level divided by the
number of tests (Bonferroni), as if it were looked at once.  Both see the same exposures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks import sidebyside
from flyball import evidence, serving
from flyball.units import days

SEEDS, MACHINES, PER_DAY, EVERY_H = 200, 60, 48, 6
KINDS = ("nxe", "exe", "dry")
STAGED = serving.Staged(shadow=days(7), canary=0.05, hold=days(3), waves=(0.25, 1.0))
GOOD = {"slow": 0.01, "crashes": 0.0002, "violations": 0.0002, "disagreed": 0.05, "worse": 0.0}
HOUR = 3_600_000_000
#: (name, figure, its rate where it is planted, the only kind or "")
FAULTS = (
    ("slow: 6 % of answers", "slow", 0.06, ""),
    ("slow: 6 % on one kind only", "slow", 0.06, "exe"),
    ("crashes: 0.5 % of answers", "crashes", 0.005, ""),
    ("crashes: 2 % on one kind only", "crashes", 0.02, "exe"),
    ("physics: 0.5 % of answers", "violations", 0.005, ""),
    ("disagreement: 20 % of decisions", "disagreed", 0.20, ""),
    ("disagreement: 20 % on one kind only", "disagreed", 0.20, "exe"),
    ("loss larger by 0.05", "worse", 0.05, ""),
    ("loss larger by 0.08 on one kind only", "worse", 0.08, "exe"),
)


def run() -> dict[str, Any]:
    """Return the shares of good releases rolled back and of bad ones caught, ours and the peer's, over all seeds."""
    rows = []
    ours, theirs = zip(*(lived(seed, "", 0.0, "") for seed in range(SEEDS)), strict=True)
    rows.append(_row("good releases rolled back", _share(ours), _share(theirs), 5.0, at_most=True))
    for name, figure, rate, only in FAULTS:
        found = [lived(seed, figure, rate, only) for seed in range(SEEDS)]
        ours, theirs = zip(*found, strict=True)
        rows.append(_row(f"caught, {name}", _share(ours), _share(theirs), 90.0, at_most=False))
        back = [one["hours"] for one in ours if one["back"]]
        peer = [one["hours"] for one in theirs if one["back"]]
        rows.append(sidebyside.row(
            f"  hours until it was back, median: {name}", float(np.median(back)) if back else math.nan,
            float(np.median(peer)) if peer else None, "z-test at every look", "h", goal=None,
        ))  # fmt: skip
        exposed = float(np.median([one["exposed"] for one in ours if one["back"]] or [0]))
        rows.append(
            sidebyside.row(
                f"  machines that answered with it, median: {name}",
                exposed,
                None,
                "",
                f"of {MACHINES}",
                goal=None,
            )
        )
    return sidebyside.result("rollout", ("numpy",), rows)


def lived(seed: int, figure: str, rate: float, only: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Roll a release out once; return what became of it by our decisions, and by a z-test that sees the same."""
    rng = np.random.default_rng([seed, sum(figure.encode()), int(rate * 1e6), len(only)])
    machines = {f"m{n:02d}": KINDS[n % 3] for n in range(MACHINES)}
    groups = STAGED.groups("p", machines)
    state, now, peer = STAGED.start(0), 0, Peeked()
    told: dict[str, Any] | None = None
    exposed: set[str] = set()
    while True:
        now += EVERY_H * HOUR
        stage = str(state["stage"])
        due = machines if stage == "shadow" else {m: machines[m] for m in groups[stage]}
        exposed |= set() if stage == "shadow" else set(due)
        seen = list(exposures(rng, due, stage, now, figure, rate, only))
        peer.look(seen, now)
        state, step = STAGED.next(state, seen, due, now)
        if step.action == "rollback" and told is None:
            told = {"back": True, "hours": now / HOUR, "exposed": len(exposed)}
        if step.action == "rollback" or state["stage"] == "done":
            told = told or {"back": False, "hours": now / HOUR, "exposed": len(exposed)}
            return told, peer.told(now)


def exposures(
    rng: np.random.Generator,
    due: Mapping[str, str],
    stage: str,
    now: int,
    figure: str,
    rate: float,
    only: str,
) -> Iterator[evidence.Exposure]:
    """Yield what machines see in one span."""
    for machine, kind in due.items():
        rates = dict(GOOD)
        if figure and (not only or kind == only):
            rates[figure] = rate
        n = int(rng.poisson(PER_DAY * EVERY_H / 24))
        losses = rng.normal(rates["worse"], 0.25, n).clip(-1, 1)
        bad = {
            name: int(rng.binomial(n, rates[name])) for name in ("slow", "crashes", "violations", "disagreed")
        }
        if stage == "shadow":
            bad["slow"] = bad["crashes"] = 0  # of what shadows nobody waits for the answer
        yield evidence.Exposure(
            machine, kind, "ab" * 32, stage, now - EVERY_H * HOUR, now, n, **bad, outcomes=n,
            difference=float(losses.sum()), squares=float((losses**2).sum()),
        )  # fmt: skip


class Peeked:
    """One-sided z-tests that are looked at again and again, each time as if it were the first."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], list[float]] = {}
        self.at: int | None = None
        self.level = STAGED.false_rollbacks / (5 * (len(KINDS) + 1))

    def look(self, seen: list[evidence.Exposure], now: int) -> None:
        """Add what was seen, and note the first look at which any test says that the release is worse."""
        for one in seen:
            for where in (one.kind, ""):
                for figure in ("slow", "crashes", "violations", "disagreed"):
                    if one.stage != "shadow" or figure in ("violations", "disagreed"):
                        self._add((figure, where), one.answers, getattr(one, figure), 0.0)
                self._add(("worse", where), one.outcomes, one.difference, one.squares)
        if self.at is None and any(self._p(key) < self.level for key in self.held):
            self.at = now

    def told(self, now: int) -> dict[str, Any]:
        """Return what became of the release by these tests."""
        return {"back": self.at is not None, "hours": (self.at or now) / HOUR, "exposed": 0}

    def _add(self, key: tuple[str, str], n: int, total: float, squares: float) -> None:
        held = self.held.setdefault(key, [0.0, 0.0, 0.0])
        for place, value in enumerate((n, total, squares)):
            held[place] += value

    def _p(self, key: tuple[str, str]) -> float:
        n, total, squares = self.held[key]
        if n < 30:
            return 1.0
        limit = getattr(STAGED, key[0])
        spread = limit * (1 - limit) if key[0] != "worse" else max(squares / n - (total / n) ** 2, 1e-9)
        return 0.5 * math.erfc((total / n - limit) / math.sqrt(spread / n) / math.sqrt(2))


def _share(found: Any) -> float:
    return 100.0 * sum(one["back"] for one in found) / len(found)


def _row(case: str, ours: float, peer: float, goal: float, at_most: bool) -> dict[str, Any]:
    made = sidebyside.row(f"{case} (of {SEEDS} seeds)", ours, peer, "z-test at every look", "%", goal=None)
    return {**made, "ratio": None, "goal": goal, "met": ours <= goal if at_most else ours >= goal}
