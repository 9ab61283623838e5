"""What a whole loop does with these sites is tried in tests/runtime/test_following.py."""

import pytest

from flyball import errors, part, serving, units
from flyball.fab import lived
from flyball.fab.sites import Sites

ROLLOUT = serving.Staged(units.days(1), 0.5, units.days(1))
MACHINES = {"m1": "a", "m2": "a"}


def test_a_page_without_a_rollout_has_no_sites(daily, tmp_path):
    with pytest.raises(errors.DeclarationError, match=r"by serving\.Staged"):
        lived.following(daily.page, tmp_path, MACHINES, 0, "")


def test_sites_that_last_go_on_in_another_process(tmp_path):
    first = Sites(tmp_path, 0, MACHINES, ROLLOUT, lasting=True)
    digest = first.ship(first.release("one"))
    first.advance(1, every=1)
    again = Sites(tmp_path, 0, MACHINES, ROLLOUT, lasting=True, begin=first.now)
    assert again.controller.state["candidate"]["release"] == digest
    again.advance(2, every=1)
    assert set(again.controller.reports) == set(MACHINES)


def test_sites_that_were_cut_off_while_they_began_begin_anew(tmp_path):
    Sites(tmp_path, 0, MACHINES, ROLLOUT, lasting=True)
    (tmp_path / "begun").unlink()
    again = Sites(tmp_path, 0, MACHINES, ROLLOUT, lasting=True)
    assert again.repository.policy().machines == MACHINES and (tmp_path / "begun").exists()


def test_no_time_no_rounds(daily, tmp_path):
    page = part.replace(daily.page, serving=part.replace(daily.page.serving, rollout=ROLLOUT))
    followed = lived.following(page, tmp_path, MACHINES, 10**15, "5c" * 32)
    assert followed.hear(followed.controller, None) == 0
    assert followed.hear(followed.controller, 10**15 + 5) == 0
    assert followed.step(None)["heard"] == 0
