import numpy as np
import polars as pl
import pytest

from flyball import errors
from flyball.data import images
from flyball.runtime import frames, journal


@pytest.fixture
def archive(tmp_path):
    log = journal.Journal(tmp_path)
    log.open()
    return frames.Archive(tmp_path, log)


def keep(archive, arrays):
    digests = [images.digest(array) for array in arrays]
    index = archive.add(digests, arrays)
    if index is not None:
        number = archive.log.next()
        schema = {name: str(kind) for name, kind in index.schema.items()}
        both = {"frames": index, "sources": pl.DataFrame({"n": [number]})}
        staged = {name: [archive.log.stage(name, number, 0, rows)] for name, rows in both.items()}
        archive.log.commit(number, staged, {"frames": schema, "sources": {"n": "Int64"}})
        archive.forget()
    return digests


def test_images_of_every_shape_and_type_come_back_equal(archive):
    rng = np.random.default_rng(0)
    arrays = [
        np.zeros((50, 40), np.uint8), rng.integers(0, 255, (7, 9)).astype(np.uint8), rng.normal(size=(3, 4)),
        rng.normal(size=(2, 3, 3)).astype(np.float32), np.asfortranarray(rng.integers(0, 9, (4, 6))),
    ]  # fmt: skip
    late = archive.fetch(keep(archive, arrays))
    for found, array in zip(late.load(), arrays, strict=True):
        assert found.dtype == array.dtype and np.array_equal(found, array)


def test_what_is_there_is_not_written_again(archive):
    one = [np.ones((3, 3), np.uint8)]
    keep(archive, one)
    assert archive.add([images.digest(one[0])], one) is None
    assert len(list(archive.folder.glob("*.shard"))) == 1


def test_an_unknown_digest_is_told(archive):
    with pytest.raises(errors.StoreError, match="send its file again"):
        archive.fetch(["0" * 64]).load()
