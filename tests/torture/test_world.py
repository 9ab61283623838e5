import pytest

from flyball import errors
from flyball.torture import world


def test_what_is_broken_on_purpose_is_whole_again_afterwards():
    class Place:
        name = "kept"

    for really, seen in ((True, "broken"), (False, "kept")):
        with pytest.raises(ValueError), world.broken(Place, "name", "broken", really):
            assert Place.name == seen
            raise ValueError
        assert Place.name == "kept"


def test_a_release_that_does_not_get_everywhere_is_no_beginning(tmp_path):
    site = world.made(tmp_path, 1, count=2)
    site.machines["m01"].link = False
    with pytest.raises(errors.RolloutError, match="did not get everywhere"):
        world.served(site)


def test_what_came_of_a_trial():
    assert world.judged("", 0.0).passed and world.judged("lost", 0.0).why == "lost"
