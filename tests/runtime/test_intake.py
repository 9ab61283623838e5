import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from flyball import data, durable, errors
from flyball.data import images
from flyball.runtime import intake as intakes
from flyball.runtime.intake import Intake
from flyball.runtime.store import Store

FLEET = data.Fleet("machine", data.WallClock(), (data.Table("telemetry", columns={"power": "kW"}),))


def noise(seed, size=40):
    return np.random.default_rng(seed).integers(0, 255, (size, size)).astype(np.uint8)


def jpeg(seed):
    sink = io.BytesIO()
    Image.fromarray(noise(seed)).save(sink, "JPEG")
    return sink.getvalue()


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", FLEET)


@pytest.fixture(autouse=True)
def faults_are_ours(monkeypatch):
    """No hook stays behind, and no real fsync: what it keeps is tested in tests/faults, and takes most of the time."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    yield
    durable.hook = None


def test_what_is_acknowledged_is_there_for_everybody(store):
    sent = [noise(1), jpeg(2), noise(3).astype(np.uint16) * 200]
    with Intake(store) as intake:
        taken = intake.take(sent)
    assert taken.known == 0 and taken.refused == {} and taken.commit == 1
    found = Store.open(store.folder, FLEET).fetch(taken.digests).load()
    assert np.array_equal(found[0], sent[0]) and np.array_equal(found[2], sent[2])
    assert np.array_equal(found[1], images.decode(sent[1]))
    assert taken.bytes < sum(path.stat().st_size for path in (store.folder / "frames").glob("*.tar"))


def test_what_comes_again_changes_nothing(store):
    with Intake(store) as intake:
        first = intake.take([noise(1), noise(2), noise(1)])
        assert first.known == 1 and first.digests[0] == first.digests[2]
        again = intake.take([noise(2), noise(1)])
    assert (again.known, again.commit, again.bytes) == (2, 0, 0) and again.digests == first.digests[1::-1]
    assert store.journal.committed() == 1


def test_what_is_no_image_is_quarantined_by_name(store):
    with Intake(store, budget=data.Images("", pixels=2000)) as intake:
        taken = intake.take([b"hello", jpeg(1), jpeg(2)[:-2], noise(1, 50)], ["a", "b", "c", "d"])
        assert [digest is None for digest in taken.digests] == [True, False, True, False]
        sink = io.BytesIO()
        np.save(sink, noise(1, 50))
        assert intake.take([sink.getvalue()]).refused == {"an image of 2500 pixels, at most 2000 are read": 1}
    rows = store.journal.read("quarantine")[0].select("name", "table", "reason").rows()
    assert [row[:2] for row in rows] == [("a", "frames"), ("c", "frames")]
    assert sum(store.quarantine()["frames"].values()) == 3
    # A stream of images is no file of the fleet: it starts no training.
    assert store.holds()["files"] == 0 and store.holds()["good"] == {}


def test_the_cap_holds_and_what_is_kept_stays(store):
    pinned = []
    with Intake(store, at_most=40_000, keep=lambda: pinned) as intake:
        acknowledged = []
        for seed in range(40):
            acknowledged += intake.take([noise(seed)]).digests
            pinned[:] = acknowledged[:1]
            assert store.archive.bytes() <= 40_000 + 3_000
    left = list(store.archive.shards().places)
    assert len(left) > 5 and left[0] == acknowledged[0] and left[1:] == acknowledged[-len(left) + 1 :]
    assert intake.let_go.images == 40 - len(left)
    assert Store.open(store.folder, FLEET).fetch(left).load()
    assert len(store.journal.files("frames")) < 40


def test_what_a_release_may_be_trained_on_is_not_let_go(tmp_path):
    fleet = data.Fleet("machine", data.WallClock(), (data.Table("maps", columns={"map": "image"}),))
    store = Store.open(tmp_path / "store", fleet)

    def ingest(seed, day):
        folder = tmp_path / f"in-{seed}" / "maps"
        folder.mkdir(parents=True)
        np.save(folder / "a.npy", noise(seed))
        (folder / "a.csv").write_text(f"machine,at,map\nm{seed},{day},a.npy\n")
        store.ingest([folder])
        return store.rows("maps").columns["map"].digests.tolist()

    first = ingest(1, "2025-01-01")
    assert intakes.trained_on(store) == set()
    release = tmp_path / "store" / "releases" / ("a" * 64)
    release.mkdir(parents=True)
    told = {"since": 1_735_689_600_000_000, "last": 1_735_689_600_000_000}  # 2025-01-01
    (release / "data.json").write_text(json.dumps(told))
    both = ingest(2, "2025-01-02")
    assert intakes.trained_on(store) == set(first) < set(both)
    with Intake(store, at_most=1) as intake:
        assert intake.take([noise(3)]).digests[0] not in store.archive.shards().places
        assert set(store.archive.shards().places) == set(first)
        shutil.rmtree(release)
        intake.take([noise(4)])
    assert store.archive.bytes() == 0


def steps(store, work, hook):
    durable.hook = hook
    try:
        return work()
    finally:
        durable.hook = None


def test_killed_at_every_step_a_batch_is_there_or_not_at_all(store, tmp_path):
    import shutil

    with Intake(store) as intake:
        before = intake.take([noise(1), noise(2)]).digests
        left = []

        def copy(operation, path):
            left.append(tmp_path / f"killed-{len(left)}")
            shutil.copytree(store.folder, left[-1])

        new = steps(store, lambda: intake.take([noise(3), b"bad", noise(4)]), copy).digests
    seen = set()
    for place in left:
        again = Store.open(place, FLEET)
        there = set(again.archive.shards().places)
        assert there in ({*before}, {*before, new[0], new[2]})
        seen.add(len(there))
        shards = {found.shard for found in again.archive.shards().places.values()}
        assert {path.name for path in (place / "frames").glob("*.tar")} == shards
        with Intake(again) as intake:
            intake.take([noise(3), b"bad", noise(4)])
        assert set(again.archive.shards().places) == {*before, new[0], new[2]}
        assert sum(again.quarantine()["frames"].values()) == 1 + (len(there) > 2)
        again.fetch([*before, new[0], new[2]]).load()
    assert seen == {2, 4}


def test_a_step_that_fails_leaves_nothing_behind_and_is_told(store):
    with Intake(store) as intake:
        before = intake.take([noise(1)]).digests
        number = 0
        while True:
            calls = iter(range(10**6))

            def full(operation, path, calls=calls, number=number):
                if next(calls) == number:
                    raise OSError(28, "No space left on device", str(path))

            try:
                taken = steps(store, lambda number=number: intake.take([noise(100 + number)]), full)
            except errors.StoreError as error:
                assert "free space" in str(error)
                store.refresh()
                assert set(before) <= set(store.archive.shards().places)
                with store.writing():
                    before = list(store.archive.shards().places)
                    assert store.archive.recover() == 0
                number += 1
                continue
            break
        assert number > 10 and set(taken.digests) <= set(store.archive.shards().places)
        assert len(store.fetch(before).load()) == len(before)


def test_a_hook_at_the_letting_go_leaves_a_store_that_opens(store, tmp_path):
    import shutil

    left = []

    def copy(operation, path):
        left.append((operation, tmp_path / f"killed-{len(left)}"))
        shutil.copytree(store.folder, left[-1][1])

    with Intake(store) as intake:
        for seed in range(4):
            intake.take([noise(seed)])
    with store.writing():
        steps(store, lambda: store.archive.retain(store.archive.bytes() // 2), copy)
    assert {operation for operation, _ in left} >= {"commit", "unlink"}
    for _, place in left:
        again = Store.open(place, FLEET)
        there = list(again.archive.shards().places)
        assert len(there) in (2, 4) and len(again.fetch(there).load()) == len(there)
        assert len(list((place / "frames").glob("*.tar"))) == len(there)
