"""The way of a release through a seat is tried in tests/fab/test_sites.py and in the trials of a fleet."""

from flyball.fab.sites import Behaviour
from flyball.site import seat as seats
from flyball.torture.fleet import ordered, served


def test_three_starts_that_never_last_are_enough(world):
    first = served(world)
    site = world.machines["m0"]
    for _ in range(seats.TRIES + 2):
        site.agent = site.host = None  # the machine goes down before the release has proved itself
        world.boot(site)
        world.now += 1_000_000
    assert world.running()["m0"] == "baseline"
    assert "never lasted" in str(site.agent.seats["p"].told()["refused"][first])


def test_a_release_that_lasts_is_proved(world):
    first = served(world)
    site = world.machines["m0"]
    for _ in range(seats.TRIES + 2):
        site.agent = site.host = None
        world.boot(site)
        world.now += seats.PROVED
        site.agent.step()
    assert world.running()["m0"] == first


def test_a_release_refused_here_is_tried_again_once_it_is_ordered_anew(world):
    first = served(world)
    second = world.ship(world.release("flaky", Behaviour(loads=False)))
    world.advance(24, every=12)
    assert all(
        second in site.agent.seats["p"].told()["refused"] or site.host.beside
        for site in world.machines.values()
    )
    ordered(world, second)
    world.advance(24, every=12)
    assert set(world.running().values()) == {first}
    world.behaviours[second] = Behaviour()
    ordered(world, second)
    world.advance(24, every=12)
    assert set(world.running().values()) == {second}


def test_notes_that_are_lost_are_taken_from_the_slots(world):
    first = served(world)
    site = world.machines["m0"]
    site.agent = site.host = None
    (site.folder / "pages" / "p" / "state.json").write_bytes(b"{}")
    world.boot(site)
    assert world.running()["m0"] == first
