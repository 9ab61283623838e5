"""The plain twin of the ring, by the bytes that lie in its file."""

import os
import struct
import zlib

import numpy as np
import pytest

from flyball import errors
from flyball.kernels import reference


@pytest.fixture
def path():
    made = f"/dev/shm/flyball-twin-{os.getpid()}"
    yield made
    os.unlink(made)


def word(path, at):
    with open(path, "rb") as file:
        file.seek(at)
        return int.from_bytes(file.read(8), "little")


def ends(path, drops=False, patience=0.0):
    writer = reference.RingWriter(path, "<f8", 8, 1, 512, 128, 2, drops, patience)
    writer.attach(writer.memory().view("f8"), lambda values: np.asarray(values, "f8").view("u1"))
    reader = reference.RingReader(path, True)
    reader.attach(reader.memory().view("f8"))
    return writer, reader


def test_the_file_by_hand(path):
    writer, reader = ends(path)
    writer.push([1.5, 2.5])
    with open(path, "rb") as file:
        header = file.read(4096)
    fields = struct.unpack_from("<8sIIQQQQQIIII", header)
    # 5248 bytes of header and words and two places of 128 fill two pages; 512 doubles fill one.
    checksum = zlib.crc32(header[:12] + bytes(4) + header[16:])
    assert fields == (b"FLYRING\n", 1, checksum, 3 * 4096, 2 * 4096, 512, 8, 128, 1, 2, 0, 3)
    assert header[72:75] == b"<f8"
    assert word(path, 4096) == 2  # the head
    assert word(path, 4224) == 512  # how far the writer may go
    assert word(path, 4360) == 1  # the first epoch
    assert word(path, 4352) & (2**22 - 1) == word(path, 5248) & (2**22 - 1) == os.getpid()
    assert word(path, 8192) == int.from_bytes(struct.pack("<d", 1.5), "little")
    assert reader.take(5).tolist() == [1.5, 2.5]
    assert word(path, 5256) == 0  # still held
    reader.release()
    assert word(path, 5256) == 2
    reader.close()
    writer.close()
    assert (word(path, 5248), word(path, 4352)) == (0, 0)


def test_over_the_wrap_by_hand(path):
    writer, reader = ends(path)
    for _ in range(5):
        writer.push(np.zeros(100))
        reader.take(100)
        reader.release()
    room = writer.reserve(20)
    room[:] = np.arange(20)
    writer.commit(20)
    assert word(path, 8192) == int.from_bytes(struct.pack("<d", 12.0), "little")
    assert reader.take(30).tolist() == list(range(20))


def test_full_and_dropped_by_hand(path):
    writer, reader = ends(path)
    writer.push(np.zeros(512))
    with pytest.raises(errors.RingFullError):
        writer.reserve(1)
    reader.close()
    writer.close()
    os.unlink(path)
    writer, reader = ends(path, drops=True)
    writer.push(np.arange(1024.0))
    # The writer may be overwriting a whole span ahead of 1024 - 128: what is left begins at 512.
    assert (reader.take(1000)[0], reader.lost) == (512.0, 512)
