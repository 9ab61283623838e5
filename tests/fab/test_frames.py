"""Frames are told by their number, show defects as rarely as meant, and those that are kept are sent."""

import dataclasses
import io
import itertools

import numpy as np
import pytest
from PIL import Image

from flyball import errors, fab
from flyball.fab import dynamics, frames, sem

FLEET = fab.Fab("tiny", seed=1, machines=4, days=30)


def test_a_frame_is_the_same_whenever_it_is_made():
    one, again = (frames.scene(FLEET, 1, 33) for _ in range(2))
    for field in dataclasses.fields(one):
        if field.name not in ("fab", "optics"):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(again, field.name))
    np.testing.assert_array_equal(one.picture(), again.picture())
    assert (one.picture() != frames.scene(FLEET, 1, 34).picture()).any()


def test_pairs_are_of_one_scene():
    one = frames.scene(FLEET, 0, 3)
    noisy, calm = (np.abs(one.picture(scans=n) - sem.grey(one.clean).astype(float)).mean() for n in (1, 32))
    assert calm < 0.6 * noisy


def test_defects_are_as_rare_as_meant():
    many = fab.Fab("tiny", seed=1, machines=6, days=4000)
    share = np.mean([(frames._shown(many, machine) != "").mean() for machine in range(6)])
    assert share == pytest.approx(frames.DEFECTIVE, rel=0.15)


def test_a_defect_may_be_asked_for_and_fits_its_pattern():
    for number in range(12):
        one = frames.scene(FLEET, 0, number, defect="bridge")
        assert one.defect == ("bridge" if one.pattern == "lines" else "missing contact")
        assert frames.scene(FLEET, 0, number, defect="").box == (0, 0, 0, 0)


def test_work_on_a_machine_changes_its_microscope_and_nothing_else_does():
    long = fab.Fab("tiny", seed=1, machines=2, days=120)
    journal = dynamics.history(long).journal.read("maintenance")
    worked = journal["at"][(journal["row"] == 0) & (journal["at"] > 0)]
    seen = [frames.microscope(long, 0, float(at)) for at in np.concatenate([[0.0], worked + 0.1])]
    between = [frames.microscope(long, 0, float(at)) for at in worked - 0.1]
    assert between == seen[:-1]
    changed = np.mean([a != b for a, b in itertools.pairwise(seen)])
    assert 0.1 < changed < 0.6
    assert any(optics.blur_x != optics.blur_y for optics in seen)


def test_sites_keep_monitors_and_all_defects():
    long = fab.Fab("tiny", seed=1, machines=6, days=200)
    machine, number = frames.kept(long)
    rows = frames.review(long)
    known = {(m, n): d for m, n, d in zip(rows["machine"], rows["frame"], rows["defect"], strict=True)}
    for one in range(6):
        shown = np.flatnonzero(frames._shown(long, one) != "")
        assert set(shown) <= set(number[machine == one])
        plain = [known[one, n] for n in number[machine == one] if n not in shown]
        assert set(plain) == {"none"} and len(plain) == pytest.approx(200 / 14, abs=1.5)
    assert (rows["seen"] > rows["at"]).all()


def test_the_truth_is_that_of_the_frames():
    told, sent = frames.truth(FLEET), frames.review(FLEET)
    np.testing.assert_array_equal(told["frame"], sent["frame"])
    np.testing.assert_allclose(told["at"], sent["at"])
    lines = sent["pattern"] == "lines"
    assert np.isnan(told["rough_nm"][~lines]).all() and (told["rough_nm"][lines] > 1.5).all()
    assert (np.abs(told["width_nm"][lines] - 16.0) < 2.5).all()


def test_files_hold_the_frames(tmp_path):
    small = fab.Fab("tiny", seed=1, machines=2, days=20)
    written = fab.write(small, tmp_path, per="site", only=("frames",), with_truth=False)
    sent = frames.review(small)
    days = 24.0 * small.size().days
    there = sorted(tmp_path.rglob("*.png"))
    assert len(there) == (sent["seen"] < days).sum() == written["frames"]["rows"]
    for file in there[:2]:
        machine, _, number = file.stem.rpartition("-")
        index = 0 if machine.startswith("A") else 1
        with Image.open(io.BytesIO(file.read_bytes())) as image:
            np.testing.assert_array_equal(
                np.asarray(image), frames.scene(small, index, int(number)).picture()
            )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((9, 0), "no frame 0 of machine 9"),
        ((0, 600), "600 frames"),
        ((0, 0, "bridg"), "did you mean 'bridge'"),
    ],
)
def test_a_frame_that_there_is_not_is_told(asked, said):
    with pytest.raises(errors.DeclarationError, match=said):
        frames.scene(FLEET, *asked[:2], defect=asked[2] if len(asked) > 2 else None)
