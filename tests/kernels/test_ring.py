"""The ring between processes: nothing lost or counted wrong, whoever is killed; misuse is told, not suffered."""

import contextlib
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.rings import PAIRS, STRUCT, reader_of, writer_of

from flyball import errors, kernels
from flyball.kernels import backend, ring
from flyball.kernels.ring import RingReader, RingWriter


@pytest.fixture(params=backend.available())
def path(request):
    """Every path, the twin too: they promise the same."""
    with backend.using(request.param):
        yield request.param


@pytest.mark.parametrize("overrun", ring.OVERRUNS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_pair_hands_over_what_was_pushed(overrun, data):
    made = f"flyball-any-{os.getpid()}"
    ring.unlink(made)
    kind, channels = data.draw(st.sampled_from([("f8", 1), ("f4", 3), ("i2", 1), (STRUCT, 1), (STRUCT, 2)]))
    ends = data.draw(st.sampled_from(PAIRS))
    writer = writer_of(ends[0], made, kind, 600, channels=channels, span=200, overrun=overrun, wait=0.0)
    reader = reader_of(ends[1], made)
    pushed, received = [], []
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    count = 0
    for many in data.draw(st.lists(st.integers(1, 200), max_size=60)):
        bytes_ = rng.integers(0, 2, (many, channels * writer.dtype.itemsize), np.uint8)
        items = bytes_.view(writer.dtype).reshape((many,) if channels == 1 else (many, channels))
        if overrun == "drop_oldest" or count - reader.sequence + many <= writer.capacity:
            if many % 2:
                writer.push(items)
            else:
                writer.reserve(many)[:] = items
                writer.commit(many)
            pushed.append(items.copy())
            count += many
        if data.draw(st.booleans()):
            view = reader.take(data.draw(st.integers(1, 400)), wait=0.0)
            if len(view):
                received.append((reader.sequence, view.copy()))
                assert reader.release()
    writer.close()
    with pytest.raises(errors.WriterClosedError):
        while True:
            view = reader.take(1000)
            received.append((reader.sequence, view.copy()))
            assert reader.release()
    everything = np.concatenate([*pushed, np.zeros((0, channels)[: 1 + (channels > 1)], writer.dtype)])
    assert sum(len(view) for _, view in received) + reader.lost == len(everything) == writer.sequence
    assert overrun == "drop_oldest" or reader.lost == 0
    for first, view in received:
        assert view.tobytes() == everything[first : first + len(view)].tobytes()
    reader.close()
    ring.unlink(made)


def test_a_view_is_a_view(path, name):
    with RingWriter(name, "f8", 1024) as writer, RingReader(name) as reader:
        room = writer.reserve(4)
        room[:] = 1, 2, 3, 4
        assert len(reader.take(10, wait=0)) == 0
        writer.commit(3)
        room[0] = 9.0
        view = reader.take(10)
        assert view.tolist() == [9, 2, 3]
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1.0
        with pytest.raises(ValueError, match=r"WRITEABLE|writeable"):
            view.flags.writeable = True


@pytest.mark.skipif(not kernels.native, reason="the twin maps the memory once")
def test_a_span_over_the_wrap_is_one_piece(name):
    with RingWriter(name, "f8", 512) as writer, RingReader(name) as reader:
        for begin in range(0, 5000, 100):
            room = writer.reserve(100)
            room[:] = np.arange(begin, begin + 100)
            writer.commit(100)
            view = reader.take(100)
            assert view.base is not None
            assert view.flags.c_contiguous
            assert view.tolist() == list(range(begin, begin + 100))
            reader.release()


def test_a_view_that_is_held_never_changes(path, name):
    with RingWriter(name, "f8", 1024) as writer, RingReader(name) as reader:
        kept, parts = [], []
        for begin in range(0, 1000, 10):
            writer.push(np.arange(begin, begin + 10.0))
            view = reader.take(10)
            if begin % 30 == 0:
                kept.append((begin, view))
            elif begin % 30 == 10:
                parts.append((begin, view[3:]))  # which keeps the memory, not the view
            reader.release()
    assert all(view.tolist() == list(range(begin, begin + 10)) for begin, view in kept)
    assert all(part.tolist() == list(range(begin + 3, begin + 10)) for begin, part in parts)
    assert len({id(view) for _, view in kept}) == len(kept)


@pytest.mark.parametrize("change", ["shape", "dtype", "writeable", "weakref", "strides"])
def test_what_was_done_to_a_view_is_not_found_on_the_next(path, name, change):
    with RingWriter(name, "f8", 1024) as writer:

        def spoil():
            view = writer.reserve(4)
            if change == "shape":
                view.shape = (2, 2)
            elif change == "dtype":
                view.dtype = "i8"
            elif change == "writeable":
                view.flags.writeable = False
            elif change == "strides":
                np.lib.stride_tricks.as_strided(view, strides=(0,))
            else:
                return view, weakref.ref(view)
            return None

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            held = [spoil() for _ in range(4)]
        for _ in range(4):
            view = writer.reserve(4)
            assert (view.shape, view.dtype, view.strides, view.flags.writeable) == ((4,), "f8", (8,), True)
            view[:] = 1.0
            writer.commit(4)
            assert not held[0] or all(seen() is one for one, seen in held)


@pytest.mark.parametrize("many", [1, 100, 128, 129, 200, 511])
def test_every_byte_of_a_long_push_arrives(path, name, many):
    rng = np.random.default_rng(many)
    with RingWriter(name, "u1", 4096, channels=9) as writer, RingReader(name) as reader:
        for _ in range(30):
            sent = rng.integers(0, 256, (many, 9), np.uint8)
            writer.push(sent)
            assert np.array_equal(reader.take(many), sent)
            reader.release()


@pytest.mark.parametrize("wrong", ["1", 1.5, None, 2**70, -(2**70)])
def test_counts_and_waits_that_are_none_are_refused(path, name, wrong):
    with RingWriter(name, "f8", 1024) as writer, RingReader(name) as reader:
        for act in (writer.reserve, writer.commit):
            with pytest.raises(ValueError, match="count: "):
                act(wrong)
        if not isinstance(wrong, int):
            for act in (reader.take, reader.peek):
                with pytest.raises(ValueError, match="at_most: "):
                    act(wrong)
        for wait in (-1.0, float("nan"), "1"):
            with pytest.raises(ValueError, match="wait: "):
                reader.take(1, wait=wait)
        for arguments, named in [((), {}), ((1, 0.0, 1), {}), ((1,), {"at_most": 1}), ((1,), {"until": 1})]:
            with pytest.raises(TypeError):
                reader.take(*arguments, **named)


def test_views_outlive_their_end(path, name):
    writer, reader = RingWriter(name, "f8", 1024), RingReader(name)
    writer.push(np.arange(5.0))
    room, view, ahead = writer.reserve(2), reader.take(5), reader.peek(5)
    writer.close()
    reader.close()
    del writer, reader
    ring.unlink(name)
    room[:] = 1.0
    assert view.tolist() == ahead.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"capacity": 0}, "capacity: 0 is out of range"),
        ({"capacity": -5}, "capacity: -5"),
        ({"capacity": 100, "span": 51}, "capacity: 100 items are fewer than two spans of 51, give 102"),
        ({"span": 0}, "span: 0"),
        ({"capacity": 2**45}, "capacity"),
        ({"capacity": 10.5}, "capacity: needs a whole number"),
        ({"channels": 0}, "channels: 0"),
        ({"channels": 2**21}, "channels: give"),
        ({"readers": 0}, "readers: 0"),
        ({"readers": 5000}, "readers: give"),
        ({"overrun": "panic"}, "overrun: no policy 'panic'"),
        ({"wait": -1.0}, "wait: "),
        ({"wait": float("nan")}, "wait: "),
        ({"dtype": "O"}, "dtype: "),
        ({"dtype": None}, "dtype: "),
        ({"dtype": "f9"}, "dtype: "),
        ({"dtype": "U0"}, "dtype: "),
        ({"dtype": [(f"field_number_{i}", "f8") for i in range(500)]}, "dtype: "),
        ({"name": ""}, "name: "),
        ({"name": "a/b"}, "name: "),
        ({"name": "../b"}, "name: "),
        ({"name": "/tmp/../b"}, "name: "),
        ({"name": "a\0b"}, "name: "),
        ({"name": "x" * 300}, "name: "),
        ({"name": 5}, "name: "),
    ],
)
def test_a_ring_that_cannot_be_is_refused(path, name, changed, told):
    with pytest.raises((ValueError, errors.RingError), match=told):
        RingWriter(**{"name": name, "dtype": "f8", "capacity": 100, **changed})
    assert not os.path.exists(f"/dev/shm/{name}")


