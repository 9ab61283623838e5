"""Samples and frames in rings: what a reader gets and what it lost is what was written, exactly."""

import os

import numpy as np
import pytest

from flyball import errors, fab
from flyball.fab import fleet, rings
from flyball.kernels import RingReader, ring

FEW = fab.Fab("tiny", seed=4, machines=2, days=2)


def window(fleet_, machine, first, many):
    """A stand-in whose values tell machine and second."""
    second = np.arange(first, first + many)
    return {"machine": np.full(many, machine), "second": second % 1000}


@pytest.fixture
def prefix():
    name = f"flyball-test-{os.getpid()}"
    yield name
    for end in ("A-001", "B-001", "frames"):
        ring.unlink(f"{name}-{end}")


def at(seconds):
    return fleet.START_US + 1_000_000 * seconds


def test_every_second_is_written_once_with_its_moment(prefix):
    samples = rings.Samples(FEW, prefix, window, begin_h=1.0)
    readers = [RingReader(name) for name in samples.names]
    assert (
        samples.due(at(3600 + 10), 0.0)
        and samples.due(at(3600 + 10), 0.0)
        and samples.due(at(3600 + 5000), 0.0)
    )
    for machine, reader in enumerate(readers):
        had = []
        while len(view := reader.take(8192, wait=0.0)):
            had.append(view.copy())
            assert reader.release()
        got = np.concatenate(had)
        assert got["time"].tolist() == [at(3600 + n) for n in range(5000)]
        assert (got["machine"] == machine).all() and got["second"][1] == (3601 % 1000)
        assert reader.lost == 0
        reader.close()
    assert samples.close() == {"samples": 10_000, "rings": 2}
    samples.remove()
    with pytest.raises(errors.RingError):
        RingReader(samples.names[0])


def test_a_slow_reader_is_told_exactly_what_it_lost(prefix):
    samples = rings.Samples(FEW, prefix, window)
    with RingReader(samples.names[0]) as reader:
        samples.due(at(100), 0.0)
        first = reader.take(100, wait=0.0)["time"][-1]
        reader.release()
        samples.due(at(60_000), 0.0)
        samples.close()
        received = []
        with pytest.raises(errors.WriterClosedError):
            while True:
                view = reader.take(1000, wait=0.0)["time"].copy()
                if reader.release():
                    received += view.tolist()
        assert reader.lost > 0 and 100 + reader.lost + len(received) == 60_000
    assert received == [at(second) for second in range(60_000 - len(received), 60_000)]
    assert first == at(99)


def test_it_ends_with_the_fleet(prefix):
    samples = rings.Samples(FEW, prefix, window)
    assert samples.due(at(2 * 86_400 - 1), 0.0)
    assert not samples.due(at(3 * 86_400), 0.0)
    assert samples.close()["samples"] == 2 * 2 * 86_400


def test_a_ring_that_another_writes_is_told_and_no_end_stays_open(prefix):
    samples = rings.Samples(FEW, prefix, window)
    with pytest.raises(errors.RingError):
        rings.Samples(FEW, prefix, window)
    samples.close()
    rings.Samples(FEW, prefix, window).close()


def frames(size=8):
    for number in range(10**9):
        yield np.full((size, size), number % 256, dtype=np.uint8)


def test_frames_come_at_their_rate_into_a_ring(prefix):
    made = rings.Frames(frames(), 10_000, name=f"{prefix}-frames")
    with RingReader(f"{prefix}-frames") as reader:
        for tick in range(21):
            assert made.due(0, 0.05 * tick)
        got = reader.take(1000, wait=0.0).copy()
        assert reader.release() and reader.lost == 0
    assert made.shape == (8, 8) and got.shape == (166, 64)
    assert got[:, 0].tolist() == list(range(166))
    assert made.close() == {"frames": 166, "frames_short": 0}


def test_frames_are_whole_files_and_what_is_short_is_told(tmp_path):
    made = rings.Frames(frames(), 60, folder=tmp_path / "frames")
    made.due(0, 1.0)
    made.due(0, 5.0)
    assert made.close() == {"frames": 2, "frames_short": 3}
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["00000000.npy", "00000001.npy"]
    assert np.load(tmp_path / "frames" / "00000001.npy")[0, 0] == 1


@pytest.mark.parametrize("rate", [0, -1, 10_001])
def test_a_rate_beyond_is_refused(tmp_path, rate):
    with pytest.raises(errors.DeclarationError, match="frames a minute"):
        rings.Frames(frames(), rate, folder=tmp_path)
    with pytest.raises(errors.DeclarationError, match="either a ring or a folder"):
        rings.Frames(frames(), 1)
