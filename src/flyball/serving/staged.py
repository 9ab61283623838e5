"""How a release goes out: shadow on all machines, then a canary, then waves, each held for a while and watched."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flyball import data, errors, evidence, units
from flyball.serving import sequential, stage

#: What is watched as a rate of answers, and what it is called when a person is told.
RATES = {
    "slow": "slow answers",
    "crashes": "crashes",
    "violations": "physics violations",
    "disagreed": "disagreement",
}
#: Kinds of machine together: what is a little wrong everywhere shows here first.
ALL = "all machines"


class Staged(stage.Rollout):
    """Shadow for `shadow`, then a share `canary` of the machines, then `waves` of all, each held for `hold`.

    Why: shadow answers nobody acts on are judged by outcomes, so shadow must last longer than the horizon of the
    label; the canary is judged by latency, crashes, physics and disagreement, which show at once.  A release that is
    as good as it must be is rolled back with a chance of at most `false_rollbacks` over the whole rollout, however
    often one looks: every figure of every kind of machine has an e-value, and the rollout ends when their mean
    reaches 1 / `false_rollbacks`.  A kind of machine on which alone a release is worse is thus found, and named.

    `slow`, `crashes`, `violations` and `disagreed` are the rates per answer that a good release keeps to, `worse` is
    how much larger its paired loss may be; a stage ends only with `least` answers and most of its machines heard of.

    >>> Staged(shadow=units.days(7), canary=0.05, hold=units.days(3)).canary
    0.05
    """

    shadow: units.Duration
    canary: float
    hold: units.Duration
    waves: tuple[float, ...] = (1.0,)
    false_rollbacks: float = 0.05
    slow: float = 0.02
    crashes: float = 0.001
    violations: float = 0.001
    disagreed: float = 0.1
    worse: float = 0.02
    least: int = 30
    silent: float = 0.2

    def groups(self, page: str, machines: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """Return the machines of the canary and of each wave, the same in every process.

        `machines` maps a machine to its kind.  Every kind has at least one machine in the canary: what is wrong on
        one kind only must show there.  A wave holds all machines of the one before.

        >>> staged = Staged(units.days(1), 0.1, units.days(1), waves=(0.5, 1.0))
        >>> {name: len(found) for name, found in staged.groups("p", {f"m{n}": "ab"[n % 2] for n in range(20)}).items()}
        {'canary': 2, 'wave-1': 10, 'wave-2': 20}
        """
        by_kind: dict[str, list[str]] = {}
        for machine in sorted(machines, key=lambda name: hashlib.sha256(f"{page}/{name}".encode()).digest()):
            by_kind.setdefault(machines[machine], []).append(machine)
        shares = {"canary": self.canary} | {f"wave-{n}": share for n, share in enumerate(self.waves, 1)}

        def first(names: list[str], share: float) -> list[str]:
            return names[: max(1, math.ceil(share * len(names) - 1e-9))]

        return {
            name: tuple(sorted(machine for names in by_kind.values() for machine in first(names, share)))
            for name, share in shares.items()
        }

    def stages(self) -> tuple[str, ...]:
        """Return the stages in their order."""
        return ("shadow", "canary", *(f"wave-{number}" for number in range(1, len(self.waves) + 1)))

    def start(self, now: int) -> Mapping[str, Any]:
        """Return the state of a rollout that begins with the shadow at `now` (microseconds)."""
        return {
            "stage": "shadow", "since": now, "rates": {}, "losses": {}, "answers": 0, "outcomes": 0, "heard": {},
            "kinds": [],
        }  # fmt: skip

    def next(
        self,
        state: Mapping[str, Any],
        exposures: Iterable[evidence.Exposure],
        due: Mapping[str, str],
        now: int,
    ) -> tuple[Mapping[str, Any], evidence.Step]:
        """Return the new state and what to do, after what machines told of the candidate since the last call.

        `due` maps the machines of this stage to their kinds.  State is plain JSON.  A step "promote" has moved the
        state on to the next stage, whose hold begins at `now`; after the last one it is "done".
        """
        held = self._seen(state, exposures)
        # The kinds of the shadow, which is on all machines, are those that are judged to the end: were they those of
        # each stage, the mean would be over other tests at every stage, and the stated chance would not hold.
        held["kinds"] = state["kinds"] or sorted({*due.values()})
        tests = self._tests(held)
        e = sum(test.figure for test in tests) / len(tests) if tests else 1.0
        if e >= 1 / self.false_rollbacks:
            return held, self._rollback(held, tests, e)
        now_stage = str(held["stage"])
        if now < held["since"] + int(self.shadow if now_stage == "shadow" else self.hold):
            return held, evidence.Step("hold", now_stage, "held for its time", e, 1 / self.false_rollbacks)
        if (short := self._short(held, due)) is not None:
            return held, short
        following = [*self.stages(), "done"][self.stages().index(now_stage) + 1]
        moved = {**held, "stage": following, "since": now, "answers": 0, "outcomes": 0, "heard": {}}
        told = f"{held['answers']} answers and {held['outcomes']} outcomes, nothing against it"
        return moved, evidence.Step("promote", following, told, e, 1 / self.false_rollbacks)

    def _seen(self, state: Mapping[str, Any], exposures: Iterable[evidence.Exposure]) -> dict[str, Any]:
        """Return the state with what machines told added, in an order that does not depend on theirs."""
        rates = {name: sequential.Rate(*told) for name, told in state["rates"].items()}
        losses = {
            name: sequential.Losses(told[0], told[1], tuple(told[2]))
            for name, told in state["losses"].items()
        }
        heard, answers, outcomes = dict(state["heard"]), int(state["answers"]), int(state["outcomes"])
        for one in sorted(exposures, key=lambda told: (told.since, told.machine)):
            answers, outcomes = answers + one.answers, outcomes + one.outcomes
            heard[one.machine] = heard.get(one.machine, 0) + one.answers
            for where in (one.kind, ALL):
                for figure in RATES:
                    if one.stage != "shadow" or figure in ("violations", "disagreed"):
                        name = f"{figure}/{where}"
                        rate = rates.get(name, sequential.Rate())
                        rates[name] = rate.seen(max(one.answers, getattr(one, figure)), getattr(one, figure))
                if one.outcomes:
                    held = losses.get(where, sequential.Losses())
                    losses[where] = held.seen(one.outcomes, one.difference, one.squares, self.worse)
        return {
            **state, "rates": {name: list(rate) for name, rate in sorted(rates.items())},
            "losses": {n: [told.n, told.total, list(told.wealth)] for n, told in sorted(losses.items())},
            "heard": heard, "answers": answers, "outcomes": outcomes,
        }  # fmt: skip

    def _tests(self, state: Mapping[str, Any]) -> list[evidence.Step]:
        """Return every test with its e-value as the figure; one that nothing was told for counts as 1."""
        out = []
        where = [ALL, *state["kinds"]]
        for kind in where:
            named = () if kind == ALL else (kind,)
            for figure, called in RATES.items():
                rate, limit = (
                    sequential.Rate(*state["rates"].get(f"{figure}/{kind}", ())),
                    getattr(self, figure),
                )
                why = f"{called} {rate.share:.3g} on {kind} after {rate.n} answers, limit {limit:g}"
                out.append(evidence.Step("", "", why, rate.e(limit), rate.share, named))
            n, total, wealth = state["losses"].get(kind, (0, 0.0, ()))
            losses = sequential.Losses(n, total, tuple(wealth))
            why = f"loss larger by {losses.mean:.3g} on {kind} after {n} outcomes, limit {self.worse:g}"
            out.append(evidence.Step("", "", why, losses.e(), losses.mean, named))
        return out

    def _rollback(self, state: Mapping[str, Any], tests: list[evidence.Step], e: float) -> evidence.Step:
        """Name the worst test; a kind of machine before all of them where both say so."""
        worst = max(tests, key=lambda test: (test.figure, bool(test.kinds)))
        own = [test for test in tests if test.kinds and test.figure * 100 >= worst.figure]
        if not worst.kinds and len(own) == 1:
            worst = own[0]
        limit = 1 / self.false_rollbacks
        why = f"{state['stage']}: {worst.why} (e-value {e:.3g}, limit {limit:g})"
        return evidence.Step("rollback", str(state["stage"]), why, e, limit, worst.kinds)

    def _short(self, state: Mapping[str, Any], due: Mapping[str, str]) -> evidence.Step | None:
        """Return why there is too little to go on with, or None."""
        now_stage, limit = str(state["stage"]), 1 / self.false_rollbacks
        quiet = sorted(set(due) - set(state["heard"]))
        if len(quiet) > self.silent * len(due):
            why = f"{now_stage}: {len(quiet)} of {len(due)} machines told nothing: {', '.join(quiet[:5])}"
            return evidence.Step(
                "pause", now_stage, why, len(quiet), self.silent * len(due), machines=tuple(quiet)
            )
        what = "outcomes" if now_stage == "shadow" else "answers"
        if state[what] < self.least:
            why = f"{now_stage}: {state[what]} {what}, {self.least} needed"
            return evidence.Step("pause", now_stage, why, state[what], self.least)
        unheard = sorted(
            {kind for kind in due.values()} - {due[name] for name in state["heard"] if name in due}
        )
        if unheard:
            why = f"{now_stage}: no machine of {', '.join(unheard)} told anything"
            return evidence.Step("pause", now_stage, why, 0.0, limit, tuple(unheard))
        return None

    def detectable(self, answers: int, kinds: int = 1) -> dict[str, float]:
        """Return the least rate of each figure that so many answers of one kind of machine would show."""
        alpha = self.false_rollbacks / ((kinds + 1) * (len(RATES) + 1))
        return {figure: sequential.detectable(answers, getattr(self, figure), alpha) for figure in RATES}

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a shadow that ends before it can be judged, and shares, rates and waves that are none."""
        for name in ("shadow", "hold"):
            span = getattr(self, name)
            if not isinstance(span, units.Duration) or span < 0:
                yield errors.Problem(
                    name, f"{span!r} is no time to hold a release", "give a duration such as WEEK"
                )
        horizon = page.labels.horizon()
        # A horizon in steps of a counter cannot be told in days beforehand: the rollout itself waits for outcomes.
        if isinstance(page.data.clock, data.WallClock) and self.shadow < horizon:
            what = f"{self.shadow!r} ends before the first outcome is known"
            yield errors.Problem(
                "shadow", what, f"give at least the label's horizon, {units.Duration(horizon)!r}"
            )
        if not 0 < self.canary <= 1:
            yield errors.Problem(
                "canary", f"{self.canary} is no share of the machines", "give a number in (0, 1]"
            )
        if (
            not self.waves
            or list(self.waves) != sorted(self.waves)
            or self.waves[-1] != 1
            or self.waves[0] <= 0
        ):
            yield errors.Problem(
                "waves", f"{self.waves} does not grow to all machines", "give shares up to 1.0"
            )
        for name in ("false_rollbacks", *RATES):
            if not 0 < getattr(self, name) < 1:
                yield errors.Problem(
                    name, f"{getattr(self, name)} is no rate", "give a number between 0 and 1"
                )