def test_misuse_of_an_end(path, name):
    writer = RingWriter(name, "f8", 512, span=64, readers=2)
    reader = RingReader(name)
    with pytest.raises(errors.RingError, match=f"process {os.getpid()} is writing"):
        RingWriter(name, "f8", 512, span=64, readers=2)
    with pytest.raises(ValueError, match="count: "):
        writer.reserve(65)
    with pytest.raises(ValueError, match="count: "):
        writer.reserve(0)
    with pytest.raises(ValueError, match="count: 1 items committed, 0 reserved"):
        writer.commit(1)
    with pytest.raises(ValueError, match="at_most"):
        reader.take(0)
    with pytest.raises(ValueError, match="release: no span is held"):
        reader.release()
    with pytest.raises(ValueError, match="dtype: the ring holds float64, not float32"):
        RingReader(name, "f4")
    with pytest.raises(ValueError, match="channels: the ring has 1, not 2"):
        RingReader(name, channels=2)
    writer.push(1.0)
    reader.take(1)
    with pytest.raises(ValueError, match="still held, release it first"):
        reader.take(1)
    second = RingReader(name)
    with pytest.raises(errors.RingError, match="no place for one more reader"):
        RingReader(name)
    second.close()
    RingReader(name).close()
    writer.close()
    writer.close()
    for act in (lambda: writer.push(1.0), lambda: writer.reserve(1), lambda: writer.commit(0)):
        with pytest.raises(errors.RingClosedError):
            act()
    reader.close()
    for act in (lambda: reader.take(1), lambda: reader.peek(1), reader.release):
        with pytest.raises(errors.RingClosedError):
            act()


