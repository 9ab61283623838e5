import threading
import time

import numpy as np
import pytest

from flyball import data, durable, errors
from flyball.data import images
from flyball.runtime import feed
from flyball.runtime.intake import Intake, Taken
from flyball.runtime.store import Store

FLEET = data.Fleet("machine", data.WallClock(), (data.Table("telemetry", columns={"power": "kW"}),))
SIDE = 32


def frame(number):
    return np.full((SIDE, SIDE), number % 251, np.uint8) + (np.arange(SIDE, dtype=np.uint8) * (number // 251))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda handle: None)
    return Store.open(tmp_path / "store", FLEET)


class Slow:
    """An intake that takes so long for a batch, and notes what it took."""

    def __init__(self, full, seconds=0.02):
        self.budget, self.seconds, self.names, self.dropped = images.Images("", full=full), seconds, [], 0

    def take(self, sent, names, dropped):
        time.sleep(self.seconds)
        self.names += names
        self.dropped += dropped
        return Taken(digests=["d"] * len(sent))


def test_everything_offered_is_on_the_disk_when_it_is_acknowledged(store):
    acknowledged = []

    def done(names, taken):
        there = store.archive.shards().places
        assert all(digest in there for digest in taken.digests if digest is not None)
        acknowledged.extend(names)

    with feed.Feed(Intake(store), batch=8, done=done) as fed:
        for number in range(50):
            assert fed.offer(frame(number), f"frame {number}")
        assert fed.offer(b"no image", "noise") and fed.offer(frame(3), "again")
    told = fed.told
    assert (told.offered, told.taken, told.known, told.refused, told.dropped, told.waiting) == (
        52,
        51,
        1,
        1,
        0,
        0,
    )
    assert acknowledged == [*(f"frame {number}" for number in range(50)), "noise", "again"]
    assert len(Store.open(store.folder, FLEET).archive.shards().places) == 50
    assert sum(store.quarantine()["frames"].values()) == 1


def test_a_full_queue_holds_the_sender_up_and_loses_nothing():
    slow, most = Slow("hold"), 8 * SIDE * SIDE
    fed = feed.Feed(slow, waiting=most, batch=4)
    for number in range(60):
        assert fed.offer(frame(number), str(number))
        assert fed._bytes <= most
    told = fed.close()
    assert told.taken == 60 and told.dropped == 0 and told.held_s > 0.1
    assert slow.names == [str(number) for number in range(60)]


def test_a_sender_may_wait_only_so_long():
    fed = feed.Feed(Slow("hold", 0.2), waiting=2 * SIDE * SIDE, batch=1)
    assert [fed.offer(frame(n), wait_s=0.01) for n in range(4)] == [True, True, False, False]
    told = fed.close()
    assert told.offered == told.taken == 2


@pytest.mark.parametrize("full", ["oldest", "newest"])
def test_what_the_page_lets_go_of_is_counted_and_the_others_are_in_order(full):
    slow, most = Slow(full), 8 * SIDE * SIDE
    fed = feed.Feed(slow, waiting=most, batch=4)
    waits = []
    for number in range(200):
        waits.append(fed.offer(frame(number), str(number)))
        assert fed._bytes <= most + SIDE * SIDE
    told = fed.close()
    assert told.offered == 200 == told.taken + told.dropped and told.held_s == 0
    assert 0 < told.taken < 100 and slow.dropped == told.dropped
    assert slow.names == sorted(slow.names, key=int) and len(slow.names) == told.taken
    # The oldest that wait go for the newest, or the newest for those that wait.
    assert (slow.names[-1] == "199") == (full == "oldest")
    assert all(waits) == (full == "oldest")


def test_drops_are_noted_in_the_store(store):
    with Intake(store, images.Images("", full="newest")) as intake:
        fed = feed.Feed(intake, waiting=4 * SIDE * SIDE, batch=4)
        for number in range(300):
            fed.offer(frame(number))
        told = fed.close()
    sources = store.sources()
    notes = [note for note in sources["note"].to_list() if note]
    assert told.dropped > 0 and all("more came than could be taken in" in note for note in notes)
    assert sum(int(note.split()[0]) for note in notes) == told.dropped
    assert sources["sent"].sum() == 300 == sources["good"].sum() + sources["duplicates"].sum() + told.dropped


def test_many_senders_at_once_and_the_sum_is_right(store):
    with Intake(store) as intake, feed.Feed(intake, waiting=16 * SIDE * SIDE, batch=8) as fed:
        senders = [
            threading.Thread(
                target=lambda s=s: [fed.offer(frame(100 * s + n), f"{s}-{n}") for n in range(40)]
            )
            for s in range(4)
        ]
        for one in senders:
            one.start()
        for one in senders:
            one.join()
    assert fed.told.taken == 160 and len(store.archive.shards().places) == 160


def test_a_full_disk_is_told_tried_again_and_nothing_is_lost(store, monkeypatch):
    monkeypatch.setattr(feed, "AGAIN_S", 0.01)
    freed = threading.Event()

    def full(operation, path):
        if operation == "write" and not freed.is_set():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "hook", full)
    with Intake(store) as intake:
        fed = feed.Feed(intake)
        for number in range(10):
            fed.offer(frame(number))
        end = time.monotonic() + 10
        while "free space" not in fed.told.trouble and time.monotonic() < end:
            time.sleep(0.01)
        assert "free space" in fed.told.trouble and fed.close(wait_s=0.05).waiting == 10
        freed.set()
        told = fed.close()
    assert (told.taken, told.waiting, told.trouble) == (10, 0, "")


def test_what_does_not_mend_itself_is_raised_at_the_sender_and_at_the_end(store):
    class Broken(Slow):
        def take(self, sent, names, dropped):
            raise errors.StoreError("damaged: restore it from a copy")

    fed = feed.Feed(Broken("hold"), waiting=SIDE * SIDE)
    fed.offer(frame(1))
    with pytest.raises(errors.StoreError, match="damaged"):
        fed.offer(frame(2))
    with pytest.raises(errors.StoreError, match="damaged"):
        fed.close()


def test_a_closed_feed_takes_nothing():
    fed = feed.Feed(Slow("hold"))
    fed.close()
    with pytest.raises(errors.DataError, match="closed"):
        fed.offer(frame(1))


def test_an_image_larger_than_all_room_still_gets_in():
    fed = feed.Feed(Slow("hold"), waiting=10)
    assert fed.offer(frame(1)) and fed.offer(frame(2))
    assert fed.close().taken == 2
