from types import SimpleNamespace

import numpy as np
import pytest

from flyball import durable, errors, serving
from flyball.fab.sites import HOUR, Behaviour, Cut, Simulated, Sites
from flyball.site.host import Both
from flyball.site.process import RetryError
from flyball.site.scoring import Scoring
from flyball.site.terms import Terms
from flyball.torture import small
from flyball.torture.fleet import ROLLOUT, served
from flyball.units import days, hours

PUMP = small.page(hours(1))


@pytest.fixture
def world(tmp_path):
    return Sites(tmp_path, 1, {"m0": "nxe", "m1": "exe", "m2": "nxe"}, ROLLOUT)


def test_a_second_candidate_waits_for_the_first(world):
    world.ship(world.release("one"))
    with pytest.raises(errors.RolloutError, match="version 1 is in shadow"):
        world.ship(world.release("two"))


def test_what_was_rolled_back_is_not_shipped_again(world):
    folder = world.release("one")
    world.ship(folder)
    world.controller.roll_back("an engineer said so")
    with pytest.raises(errors.RolloutError, match="an engineer said so"):
        world.ship(folder)


def test_a_wave_waits_for_signatures_where_the_keys_are_elsewhere(world):
    keys, world.site_keys = world.site_keys, []
    world.controller = world.control()
    first = world.ship(world.release("one"))
    world.advance(6 * 24, every=12)
    assert world.controller.status()["waiting"]
    assert list(world.running().values()).count(first) == 2
    for key in keys[:2]:
        world.repository.sign(key)
    world.repository.publish(world.online, world.now)
    world.advance(3 * 24, every=12)
    assert set(world.running().values()) == {first}


def test_a_serving_release_is_rolled_back_by_the_online_key_to_the_one_before(world):
    first = served(world)
    second = world.ship(world.release("two"))
    world.advance(6 * 24, every=12)
    assert set(world.running().values()) == {second}
    world.controller.roll_back("overlay drifted")
    world.advance(24, every=12)
    assert set(world.running().values()) == {first}
    assert [e["told"]["why"] for e in world.controller.why(second)][-1] == "overlay drifted"


def test_a_report_of_another_key_or_machine_is_set_aside(world):
    served(world)
    report = world.machines["m0"].agent.report()
    with pytest.raises(errors.SignatureError, match="not signed by its key"):
        world.controller.receive("m1", report, [])
    with pytest.raises(errors.SignatureError, match="enrol"):
        world.controller.receive("stranger", report, [])


def test_a_rollout_pauses_while_machines_say_nothing_and_goes_on_when_they_do(world):
    served(world)
    world.machines["m1"].link = False
    world.ship(world.release("two", Behaviour()))
    world.advance(5 * 24, every=12)
    assert "m1" in world.controller.status()["paused"]
    world.machines["m1"].link = True
    world.advance(5 * 24, every=12)
    assert world.controller.status()["stage"] == ""


def test_a_controller_killed_at_any_step_decides_once(world, monkeypatch):
    served(world)
    bad = world.release("bad", Behaviour(disagreed=0.9))
    world.ship(bad)
    for site in 2 * [*world.machines.values()]:
        world.now += 4 * 3_600_000_000
        world.round(site, 4 * 3_600_000_000)
    for step in range(200):
        left = step

        def cut(operation, path):
            nonlocal left
            left -= 1
            if left < 0:
                raise Cut

        monkeypatch.setattr(durable, "hook", cut)
        try:
            world.controller.step()
        except Cut:
            monkeypatch.setattr(durable, "hook", None)
            world.controller = world.control()
            continue
        break
    monkeypatch.setattr(durable, "hook", None)
    world.advance(24, every=12)
    acts = [entry["act"] for entry in world.controller.why(bad.name)]
    assert acts == ["shipped", "rolled back"]
    assert [o.stage for o in world.repository.orders() if o.release == bad.name] == ["withdrawn"]


def test_damaged_notes_are_told(world):
    world.ship(world.release("one"))
    (world.folder / "controller" / "rollout.json").write_bytes(b"{")
    with pytest.raises(errors.StoreError, match="damaged"):
        world.control()


