import pickle
import tarfile

import numpy as np
import polars as pl
import pytest

from flyball import durable, errors
from flyball.data import images
from flyball.runtime import frames, journal


@pytest.fixture
def archive(tmp_path):
    log = journal.Journal(tmp_path)
    log.open()
    return frames.Archive(tmp_path, log)


def keep(archive, arrays):
    """Take a batch in as one commit; return the digests."""
    batch = archive.batch()
    digests = [batch.add(images.packed(array)) for array in arrays]
    index = batch.index()
    if index is not None:
        number = archive.log.next()
        schema = {name: str(kind) for name, kind in index.schema.items()}
        both = {"frames": index, "sources": pl.DataFrame({"n": [number]})}
        staged = {name: [archive.log.stage(name, number, 0, rows)] for name, rows in both.items()}
        archive.log.commit(number, staged, {"frames": schema, "sources": {"n": "Int64"}})
        archive.forget()
    return digests


def noise(seed, size=64):
    return np.random.default_rng(seed).integers(0, 255, (size, size)).astype(np.uint8)


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
    digests = keep(archive, [*one, *one])
    assert digests[0] == digests[1]
    batch = archive.batch()
    assert [batch.add(images.packed(array)) for array in one * 2] == digests
    assert batch.index() is None and batch.known == 2
    assert len(list(archive.folder.glob("*.tar"))) == 1


def test_an_unknown_digest_is_told(archive):
    with pytest.raises(errors.StoreError, match="send its file again"):
        archive.fetch(["0" * 64]).load()


def test_a_shard_is_closed_when_it_is_full(archive, monkeypatch):
    monkeypatch.setattr(frames, "FULL", 10_000)
    arrays = [noise(seed) for seed in range(10)]
    digests = keep(archive, arrays)
    assert len(list(archive.folder.glob("*.tar"))) == 4
    assert all(np.array_equal(a, b) for a, b in zip(archive.fetch(digests).load(), arrays, strict=True))


def test_shards_that_no_commit_owns_are_cut_off(archive):
    digests = keep(archive, [noise(0)])
    batch = archive.batch()
    batch.add(images.packed(noise(1)))
    batch.index()  # written, and then the process dies
    torn = archive.folder / ("f" * 64 + ".tar")
    torn.write_bytes(b"half a sh")
    assert archive.recover() == 2 and archive.recover() == 0
    assert len(list(archive.folder.glob("*.tar"))) == 1
    archive.fetch(digests).load()


def test_a_batch_that_is_dropped_leaves_nothing(archive):
    batch = archive.batch()
    batch.add(images.packed(noise(1)))
    batch.index()
    batch.drop()
    assert list(archive.folder.glob("*.tar")) == []


def test_the_oldest_go_and_what_is_pinned_stays(archive):
    batches = [keep(archive, [noise(10 * number + n) for n in range(3)]) for number in range(6)]
    whole = archive.bytes()
    told = archive.retain(whole // 2, keep=[batches[1][2]])
    assert (told.shards, told.images) == (3, 9) and told.bytes == archive.bytes() <= whole // 2
    for number, digests in enumerate(batches):
        if number in (0, 2, 3):
            with pytest.raises(errors.StoreError, match="send its file again"):
                archive.fetch(digests[:1]).load()
        else:
            assert len(archive.fetch(digests).load()) == 3
    assert archive.retain(whole) == frames.Retained(0, 0, archive.bytes())
    # Sent again it is there again.
    assert keep(archive, [noise(0)]) == batches[0][:1]
    archive.fetch(batches[0][:1]).load()


def test_a_cap_below_what_is_pinned_is_told_by_what_is_left(archive):
    digests = [keep(archive, [noise(seed)])[0] for seed in range(3)]
    told = archive.retain(0, keep=digests[:1])
    assert told.images == 2 and told.bytes == archive.bytes() > 0
    assert archive.retain(0).bytes == 0 == archive.bytes()
    assert archive.recover() == 0 and archive.shards().places == {}


def test_a_reader_follows_commits_joins_and_lettings_go(archive):
    other = frames.Archive(archive.folder.parent, archive.log)
    all_of = []
    for seed in range(30):
        all_of += keep(archive, [noise(seed, 8)])
        other.forget()
        assert set(other.shards().places) == set(all_of)
    assert archive.log.compact("frames") > 0
    other.forget()
    assert list(other.shards().places) == all_of
    archive.retain(archive.bytes() // 2)
    other.forget()
    assert list(other.shards().places) == all_of[-len(other.shards().places) :]
    assert 10 < len(other.shards().places) < 20


def test_images_of_an_earlier_version_are_told(archive):
    rows = pl.DataFrame({"digest": ["0" * 64], "shard": ["a.shard"], "packed": [True]})
    both = {"frames": rows, "sources": pl.DataFrame({"n": [1]})}
    staged = {name: [archive.log.stage(name, 1, 0, frame)] for name, frame in both.items()}
    schemas = {name: {c: str(k) for c, k in frame.schema.items()} for name, frame in both.items()}
    archive.log.commit(1, staged, schemas)
    with pytest.raises(errors.StoreError, match="earlier version"):
        archive.shards()


def test_small_shards_are_joined_and_every_image_is_where_the_index_says(archive, monkeypatch):
    arrays = [noise(seed, 8 + seed % 5) for seed in range(60)]
    digests = [keep(archive, [array])[0] for array in arrays]
    other = frames.Archive(archive.folder.parent, archive.log)
    known_before = other.fetch(digests)
    assert archive.compact() == 59 and len(list(archive.folder.glob("*.tar"))) == 1
    assert archive.compact() == 0 and archive.recover() == 0
    for column in (archive.fetch(digests), known_before):  # who knew the shards before finds them joined
        assert all(np.array_equal(a, b) for a, b in zip(column.load(), arrays, strict=True))
    with tarfile.open(next(archive.folder.glob("*.tar"))) as shard:
        assert sorted(name.partition(".")[0] for name in shard.getnames()) == sorted(digests)
    assert keep(archive, [arrays[7]]) == [digests[7]] and len(list(archive.folder.glob("*.tar"))) == 1
    assert len(pickle.loads(pickle.dumps(archive.fetch(digests))).load()) == 60


def test_few_or_large_shards_are_left_alone(archive, monkeypatch):
    monkeypatch.setattr(frames, "FULL", 20_000)
    for seed in range(30):
        keep(archive, [noise(seed, 72)])
    assert archive.compact() == 0 and len(list(archive.folder.glob("*.tar"))) == 30


@pytest.mark.parametrize("fails", range(8))
def test_a_crash_while_shards_are_joined_loses_no_image(archive, monkeypatch, fails):
    arrays = [noise(seed, 8) for seed in range(26)]
    digests = [keep(archive, [array])[0] for array in arrays]
    steps = iter(range(1000))

    def crash(operation, path):
        if next(steps) == fails:
            raise KeyboardInterrupt

    monkeypatch.setattr(durable, "hook", crash)
    with pytest.raises(KeyboardInterrupt):
        archive.compact()
    monkeypatch.setattr(durable, "hook", None)
    archive.log.open()
    again = frames.Archive(archive.folder.parent, archive.log)
    again.recover()
    assert all(np.array_equal(a, b) for a, b in zip(again.fetch(digests).load(), arrays, strict=True))
    again.compact()
    assert len(again.fetch(digests).load()) == 26 and len(list(again.folder.glob("*.tar"))) == 1
