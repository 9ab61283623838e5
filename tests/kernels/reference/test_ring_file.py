"""What the twin knows of a ring's file and of processes, by hand."""

import os
import subprocess
import sys

import pytest

from flyball import errors
from flyball.kernels.reference import ring_file


def test_a_header_by_hand():
    header = ring_file.header("<f4", 4, 3, 1000, 0, 2, True)
    magic, version, _, length, offset, capacity, item, span, channels, readers, drops, described = (
        ring_file.FIELDS.unpack_from(header)
    )
    # 12 bytes an item: 1024 of them fill three pages, and a quarter of what was asked for is a span.
    assert (magic, version, length, offset) == (b"FLYRING\n", 1, 5 * 4096, 2 * 4096)
    assert (capacity, item, span, channels, readers, drops, described) == (1024, 12, 250, 3, 2, 1, 3)
    assert header[72:76] == b"<f4\0"
    assert len(header) == 4096


def test_a_header_that_cannot_be():
    for values, told in [
        ((2**21, 10, 0, 1), "channels"),
        ((1, 10, 6, 1), "capacity"),
        ((1, 10, 0, 1025), "readers"),
    ]:
        channels, capacity, span, readers = values
        with pytest.raises(ValueError, match=told):
            ring_file.header("<f8", 8, channels, capacity, span, readers, False)


def test_who_lives():
    own = ring_file.identity_of(os.getpid())
    assert ring_file.pid_of(own) == os.getpid()
    assert ring_file.lives(own)
    assert not ring_file.lives(own + (1 << 22))  # the number given out again, later
    assert not ring_file.lives(0)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = ring_file.identity_of(child.pid)
    assert ring_file.lives(known)
    child.communicate(b"\n")
    assert not ring_file.lives(known)


def test_one_at_a_time_at_the_door(tmp_path, monkeypatch):
    path = str(tmp_path / "ring")
    with pytest.raises(FileNotFoundError):
        ring_file.Locked(path)
    ring_file.create(path, ring_file.header("<f8", 8, 1, 512, 0, 1, False))
    ring_file.create(path, ring_file.header("<f4", 4, 1, 512, 0, 1, False))  # there is one: left as it is
    clock = iter(range(100))
    monkeypatch.setattr(ring_file.time, "monotonic", lambda: next(clock))
    with ring_file.Locked(path) as file:
        assert ring_file.Memory(path, file).told() == ("<f8", 1, 512, 128, 1, "block", 8)
        with pytest.raises(errors.RingError, match="locked for 5 s"):
            ring_file.Locked(path)
