"""The C++ under sanitizers, and the same bits from the plainest instruction set as from this machine's."""

import concurrent.futures
import os
import pathlib
import subprocess

import numpy as np
import pytest

from flyball import kernels
from flyball.kernels import backend

HERE = pathlib.Path(__file__).parent
ORDER = ("count", "sum", "mean", "std", "min", "max", "median", "slope", "first", "last")

pytestmark = pytest.mark.skipif(not kernels.native, reason="NOT RUN: the native kernels are not built here")
RUNS = [path for path in backend.available() if path != "reference"]
if os.environ.get("FLYBALL_PATHS") != "all" and len(RUNS) > 2:
    RUNS = [
        RUNS[0],
        RUNS[-1],
    ]  # the plainest and the widest: those between are for `make sanitized`, part of the proof
# Programs that check themselves against plain loops and end with 0; those named here share memory between threads.
PROGRAMS = sorted(source for source in (HERE / "native").glob("*.cpp") if source.stem != "windows")
THREADED: set[str] = {"ring"}


# What is built: a program, the instruction set, the sanitizers.
BUILDS = [(source, path, "address,undefined") for source in PROGRAMS for path in RUNS]
BUILDS += [(source, "plain", "thread") for source in PROGRAMS if source.stem in THREADED]


@pytest.fixture(scope="module")
def ahead(request, build):
    """The builds that this run asks for, on every core at once: compiling is most of the time."""
    asked = [
        item.callspec.params.get("wanted") for item in request.session.items if hasattr(item, "callspec")
    ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {wanted: pool.submit(build, *wanted) for wanted in BUILDS if wanted in asked}


@pytest.mark.slow
@pytest.mark.parametrize("wanted", BUILDS, ids=lambda wanted: f"{wanted[0].stem}-{wanted[1]}-{wanted[2]}")
def test_clean(ahead, wanted):
    run = subprocess.run([ahead[wanted].result()], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture(scope="module")
def program(build):
    """The operators over windows as a program that stops at the first bad read, leak or undefined step."""
    return build(HERE / "native" / "windows.cpp")


def series(rows, rng):
    """A walk with missing runs, ties and infinities."""
    values = rng.normal(size=rows).cumsum().round(2)
    values[rng.random(rows) < 0.1] = np.nan
    values[rows // 3 : rows // 2] = np.nan
    values[rng.random(rows) < 0.002] = np.inf
    return values


@pytest.mark.parametrize("kind", ["forward", "overlapping", "jumping", "any", "empty", "none"])
def test_clean_and_bit_equal(program, kind):
    rng = np.random.default_rng(1)
    rows = 3000
    values, positions = series(rows, rng), np.arange(rows) * 7.0
    lo = {
        "forward": np.arange(0, 2990),
        "overlapping": np.repeat(np.arange(0, 2000, 5), 2),
        "jumping": np.array([0, 0, 2, 1500, 1501, 2900]),
        "any": rng.integers(0, rows, 300),
        "empty": np.array([0, 1500, rows]),
        "none": np.array([], np.int64),
    }[kind]
    width = {"forward": 9, "overlapping": 900, "jumping": 60, "any": 700, "empty": 0, "none": 0}[kind]
    hi = np.minimum(rows, lo + width)
    sent = b"".join(part.tobytes() for part in (np.array([rows, len(lo)]), values, lo, hi, positions))
    run = subprocess.run([program], input=sent, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()

    plain = np.frombuffer(run.stdout, np.float64, 10 * len(lo)).reshape(10, -1)
    here = kernels.windows(values, lo, hi, ORDER, positions)
    for name, row in zip(ORDER, plain, strict=True):
        assert np.array_equal(row, here[name], equal_nan=True), name
    found = np.frombuffer(run.stdout, np.int64)[10 * len(lo) :]
    times, starts = np.arange(rows) % 500 * 3, np.arange(0, rows + 1, 500)
    assert np.array_equal(found, kernels.asof(times, starts, lo, np.arange(len(lo)) % 6))


def test_the_check_refuses_what_the_sanitizer_would_stop(program):
    parts = np.array([1, 1]), np.ones(1), np.array([0]), np.array([2]), np.ones(1)
    past_the_end = b"".join(part.tobytes() for part in parts)
    checked = subprocess.run([program], input=past_the_end, capture_output=True)
    assert (checked.returncode, checked.stderr) == (2, b"")
    unchecked = subprocess.run([program, "unchecked"], input=past_the_end, capture_output=True)
    assert unchecked.returncode != 0
    assert b"heap-buffer-overflow" in unchecked.stderr
