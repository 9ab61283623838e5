"""Compressed input: whole, in many frames, cut short, damaged, and without end."""

import gzip
import sys
import tracemalloc

import pytest
import zstandard

from flyball import errors
from flyball.kernels import compressed

BYTES = bytes(range(256)) * 3000
SKIPPABLE = b"\x53\x2a\x4d\x18\x04\x00\x00\x00abcd"
SQUEEZE = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor(write_checksum=True).compress}
KINDS = sorted(SQUEEZE)


def mixed(size):
    """Bytes that do not compress well, so that they take many pieces."""
    state, out = 1, bytearray()
    while len(out) < size:
        state = state * 6364136223846793005 + 1442695040888963407 & 2**64 - 1
        out += state.to_bytes(8, "little")[4:] + b"line"
    return bytes(out[:size])


def unpack(chunks, kind, budget=2**30):
    plain = compressed.Plain(chunks, kind, budget)
    return b"".join(plain), plain.incomplete


def cut(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 10**9])
def test_any_chunks(kind, size):
    data = mixed(9000)
    assert unpack(cut(SQUEEZE[kind](data), size), kind) == (data, "")


@pytest.mark.parametrize("kind", KINDS)
def test_frames_behind_one_another(kind):
    parts = [mixed(5000), b"", BYTES, b"end"]
    joined = b"".join(SQUEEZE[kind](part) for part in parts)
    assert unpack([joined], kind) == (b"".join(parts), "")
    assert unpack(cut(joined, 13), kind) == (b"".join(parts), "")


def test_a_skippable_frame_is_zst():
    packed = SKIPPABLE + SQUEEZE["zst"](BYTES) + SKIPPABLE
    assert compressed.kind_of(packed[:4]) == "zst"
    assert unpack([packed], "zst") == (BYTES, "")


def test_padding_behind_a_gz():
    assert unpack([gzip.compress(BYTES) + bytes(5000)], "gz") == (BYTES, "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_is_told(kind):
    data = mixed(3000)
    packed = SQUEEZE[kind](data)
    for length in range(1, len(packed)):
        got, incomplete = unpack([packed[:length]], kind)
        assert data.startswith(got)
        assert incomplete == f"incomplete at byte {length}: the {kind} ends early"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behind", [b"garbage that is no frame", b"\1"])
def test_garbage_behind_the_end(kind, behind):
    got, incomplete = unpack([SQUEEZE[kind](BYTES) + behind], kind)
    assert got == BYTES
    assert incomplete


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [5000, 20_000, 40_000])
def test_damage_is_told_to_a_kib_and_does_not_depend_on_chunks(kind, at):
    data = mixed(100_000)
    packed = bytearray(SQUEEZE[kind](data))
    packed[at : at + 40] = b"\xff" * 40
    got, incomplete = unpack([packed], kind)
    assert incomplete.startswith("incomplete at byte ")
    assert "damaged" in incomplete
    told = int(incomplete.split()[3].rstrip(":"))
    assert told % compressed.PIECE == 0 and told >= at - at % compressed.PIECE
    assert unpack(cut(bytes(packed), 777), kind) == (got, incomplete)
    assert data[: len(got) // 2] == got[: len(got) // 2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_bounded_in_time_and_memory(kind):
    if kind == "zst":
        bomb = zstandard.ZstdCompressor(level=19).compress(bytes(2**29))
    else:
        bomb = b"".join(gzip.compress(bytes(2**22)) for _ in range(64))
    plain = compressed.Plain([bomb], kind, budget=10**8)
    tracemalloc.start()
    given = sum(len(piece) for piece in plain)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert given == 10**8
    assert "more than the budget of 100000000 plain bytes" in plain.incomplete
    assert peak < 2**26


def test_the_budget_itself_is_enough():
    assert unpack([gzip.compress(BYTES)], "gz", budget=len(BYTES)) == (BYTES, "")
    assert unpack([gzip.compress(BYTES)], "gz", budget=0)[0] == b""


def test_a_window_that_asks_for_too_much_is_refused():
    wide = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    packed = packer.compress(BYTES) + packer.flush()
    got, incomplete = unpack([packed], "zst")
    assert got == b""
    assert "damaged" in incomplete


def test_without_zstandard(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(errors.MissingExtraError, match="zstandard is needed to read zst"):
        compressed.Plain([], "zst", 1)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "plain"),
        (b"\x1f", "plain"),
        (b"\x1f\x8b", "gz"),
        (b"\x28\xb5\x2f\xfd", "zst"),
        (b"2026", "plain"),
    ],
)
def test_kinds(head, kind):
    assert compressed.kind_of(head) == kind
