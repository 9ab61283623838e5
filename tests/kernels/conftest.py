"""Every C++ path that this processor runs, one after another, and the C++ built without Python."""

import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest
from tests.kernels import rings

from flyball.kernels import backend, ring

NATIVE = pathlib.Path(__file__).parents[2] / "native"
KEPT = NATIVE.parent / "build" / "sanitized"
MARCH = {
    "plain": [],
    "avx2": ["-march=x86-64-v3"],
    "avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}


@pytest.fixture(params=[path for path in backend.available() if path != "reference"])
def path(request):
    """The test runs once for each path; one that the processor does not run is missing from the names."""
    with backend.using(request.param):
        yield request.param


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Build a C++ program on the kernels: `build(source, path="plain", sanitize="address,undefined")`.

    `include` is where the public headers lie, if not in their own place.  Compiling is most of the time of the tests
    that ask, so a program is kept below build/ under the digest of all that it is made of, and built once.
    """
    if shutil.which("g++") is None:
        pytest.skip("NOT RUN: no g++ here to build under sanitizers")

    def built(source, path="plain", sanitize="address,undefined", include=NATIVE / "include"):
        command = ["g++", "-std=c++20", "-O1", "-g1", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-psabi"]
        command += [*MARCH[path], f"-I{NATIVE}", f"-I{include}", "-pthread"]
        if sanitize:
            command += [f"-fsanitize={sanitize}", "-fno-sanitize-recover=all"]
        program = KEPT / _digest(command, source, include) / source.stem
        if program.is_file():
            return program
        fresh = tmp_path_factory.mktemp("native") / source.stem
        made = subprocess.run([*command, source, "-o", fresh], capture_output=True, text=True)
        if "cannot find -l" in made.stderr:
            pytest.skip("NOT RUN: g++ has no sanitizer libraries here")
        assert made.returncode == 0, made.stderr
        program.parent.mkdir(parents=True, exist_ok=True)
        part = program.with_name(f".{source.stem}.{os.getpid()}")
        shutil.copy2(fresh, part)
        part.rename(program)
        return program

    return built


def _digest(command, source, include):
    """The digest of the compiler, its options, and every file that may end up in a program."""
    total = hashlib.sha256(subprocess.run(["g++", "--version"], capture_output=True).stdout)
    total.update(repr(command).encode() + source.read_bytes())
    for file in sorted({*NATIVE.rglob("*.h*"), *include.rglob("*.h*"), *source.parent.glob("*.h*")}):
        total.update(str(file).encode() + file.read_bytes())
    return total.hexdigest()[:32]


@pytest.fixture
def name():
    """A name for a ring, free before and after."""
    made = f"flyball-test-{os.getpid()}"
    ring.unlink(made)
    yield made
    ring.unlink(made)


@pytest.fixture(params=rings.PAIRS, ids="-".join)
def pair(request):
    """Which implementation writes a ring, and which reads it."""
    return request.param
