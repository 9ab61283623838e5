"""The ring between two processes, beside what Python's own library has, and beside bare queues in C++.

A processor for each end where there are two to be had. Every reader sums what it gets: a figure stands only
where nothing was lost. The sum is one call of BLAS on the view, since NumPy's own way to it takes as long as the
span takes to come over. The row against boost::lockfree::spsc_queue is there where its headers are.
"""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg.blas import ddot

from benchmarks import sidebyside
from flyball.kernels import RingReader, RingWriter, backend, include, ring

LIBRARIES = ("numpy", "scipy")
# Room for 3.5 ms at 300 M samples/s, a scheduler's time slice: an end that is put aside for one does not stop the
# other.
SPAN, CAPACITY = 512, 2**20
SAMPLES, PIPE_SAMPLES, QUEUE_ITEMS = 60_000_000, 20_000_000, 30_000
# What a reader sums: each sample by its place, in whole numbers that a double holds exactly.
WEIGHTS = 1.0 + np.arange(SPAN) % 7
FORK = multiprocessing.get_context("fork")


def rows() -> list[dict[str, Any]]:
    """Return the rows of the ring."""
    return [*_spans(), *_pushes(), *_native()]


def _seats() -> list[int]:
    """Return the processors to sit on: a whole run may be kept on one, these rows need two."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    all_of_them = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, before)
    return [all_of_them[0], all_of_them[-1]]


def _together(read: Callable[[Any], float], write: Callable[[], None], expected: float) -> float:
    """Return the seconds from the first write until the other process has read and summed everything."""
    here, there = FORK.Pipe()
    before, seats = os.sched_getaffinity(0), _seats()

    def child() -> None:
        os.sched_setaffinity(0, seats[1:])
        there.send(read(there))

    process = FORK.Process(target=child)
    process.start()
    here.recv()
    os.sched_setaffinity(0, seats[:1])
    begun = time.perf_counter()
    write()
    total = here.recv()
    took = time.perf_counter() - begun
    process.join()
    os.sched_setaffinity(0, before)
    if total != expected:
        raise AssertionError(f"lost on the way: {total} instead of {expected}")
    return took


def _ring_seconds(samples: int) -> float:
    name = f"flyball-bench-{os.getpid()}"
    ring.unlink(name)
    chunk = np.arange(float(SPAN))

    def read(pipe: Any) -> float:
        reader, total, got = RingReader(name), 0.0, 0
        pipe.send("here")
        take, release = reader.take, reader.release
        while got < samples:
            total += ddot(WEIGHTS, take(SPAN))
            release()
            got += SPAN
        return total

    def write() -> None:
        push = writer.push
        for _ in range(samples // SPAN):
            push(chunk)

    try:
        with RingWriter(name, "f8", CAPACITY, span=SPAN) as writer:
            return _together(read, write, WEIGHTS.dot(chunk) * (samples // SPAN))
    finally:
        ring.unlink(name)


def _pipe_seconds(samples: int) -> float:
    receiving, sending = FORK.Pipe(duplex=False)
    chunk = np.arange(float(SPAN))

    def read(pipe: Any) -> float:
        total, got, room = 0.0, 0, np.empty(SPAN)
        pipe.send("here")
        receive = receiving.recv_bytes_into
        while got < samples:
            receive(room)
            total += ddot(WEIGHTS, room)
            got += SPAN
        return total

    def write() -> None:
        for _ in range(samples // SPAN):
            sending.send_bytes(chunk)

    return _together(read, write, WEIGHTS.dot(chunk) * (samples // SPAN))


def _queue_seconds(items: int) -> float:
    between = FORK.Queue()

    def read(pipe: Any) -> float:
        pipe.send("here")
        return sum(between.get() for _ in range(items))

    def write() -> None:
        for number in range(items):
            between.put(float(number))

    return _together(read, write, items * (items - 1) / 2)


def _spans() -> list[dict[str, Any]]:
    samples = SAMPLES // SPAN * SPAN
    piped = PIPE_SAMPLES // SPAN * SPAN
    turns = [(_ring_seconds(samples), _pipe_seconds(piped)) for _ in range(5)]
    ours = statistics.median(samples / took for took, _ in turns) / 1e6
    pipe = statistics.median(piped / took for _, took in turns) / 1e6
    single = QUEUE_ITEMS / _queue_seconds(QUEUE_ITEMS) / 1e6
    case, unit = "ring, 512-sample float64 spans, two processes", "M samples/s"
    made = [
        sidebyside.row(case, ours, None, "", unit, 300, lower=False),
        sidebyside.row(case, ours, pipe, "multiprocessing.Pipe bytes", unit, 2.7, lower=False),
        sidebyside.row(case, ours, single, "multiprocessing.Queue", unit, 2000, lower=False),
    ]
    for path in backend.available()[1:]:
        with backend.using(path):
            few = samples if path != "reference" else 512 * 2000
            rate = few / _ring_seconds(few) / 1e6
        made.append(sidebyside.row(f"{case} [{path}]", rate, None, "", unit, None))
    return made


def _pushes() -> list[dict[str, Any]]:
    """Time one sample at a time, and one span, from Python; put and get are both counted for the queue."""
    name, many = f"flyball-bench-{os.getpid()}", 100_000
    ring.unlink(name)
    plain: queue.Queue[float] = queue.Queue()
    chunk = np.arange(float(SPAN))
    with RingWriter(name, "f8", CAPACITY, overrun="drop_oldest") as writer, RingReader(name) as reader:

        def ours() -> None:
            push = writer.push
            for _ in range(many):
                push(1.5)

        def theirs() -> None:
            put, get = plain.put, plain.get
            for _ in range(many):
                put(1.5)
                get()

        def in_place() -> None:
            reserve, commit, take, release = writer.reserve, writer.commit, reader.take, reader.release
            for _ in range(many // 10):
                reserve(SPAN)
                commit(SPAN)
                take(SPAN)
                release()

        def spans() -> None:
            push = writer.push
            for _ in range(many // 10):
                push(chunk)

        before = writer.sequence
        ours()
        while len(reader.take(CAPACITY, wait=0)):
            reader.release()
        if writer.sequence - before != many or reader.sequence != writer.sequence:
            raise AssertionError("not every push arrived")
        mine, peer = sidebyside.versus(ours, theirs)
        pushed, viewed = sidebyside.versus(spans, in_place)
    ring.unlink(name)
    one = "ring, push of one sample from Python"
    return [
        sidebyside.row(one, mine / many * 1e9, None, "", "ns", 80),
        sidebyside.row(one, mine / many * 1e9, peer / many * 1e9, "queue.Queue put+get", "ns", 1 / 14),
        sidebyside.row("ring, push of 512 samples, copied", pushed / many * 1e10, None, "", "ns", None),
        sidebyside.row("ring, 512 samples reserved, committed, taken", viewed / many * 1e10, None, "", "ns", None),
    ]  # fmt: skip


def _native() -> list[dict[str, Any]]:
    """Run the figures that are below what Python can time, where there is a compiler and a second processor."""
    seats = _seats()
    if shutil.which("g++") is None or seats[0] == seats[1]:
        return []
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "ring"
        source = pathlib.Path(__file__).with_suffix(".cpp")
        command = ["g++", "-std=c++17", "-O3", f"-I{include()}", source, "-o", program, "-pthread"]
        subprocess.run(command, check=True)
        told = subprocess.run([program, *map(str, seats)], check=True, capture_output=True, text=True).stdout
    found = {name: float(value) for name, value in (line.split() for line in told.splitlines())}
    trip, single = "bare atomic there and back, p50", "ring, one item at a time in C++"
    closed = "ring, hand-off {}, the next item once the last was seen"
    open_ = "ring, hand-off {}, an item every 2 us come what may"
    made = [
        sidebyside.row(single, found["ring_M_items_s"], found["queue_M_items_s"],
                       "bare queue with cached indices", "M items/s", 1.0, lower=False),
        sidebyside.row(closed.format("p50"), found["closed_p50_ns"], found["rtt_p50_ns"], trip, "ns", None),
        sidebyside.row(closed.format("p99"), found["closed_p99_ns"], found["rtt_p50_ns"], trip, "ns", 2.0),
        sidebyside.row(open_.format("p50"), found["open_p50_ns"], found["rtt_p50_ns"], trip, "ns", None),
        sidebyside.row(open_.format("p99"), found["open_p99_ns"], found["rtt_p50_ns"], trip, "ns", 2.0),
        sidebyside.row(open_.format("p99"), found["open_p99_ns"], found["paced_p99_ns"],
                       "bare atomic at that pace, p99", "ns", None),
        sidebyside.row("bare atomic there and back, p99", found["rtt_p99_ns"], None, "", "ns", None),
    ]  # fmt: skip
    if "boost_M_items_s" in found:
        boost = found["boost_M_items_s"]
        peer = "boost::lockfree::spsc_queue"
        made.insert(
            1, sidebyside.row(single, found["ring_M_items_s"], boost, peer, "M items/s", None, lower=False)
        )
    else:
        print("NOT RUN: ring beside boost::lockfree::spsc_queue, its headers are not here", file=sys.stderr)
    return made