def test_foreign_and_truncated_files_are_refused(path, name):
    place = f"/dev/shm/{name}"
    RingWriter(name, "f8", 1024).close()
    assert os.stat(place).st_mode & 0o777 == 0o600
    with open(place, "rb") as file:
        whole = file.read()
    damaged = bytearray(whole)
    damaged[40] ^= 1
    for content, told in [
        (b"", "truncated"),
        (b"x" * 10_000, "foreign"),
        (whole[:5000], "truncated or grown"),
        (whole + b"x", "truncated or grown"),
        (bytes(damaged), "checksum"),
    ]:
        with open(place, "wb") as file:
            file.write(content)
        for act in (lambda: RingReader(name), lambda: RingWriter(name, "f8", 1024)):
            with pytest.raises(errors.RingError, match=told):
                act()
    os.unlink(place)
    os.symlink("/etc/hostname", place)
    with pytest.raises(errors.RingError, match="cannot open"):
        RingReader(name)
    os.unlink(place)
    os.mkdir(place)
    with pytest.raises(errors.RingError):
        RingReader(name)
    os.rmdir(place)


def test_another_layout_under_the_name_is_refused(pair, name):
    writer_of(pair[0], name, "f8", 1024).close()
    with pytest.raises(errors.RingError, match="another layout"):
        writer_of(pair[1], name, "f4", 1024)
    with writer_of(pair[1], name, "f8", 1024) as writer:
        assert writer.epoch == 2


