import shutil

import pytest

from flyball import errors
from flyball.fab.sites import Sites
from flyball.site.slots import Slots
from flyball.torture.fleet import ROLLOUT


@pytest.fixture
def world(tmp_path):
    return Sites(tmp_path / "world", 1, {"m0": "nxe"}, ROLLOUT)


@pytest.fixture
def filled(world, tmp_path):
    """Slots whose slot a holds a release, with its order."""
    world.ship(world.release("one"))
    (order,) = world.repository.orders()
    made = Slots(tmp_path / "slots")
    made.fill("a", order, lambda place: shutil.copyfile(world.controller._packed(order), place))
    return made, order


def test_a_filled_slot_is_whole_and_knows_its_order(filled):
    made, order = filled
    assert made.check("a") == order and made.holds("a", order.release)
    assert made.order("b") is None and not made.holds("b", order.release)
    with pytest.raises(errors.TamperedError):
        made.check("b")


def test_a_release_that_is_not_what_was_ordered_leaves_the_slot_as_it_was(filled, world):
    made, order = filled
    with pytest.raises(errors.TamperedError):
        made.fill("a", order, lambda place: place.write_bytes(b"no tar"))
    assert made.holds("a", order.release)
    assert not list(made.folder.glob(".*"))


def test_what_a_cut_left_is_swept(filled):
    made, order = filled
    (made.folder / ".b.new" / "release").mkdir(parents=True)
    (made.folder / ".b.tar").write_bytes(b"half")
    again = Slots(made.folder)
    assert not list(made.folder.glob(".*")) and again.holds("a", order.release)


def test_the_baseline_outlives_both_slots(filled):
    made, _ = filled
    made.keep_baseline("a")
    made.keep_baseline("a")
    made.empty("a")
    folder, digest = made.baseline()
    assert (folder / "manifest.json").is_file() and folder.name == digest
    (folder / "model" / "packed.json").write_text("{}")
    assert made.baseline() is None


def test_too_little_room_is_told_before_anything_is_fetched(filled):
    made, _ = filled
    with pytest.raises(errors.StoreError, match="what runs goes on"):
        made.room(2**60)
