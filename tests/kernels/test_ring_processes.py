"""Rings between processes that are killed, interrupted or too fast: what was acknowledged arrives or is counted."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests.kernels.rings import reader_of, start, writer_of

from flyball import errors
from flyball.kernels import backend
from flyball.kernels.ring import RingReader, RingWriter


def _write_numbers(pipe, kind, name, chunks, **more):
    """Push numbers in order for ever, telling how many are acknowledged."""
    with backend.using(kind):
        writer = RingWriter(name, "i8", 4096, span=512, **more)
    pipe.send(writer.sequence)
    rng, told = random.Random(chunks), writer.sequence
    while True:
        many = rng.randint(1, 512)
        writer.push(np.arange(told, told + many))
        told = writer.sequence
        pipe.send(told)


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_loses_nothing_that_it_acknowledged(pair, name, seed):
    process, pipe = start(_write_numbers, pair[0], name, seed)
    pipe.recv()
    reader = reader_of(pair[1], name)
    rng, end, received, acknowledged = random.Random(seed), None, reader.sequence, 0
    due = time.monotonic() + rng.uniform(0.02, 0.2)
    while end is None:
        if time.monotonic() > due and process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)  # and not waited for: a zombie is dead
            due = float("inf")
        try:
            view = reader.take(rng.randint(1, 700), wait=20)
        except errors.WriterGoneError as error:
            end = error
            continue
        assert view.tolist() == list(range(received, received + len(view)))
        received += len(view)
        reader.release()
        with contextlib.suppress(EOFError):
            while pipe.poll():
                acknowledged = pipe.recv()
    assert type(end) is errors.WriterGoneError
    with contextlib.suppress(EOFError):
        while pipe.poll():
            acknowledged = pipe.recv()
    assert acknowledged <= received
    assert reader.lost == 0
    process.join()

    writer = writer_of(pair[1], name, "i8", 4096, span=512)
    assert (writer.sequence, writer.epoch) == (received, 2)
    writer.push([7])
    assert (reader.take(9).tolist(), reader.epoch) == ([7], 2)


def _read_for_ever(pipe, kind, name):
    with backend.using(kind):
        reader = RingReader(name)
    pipe.send("here")
    while True:
        reader.take(100)
        reader.release()


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_reader_frees_its_place(pair, name, seed):
    writer = writer_of(pair[0], name, "i8", 2048, readers=2, wait=20)
    own = reader_of(pair[1], name)
    rng = random.Random(seed)
    for _ in range(3):
        process, pipe = start(_read_for_ever, pair[1], name)
        assert pipe.recv() == "here"
        due = time.monotonic() + rng.uniform(0.0, 0.05)
        while process.exitcode is None:
            if time.monotonic() > due:
                os.kill(process.pid, signal.SIGKILL)
                due = float("inf")
            begin = writer.sequence
            writer.push(np.arange(begin, begin + 500))
            assert own.take(500).tolist() == list(range(begin, begin + 500))
            own.release()
        process.join()
    # The place of the last one holds nobody up and is free for the next.
    for _ in range(10):
        writer.push(np.zeros(500, np.int64))
        own.take(500)
        own.release()
    reader_of(pair[1], name).close()
    assert own.lost == 0


def _drop_numbers(pipe, kind, name, total):
    with backend.using(kind):
        writer = RingWriter(name, "i8", 2048, span=256, overrun="drop_oldest")
    pipe.send("here")
    pipe.recv()
    for at in range(0, total, 250):
        writer.push(np.arange(at, at + 250))
    writer.close()


def test_loss_is_counted_exactly(pair, name):
    total = 50_000 if "reference" in pair else 2_000_000
    process, pipe = start(_drop_numbers, pair[0], name, total)
    pipe.recv()
    reader = reader_of(pair[1], name)
    pipe.send("go")
    rng, received = random.Random(3), 0
    with pytest.raises(errors.WriterClosedError):
        while True:
            view = reader.take(rng.randint(1, 1000), wait=20)
            first, copy = reader.sequence, view.copy()
            if rng.random() < 0.02:
                time.sleep(0.001)
            if reader.release():
                received += len(copy)
                assert copy[0] == first and (np.diff(copy) == 1).all()
    assert received + reader.lost == total
    process.join()


def test_a_pid_that_was_given_out_again_is_another_process(pair, name):
    writer_of(pair[0], name, "f8", 1024).close()
    with open(f"/dev/shm/{name}", "r+b") as file:
        # The writer's word: this process's number, started at another moment.
        file.seek(4352)
        file.write((1 << 22 | os.getpid()).to_bytes(8, "little"))
    reader = reader_of(pair[1], name)
    with pytest.raises(errors.WriterGoneError):
        reader.take(1, wait=20)
    assert writer_of(pair[1], name, "f8", 1024).epoch == 2


def test_an_interrupt_ends_a_wait(name):
    script = (
        # A program in a background shell is started deaf to interrupts, and so is all that it starts.
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); n = sys.argv[1]\n"
        "from flyball.kernels import RingReader, RingWriter\n"
        "w, r = RingWriter(n, 'f8', 1024), RingReader(n); print('waits', flush=True); r.take(1)"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout.readline() == "waits\n"
    time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=20)
    assert "KeyboardInterrupt" in told
