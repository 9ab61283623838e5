import io
import pickle

import numpy as np
import pytest
from PIL import Image

from flyball import data, errors
from flyball.data import frames, images
from flyball.data import shards as tars


def jpeg(array):
    sink = io.BytesIO()
    Image.fromarray(array).save(sink, "JPEG", quality=90)
    return sink.getvalue()


def flat(batches):
    return [image for batch in batches for image in batch]


@pytest.fixture
def shards(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [
        np.zeros((9, 9), np.uint8),
        rng.integers(0, 255, (5, 6)).astype(np.uint8),
        rng.normal(size=(2, 3)),
    ]
    members = [images.packed(array) for array in arrays]
    members.append(images.member(jpeg(rng.integers(0, 255, (16, 24)).astype(np.uint8))))
    arrays.append(images.decode(members[-1].content))
    _, pieces, places = tars.lay(members)
    (tmp_path / "one.tar").write_bytes(b"".join(pieces))
    index = {
        m.digest: frames.Place("one.tar", *place, m.form, m.kind, m.shape)
        for m, place in zip(members, places, strict=True)
    }
    return frames.Shards(tmp_path, index), arrays


def test_references_are_cut_and_decoded_late(shards):
    kept, arrays = shards
    late = data.Frames(kept, list(kept.places))
    for index in (
        [2, 0],
        np.array([False, True, True, True]),
        slice(1, None),
        np.array([], dtype=np.int64),
        -1,
    ):
        expected = [arrays[i] for i in np.atleast_1d(np.arange(4)[index])]
        found = late[index]
        assert len(found) == len(expected)
        assert all(np.array_equal(a, b) for a, b in zip(found.load(), expected, strict=True))


def test_a_missing_image_is_empty_and_a_column_travels(shards):
    kept, _ = shards
    late = pickle.loads(pickle.dumps(data.Frames(kept, ["", list(kept.places)[1]])))
    assert [image.shape for image in late.load()] == [(0, 0), (5, 6)]


def test_any_flipped_bit_is_noticed_or_changes_nothing(shards):
    kept, arrays = shards
    path = kept.folder / "one.tar"
    whole = path.read_bytes()
    unnoticed = 0
    for (digest, place), array in zip(kept.places.items(), arrays, strict=True):
        for where in range(place.offset, place.offset + place.length):
            path.write_bytes(whole[:where] + bytes([whole[where] ^ 1]) + whole[where + 1 :])
            try:
                found = kept.load(digest)
            except errors.TamperedError:
                continue
            # zstd has a bit that means nothing.
            unnoticed += 1
            assert place.form == "array" and np.array_equal(found, array)
    assert unnoticed < 8


def test_what_is_cut_or_gone_is_told(shards):
    kept, _ = shards
    path = kept.folder / "one.tar"
    last = list(kept.places)[-1]
    path.write_bytes(path.read_bytes()[: kept.places[last].offset + 3])
    with pytest.raises(errors.TamperedError):
        kept.load(last)
    path.unlink()
    with pytest.raises(errors.StoreError, match="is gone"):
        kept.load(last)
    with pytest.raises(errors.StoreError, match="send its file again"):
        kept.load("0" * 64)


def test_threads_and_batches_give_the_same_in_order(shards, monkeypatch):
    kept, _ = shards
    late = data.Frames(kept, [*kept.places, "", *kept.places])
    one = late.load()
    monkeypatch.setattr(frames, "WORTH", 1)
    monkeypatch.setattr(frames, "_cores", lambda: 3)
    for many in (late.load(), flat(late.batches(2)), flat(late.batches(100, threads=1))):
        assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))
    assert [len(batch) for batch in late.batches(4)] == [4, 4, 1]
    assert list(data.Frames(kept, []).batches(4)) == []
    with pytest.raises(ValueError, match="many"):
        next(late.batches(0))


def test_a_batch_that_nobody_takes_is_not_decoded(shards, monkeypatch):
    kept, _ = shards
    late = data.Frames(kept, [*kept.places] * 50)
    loaded = []
    monkeypatch.setattr(
        frames.Shards, "load", lambda self, digest, size: loaded.append(digest) or np.zeros((1, 1))
    )
    taking = late.batches(2, threads=1)
    next(taking)
    taking.close()
    assert len(loaded) <= 4


def test_the_size_is_given_to_every_image(shards):
    kept, _ = shards
    late = data.Frames(kept, [*kept.places], size=(4, 6))
    assert {image.shape for image in late.load()} == {(4, 6)}
    assert {image.shape for image in late[1:].load()} == {(4, 6)}
