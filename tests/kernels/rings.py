"""Ends of a ring by either implementation, and processes that use them."""

import multiprocessing

import numpy as np

from flyball import kernels
from flyball.kernels import backend
from flyball.kernels.ring import RingReader, RingWriter

FORK = multiprocessing.get_context("fork")
STRUCT = np.dtype([("at", "i8"), ("force", "f4", (3,)), ("ok", "?")])
PAIRS = [(a, b) for a in ("native", "reference") for b in ("native", "reference")]
if not kernels.native:
    PAIRS = [("reference", "reference")]


def writer_of(kind, *args, **more):
    with backend.using(kind):
        return RingWriter(*args, **more)


def reader_of(kind, *args, **more):
    with backend.using(kind):
        return RingReader(*args, **more)


def start(work, *args):
    """Run work(pipe, *args) in a process of its own; return it and the other end of the pipe."""
    here, there = FORK.Pipe()
    process = FORK.Process(target=work, args=(there, *args), daemon=True)
    process.start()
    return process, here
