import pickle

import numpy as np
import pytest

from flyball import data, errors
from flyball.data import frames, images


@pytest.fixture
def shards(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [
        np.zeros((9, 9), np.uint8),
        rng.integers(0, 255, (5, 6)).astype(np.uint8),
        rng.normal(size=(2, 3)),
    ]
    content, places = frames.pack(arrays)
    (tmp_path / "one.shard").write_bytes(content)
    index = {
        images.digest(a): ("one.shard", *place, a.dtype.str, a.shape)
        for a, place in zip(arrays, places, strict=True)
    }
    return frames.Shards(tmp_path, index), arrays


def test_references_are_cut_and_decoded_late(shards):
    kept, arrays = shards
    late = data.Frames(kept, [images.digest(array) for array in arrays])
    for index in ([2, 0], np.array([False, True, True]), slice(1, None), np.array([], dtype=np.int64), -1):
        expected = [arrays[i] for i in np.atleast_1d(np.arange(3)[index])]
        found = late[index]
        assert len(found) == len(expected)
        assert all(np.array_equal(a, b) for a, b in zip(found.load(), expected, strict=True))


def test_a_missing_image_is_empty_and_a_column_travels(shards):
    kept, arrays = shards
    late = pickle.loads(pickle.dumps(data.Frames(kept, ["", images.digest(arrays[1])])))
    assert [image.shape for image in late.load()] == [(0, 0), (5, 6)]


def test_any_flipped_bit_is_noticed(shards):
    kept, arrays = shards
    path = kept.folder / "one.shard"
    whole = path.read_bytes()
    late = data.Frames(kept, [images.digest(array) for array in arrays])
    for where in range(len(whole)):
        path.write_bytes(whole[:where] + bytes([whole[where] ^ 1]) + whole[where + 1 :])
        with pytest.raises(errors.TamperedError):
            late.load()


def test_only_what_gets_smaller_is_packed():
    _, places = frames.pack(
        [np.zeros((64, 64), np.uint8), np.random.default_rng(0).integers(0, 255, (8, 8)).astype("u1")]
    )
    assert [packed for _, _, packed in places] == [True, False]
