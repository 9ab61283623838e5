import json

import pytest
from securesystemslib.signer import Signature

from flyball.fab.sites import HOUR
from flyball.site.agent import LONGEST
from flyball.torture.fleet import ordered, served


def test_the_report_says_what_runs_and_is_signed_by_the_machines_key(world):
    first = served(world)
    site = world.machines["m0"]
    sealed = json.loads(site.agent.report())
    site.key.public_key.verify_signature(Signature.from_dict(sealed["signature"]), sealed["told"].encode())
    told = json.loads(sealed["told"])
    assert (told["machine"], told["pages"][0]["release"]) == ("m0", first)


def test_it_asks_later_and_later_and_never_later_than_the_longest_wait(world):
    site = world.machines["m0"]
    world.boot(site)
    site.link = False
    waits = []
    for _ in range(12):
        world.now = max(world.now, site.agent._next)
        site.agent.step()
        waits.append(site.agent._next - world.now)
    assert waits[0] < waits[5] < 1.5 * LONGEST + 1
    assert max(waits) <= 1.5 * LONGEST


def test_a_frozen_calendar_keeps_a_switch_waiting(world):
    from flyball import part

    first = served(world)
    policy = part.replace(world.repository.policy(), freezes=((world.now, world.now + 20 * 24 * HOUR),))
    world.controller.lay_down(policy)
    second = world.ship(world.release("second"))
    world.advance(5 * 24, every=12)
    assert set(world.running().values()) == {first}
    assert any(one["act"] == "waits" for one in world.told("audit"))
    world.controller.lay_down(part.replace(policy, freezes=()))
    world.advance(4 * 24, every=12)
    assert set(world.running().values()) == {second}


def test_the_sites_policy_holds_after_a_restart_without_a_link(world):
    from flyball import errors, part

    first = served(world)
    frozen = ((world.now, world.now + 20 * 24 * HOUR),)
    world.controller.lay_down(part.replace(world.repository.policy(), freezes=frozen))
    second = world.ship(world.release("second"))
    world.advance(24, every=12)
    ordered(world, second, groups=())
    world.advance(12, every=12)
    agent = world.boot(world.machines["m0"])

    def cut(mirror, now):
        raise errors.UnreachableError("no link")

    agent.trusted.update = cut
    agent.boot(at_once=True)
    agent.step()
    assert agent.problem and world.running()["m0"] == first
    assert agent.policy.freezes == frozen


def test_a_site_that_is_never_open_switches_nothing_and_a_calendar_that_is_none_is_told(world):
    from flyball import part

    first = served(world)
    policy = world.repository.policy()
    for windows in (("serving.Window(('sun',), '03:00', '03:01', 'Europe/Amsterdam')",), ("nonsense",)):
        world.controller.lay_down(part.replace(policy, windows=windows))
        if windows != ("nonsense",):
            second = world.ship(world.release("second"))
        world.advance(4 * 24, every=12)
        assert set(world.running().values()) == {first}
    assert any("calendar cannot be read" in alarm["what"] for alarm in world.told("alarms"))
    world.controller.lay_down(part.replace(policy, windows=()))
    world.advance(5 * 24, every=12)
    assert set(world.running().values()) == {second}


def test_a_clock_behind_what_was_sure_is_told(world):
    served(world)
    site = world.machines["m0"]
    site.agent = site.host = None
    site.skew = -48 * HOUR
    world.boot(site)
    world.advance(12, every=6)
    assert any("behind" in alarm["what"] for alarm in world.told("alarms"))


def test_a_machine_that_was_never_given_a_root_cannot_begin(world, tmp_path):
    from flyball import errors
    from flyball.serving.trust.client import Trusted

    with pytest.raises(errors.TrustError, match="by hand"):
        Trusted(tmp_path / "elsewhere")


def test_what_the_site_does_not_let_leave_stays(world):
    from flyball import part

    served(world)
    policy = world.repository.policy()
    first = world.machines["m0"].agent
    assert first.may_leave("sketches") and first.may_leave("outcomes")
    assert not any(first.may_leave(kind) for kind in ("answers", "traces", "rows"))
    world.controller.lay_down(part.replace(policy, leaves=("audit", "sketches")))
    world.advance(12, every=12)
    agent = world.boot(world.machines["m0"])
    for kind in ("answers", "sketches"):
        agent.keep(kind, {"n": 1})
    agent.trusted.update = lambda mirror, now: False  # the policy was read before, and nothing is new
    agent.boot(at_once=True)
    agent.step()
    assert world.told("sketches") == [{"n": 1}] and not world.told("answers")
    assert agent.spool.waiting()["answers"] == 0


def test_no_more_is_sent_at_once_than_is_heard(world, monkeypatch):
    from flyball.site import uplink

    served(world)
    monkeypatch.setattr(uplink, "ROOM", 3000)
    agent = world.machines["m0"].agent
    list(map(agent.spool.acknowledge, agent.spool.batches()))
    agent.keep("outcomes", {"what": "x" * 200})
    for name, size in (("first", 60_000), ("second", 2000), ("third", 2000)):
        agent.keep("sketches", {"name": name, "sketch": "x" * size})
        agent.spool._open.clear()  # each in a segment of its own, as large ones are
    sent = agent.leaving()
    assert [[record.get("name") for record in batch.records] for batch in sent] == [[None], ["second"]]
    assert agent.spool.waiting()["sketches"] == 2 and agent.spool.waiting()["alarms"] == 1
    for batch in sent:
        agent.spool.acknowledge(batch)
    names = [record.get("name") for batch in agent.leaving() for record in batch.records]
    assert names[-1] == "third"