class Joining(Simulated):
    """What answers from rows of its own: the agent's real scoring, and releases that are as good as they are called."""

    def __init__(self, sites, site):
        super().__init__(sites, site)
        (site.folder / "in").mkdir(parents=True, exist_ok=True)
        self.scoring = None
        self.rng = np.random.default_rng(int(site.name[1:]))

    def said(self, digest, x):
        sure = np.clip(np.nan_to_num(x.columns["pump.flow.last"], nan=0.0), 0, 1)
        name = self.sites.called.get(digest, "baseline")
        return {"good": 0.25 + 0.5 * sure, "better": 0.05 + 0.9 * sure,
                "worse": 0.95 - 0.9 * sure}.get(name, np.full(len(x), 0.5))  # fmt: skip

    def terms_of(self, digest):
        return Terms(PUMP, 0.6)

    def page(self):
        return PUMP

    def ask(self, x):
        if not self.digest and not self.beside:
            raise RetryError("nothing yet")
        shadow = self.said(self.beside, x) if self.beside else None
        return Both(self.digest, self.said(self.digest, x), self.beside, shadow)

    def live(self, since, until, rng):
        agent = self.site.agent
        if self.scoring is None:
            host = SimpleNamespace(
                digest=lambda: self.digest, page=self.page, terms_of=self.terms_of, ask=self.ask
            )
            self.scoring = Scoring(
                self.site.folder / "scoring", "p", host, agent.spool, lambda: self.sites.now, self.site.name,
                self.site.kind, self.site.folder / "in", tell=agent.keep,
            )  # fmt: skip
        # The flow says what will be: at each hour whether the pump stalls within the next one.
        lines = []
        for at in range(since, until, HOUR):
            stalls = self.rng.random() < 0.5
            lines += [f"{at},{at},{float(stalls)},", f"{at + HOUR // 2},{at + HOUR // 2},,{stalls}"]
        with (self.site.folder / "in" / "pump.csv").open("a") as file:
            if not file.tell():
                file.write("machine,at,seen,flow,stalled\n")
            file.write("".join(f"{self.site.name},{line}\n" for line in lines))
        before = self.scoring.answered
        self.scoring.step()
        n = self.scoring.answered - before
        for digest, shadow in ((self.digest, False), (self.beside, True)):
            serving = agent.seats["p"].serving
            if digest and (shadow or (serving is not None and serving.release == digest)):
                yield {
                    "machine": self.site.name, "kind": self.site.kind, "release": digest,
                    "stage": "shadow" if shadow else serving.stage, "since": since, "until": until, "answers": n,
                }  # fmt: skip


def test_a_shadow_is_judged_by_the_outcomes_that_machines_joined_themselves(tmp_path):
    rollout = serving.Staged(shadow=days(2), canary=0.5, hold=days(1))
    world = Sites(tmp_path, 3, {"m0": "nxe", "m1": "nxe"}, rollout, host=Joining)
    world.called = {}

    def shipped(name):
        folder = world.release(name)
        world.called[folder.name] = name
        return world.ship(folder, name)

    def lived(most):
        for _ in range(most):
            if world.controller.state["candidate"] is None:
                break
            world.advance(24, every=6)

    first = shipped("good")
    lived(12)
    assert set(world.running().values()) == {first}, world.controller.status()
    better = shipped("better")
    lived(12)
    assert set(world.running().values()) == {better}
    worse = shipped("worse")
    lived(12)
    assert set(world.running().values()) == {better}
    assert "loss larger" in world.controller.state["rolled_back"][worse]
    assert world.told("outcomes") and not world.controller.missing()


def test_sketches_that_machines_tell_are_kept_once_and_others_are_told(world):
    from flyball.monitoring import sketches
    from flyball.runtime import sketched

    digest = served(world)
    day = 86_400_000_000
    today = world.controller.clock() // day * day
    one = sketches.of({"jitter": np.arange(9.0)}, "m0", today, today + day)
    ancient = sketches.of({"jitter": np.arange(7.0)}, "m0", 0, day)
    agent = world.machines["m0"].agent
    for record in (
        sketched.record("m0", world.page, digest, 9, one), {"machine": "m0", "n": 1},
        sketched.record("m0", world.page, digest, 9, ancient),
    ):  # fmt: skip
        agent.keep("sketches", record)
    world.advance(12, every=6)
    assert world.controller.sketches.of(world.page, digest) == [one]
    assert world.control().sketches.take(world.controller.inbox) == (0, [])
    (refused,) = [e["told"]["why"] for e in world.controller.audit.entries() if e["act"] == "sketch refused"]
    assert refused.startswith("m0: ")
    (dropped,) = [
        e["told"]["sketches"] for e in world.controller.audit.entries() if e["act"] == "sketches dropped"
    ]
    assert dropped == 1
