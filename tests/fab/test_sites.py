from flyball import serving
from flyball.fab import sites
from flyball.fab.sites import Behaviour, Sites
from flyball.units import days

MACHINES = {f"m{n:02d}": "exe" if n % 3 == 0 else "nxe" for n in range(6)}
ROLLOUT = serving.Staged(shadow=days(2), canary=0.05, hold=days(1))


def lived(folder, seed):
    world = Sites(folder, seed, MACHINES, ROLLOUT)
    world.ship(world.release("good", Behaviour(slow=0.01)))
    for site in world.machines.values():
        site.cut = int(world.rng.integers(5, 80))
    world.advance(5 * 24, every=12)
    acts = [(e["act"], e["told"]["why"], e["at"]) for e in world.controller.why()]
    return world, acts, {name: (site.installs, site.made, site.cuts) for name, site in world.machines.items()}


def test_a_good_release_reaches_every_machine_through_shadow_and_canary(tmp_path):
    world, acts, _ = lived(tmp_path, 3)
    assert [act for act, _, _ in acts] == ["shipped", "promoted to canary", "promoted to wave-1", "promoted"]
    assert len(set(world.running().values())) == 1
    assert world.controller.status()["stage"] == ""


def test_a_seed_replays(tmp_path):
    one, two = lived(tmp_path / "a", 5), lived(tmp_path / "b", 5)
    assert one[1:] == two[1:]
    assert sum(cuts for _, _, cuts in one[2].values()) > 0


def test_a_release_that_crashes_is_given_up_on_the_machine_before_the_controller_knows(tmp_path):
    world = Sites(tmp_path, 1, MACHINES, ROLLOUT)
    first = world.ship(world.release("good"))
    world.advance(5 * 24, every=12)
    world.ship(world.release("crashing", Behaviour(crashes=0.5)))
    world.advance(3 * 24, every=6)
    assert set(world.running().values()) == {first}
    assert any("unexpected exits" in alarm["what"] for alarm in world.told("alarms"))
    assert world.controller.why()[-1]["act"] == "rolled back"
    assert "crashes" in world.controller.why()[-1]["told"]["why"]


def test_a_release_that_cannot_be_loaded_never_answers(tmp_path):
    world = Sites(tmp_path, 1, MACHINES, ROLLOUT)
    first = world.ship(world.release("good"))
    world.advance(5 * 24, every=12)
    world.ship(world.release("torn", Behaviour(loads=False)))
    world.advance(5 * 24, every=12)
    assert set(world.running().values()) == {first}


def test_links_give_nothing_when_they_are_down(tmp_path):
    world = Sites(tmp_path, 1, MACHINES, ROLLOUT)
    for site in world.machines.values():
        site.link = False
    world.ship(world.release("good"))
    world.advance(24, every=12)
    assert set(world.running().values()) == {""}
    assert all(site.agent.problem.startswith("UnreachableError") for site in world.machines.values())


def test_a_hundred_machines_in_one_process(tmp_path):
    many = {f"m{n:03d}": ("nxe", "exe", "dry")[n % 3] for n in range(120)}
    world = Sites(tmp_path, 1, many, serving.Staged(days(1), 0.02, days(1)))
    digest = world.ship(world.release("good"))
    world.advance(6 * 24, every=24)
    assert set(world.running().values()) == {digest}
    canary = world.rollout.groups("p", many)["canary"]
    assert {many[name] for name in canary} == {"nxe", "exe", "dry"} and len(canary) < 10
    assert sites.HOUR == 3_600_000_000
