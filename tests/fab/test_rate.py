"""The rate generator: every frame of a minute is another one, and each is told by its number."""

import hashlib
import itertools

import numpy as np
import pytest

from flyball import errors, fab
from flyball.fab import rate, sem

FLEET = fab.Fab("tiny", seed=1, machines=2, days=10)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("scenes") / "scenes.npy"


def test_all_frames_differ(file):
    some = itertools.islice(rate.stream(FLEET, file, many=3), 1000)
    seen = {hashlib.blake2b(frame.tobytes(), digest_size=16).digest() for frame in some}
    assert len(seen) == 1000


def test_a_frame_is_told_by_its_number(file):
    from_start = next(itertools.islice(rate.stream(FLEET, file, many=3), 700, None))
    np.testing.assert_array_equal(from_start, next(rate.stream(FLEET, file, first=700, many=3)))


def test_frames_are_as_noisy_as_their_electrons(file):
    made = rate.scenes(FLEET, file, 3)
    frame = next(rate.stream(FLEET, file, first=5, many=3))
    assert frame.shape == (sem.SIDE, sem.SIDE) and frame.dtype == np.uint8
    level = made.mean() / 255.0 * sem.WHITE
    sigma = np.sqrt(rate.ELECTRONS * level + sem.READ**2) / rate.ELECTRONS * 255.0 / sem.WHITE
    found = np.diff(frame.astype(float), axis=0).std() / np.sqrt(2.0)
    assert 0.8 * sigma < found < 1.6 * sigma


def test_another_file_is_told(tmp_path):
    np.save(tmp_path / "scenes.npy", np.zeros(3))
    with pytest.raises(errors.DataError, match="no scenes"):
        next(rate.stream(FLEET, tmp_path / "scenes.npy", many=3))