def test_block_waits_and_names_the_reader(pair, name):
    writer = writer_of(pair[0], name, "f8", 512, wait=0.05)
    reader = reader_of(pair[1], name)
    writer.push(np.zeros(512))
    begun = time.monotonic()
    with pytest.raises(errors.RingFullError, match=f"process {os.getpid()}, 512 items behind"):
        writer.push(1.0)
    assert 0.04 < time.monotonic() - begun < 5
    with pytest.raises(TimeoutError):
        writer.reserve(1)
    reader.take(1)
    reader.release()
    writer.push(1.0)
    reader.close()
    writer.push(np.zeros(5000))


def test_drop_oldest_tells_a_view_that_was_overwritten(pair, name):
    writer = writer_of(pair[0], name, "f8", 512, span=64, overrun="drop_oldest")
    reader = reader_of(pair[1], name)
    writer.push(np.arange(10.0))
    reader.take(10)
    writer.push(np.zeros(400))
    assert reader.release()
    reader.take(100)
    writer.push(np.zeros(300))
    assert not reader.release()
    assert reader.lost == 100
    kept = reader.take(1000)
    assert len(kept) + reader.lost + 10 == 710


def test_a_new_writer_is_a_new_epoch(pair, name):
    writer = writer_of(pair[0], name, "i8", 1024)
    reader = reader_of(pair[1], name)
    writer.push([1, 2])
    assert (writer.epoch, writer.sequence) == (1, 2)
    writer.reserve(1)[:] = 99
    writer.close()
    again = writer_of(pair[1], name, "i8", 1024)
    again.push([3])
    assert (again.epoch, again.sequence) == (2, 3)
    assert (reader.take(9).tolist(), reader.epoch) == ([1, 2], 1)
    reader.release()
    assert (reader.take(9).tolist(), reader.epoch, reader.sequence) == ([3], 2, 2)
    late = reader_of(pair[0], name)
    assert (late.peek(9).tolist(), late.epoch) == ([1, 2], 1)
    newest = reader_of(pair[0], name, oldest=False)
    assert (len(newest.peek(9)), newest.sequence) == (0, 3)


def test_waiting_is_woken_and_costs_little(pair, name):
    writer, reader = writer_of(pair[0], name, "f8", 1024), reader_of(pair[1], name)
    threading.Timer(0.5, lambda: writer.push(1.0)).start()
    begun, burnt = time.monotonic(), time.process_time()
    assert reader.take(1, wait=20).tolist() == [1.0]
    assert 0.3 < time.monotonic() - begun < 10
    assert time.process_time() - burnt < 0.3


@pytest.mark.skipif(not kernels.native, reason="the twin holds the interpreter while it works")
def test_one_end_in_two_threads_is_told(name):
    with RingWriter(name, "f8", 1024), RingReader(name) as reader:
        seen = []

        def wait():
            with contextlib.suppress(errors.RingClosedError):
                reader.take(1, wait=20)
            seen.append(1)

        thread = threading.Thread(target=wait)
        thread.start()
        while not seen:
            try:
                reader.take(1, wait=0)
            except errors.RingError as error:
                assert "in use by another thread" in str(error)
                break
        reader.close()
        thread.join(10)
        assert not thread.is_alive()


def test_the_header_is_found_and_the_example_talks_to_python(name, tmp_path):
    import pathlib
    import shutil

    if shutil.which("g++") is None:
        pytest.skip("NOT RUN: no g++ here")
    examples = pathlib.Path(__file__).parents[2] / "examples"
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{kernels.include()}"]
    subprocess.run(
        [*command, str(examples / "ring_writer.cpp"), "-o", str(tmp_path / "w"), "-pthread"], check=True
    )
    reads = subprocess.Popen(
        [sys.executable, str(examples / "ring_reader.py"), name], stdout=subprocess.PIPE, text=True
    )
    subprocess.run([tmp_path / "w", name, "0.3"], check=True, capture_output=True)
    told, _ = reads.communicate(timeout=30)
    assert reads.returncode == 0
    assert "0 lost" in told
