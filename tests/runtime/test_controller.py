import pytest

from flyball import durable, errors
from flyball.fab.sites import Behaviour, Cut, Sites
from flyball.torture.fleet import ROLLOUT, served


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
