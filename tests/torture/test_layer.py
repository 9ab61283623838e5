import errno
import os
import shutil
import subprocess
import sys

import pytest

from flyball import errors
from flyball.torture import layer, power

#: Writes, forces, renames, copies, links and removes, by Python and by native libraries.
WORK = """
import os, pathlib, sys
root = pathlib.Path(sys.argv[1])
def step(what):
    try:
        what()
    except Exception as error:  # polars has its own
        print(type(error).__name__, getattr(error, "errno", str(error)))
(root / "a").mkdir(exist_ok=True)
def write():
    with open(root / "a" / "one", "wb") as file:
        file.write(b"x" * 3000)
        file.flush()
        os.fsync(file.fileno())
def name():
    os.rename(root / "a" / "one", root / "a" / "two")
    handle = os.open(root / "a", os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
def native():
    import polars
    polars.DataFrame({"x": [1, 2]}).write_parquet(root / "a" / "three.parquet")
def gone():
    os.unlink(root / "a" / "two")
for what in (write, name, native, gone):
    step(what)
pathlib.Path(sys.argv[2]).write_bytes(b"not below the root")
"""


@pytest.fixture
def hurt(tmp_path):
    """Run the work under the layer: `hurt(mode, at, error)` gives (output, exit code, calls)."""
    control = layer.Control(tmp_path / "control")
    root = tmp_path / "root"

    def run(mode, at=0, error=errno.EIO, **more):
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        control.arm(root, mode, at, error, **more)
        done = subprocess.run(
            [sys.executable, "-c", WORK, str(root), str(tmp_path / "other")], env=control.environment(),
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.split("\n")[:-1], done.returncode, control.count

    run.root = root
    yield run
    control.close()


def test_calls_below_the_root_are_counted_in_python_and_in_native_libraries(hurt):
    out, code, calls = hurt(layer.COUNT)
    assert (out, code) == ([], 0) and calls >= 9
    assert sorted(path.name for path in (hurt.root / "a").iterdir()) == ["three.parquet"]


def test_any_call_can_fail_alone_and_is_told_where_it_was_made(hurt):
    _, _, calls = hurt(layer.COUNT)
    for at in range(2, calls + 1):
        out, code, _ = hurt(layer.FAIL, at, errno.ENOSPC)
        assert code == 0 and len(out) >= 1, at


def test_from_a_call_on_every_write_fails(hurt):
    out, code, _ = hurt(layer.FAIL_ON, 2, errno.ENOSPC)
    assert code == 0 and out.count("OSError 28") >= 1 and "FileNotFoundError 2" not in out[:1]


def test_a_process_ends_before_a_call(hurt):
    _, code, calls = hurt(layer.KILL, 3)
    assert code == -9 and calls == 3


def test_half_a_write_is_gone_on_with_by_who_writes(hurt):
    out, code, _ = hurt(layer.SHORT, 3)
    assert (out, code) == ([], 0)


def test_a_slow_disk_takes_its_time(hurt):
    import time

    begun = time.monotonic()
    _, code, calls = hurt(layer.SLOW, slow_s=0.05)
    assert code == 0 and time.monotonic() - begun > calls * 0.05


def test_the_trace_says_what_was_done_in_order(hurt, tmp_path):
    trace = tmp_path / "trace"
    hurt(layer.COUNT, trace=trace)
    found = [(act.what, os.path.basename(act.path)) for act in power.acts(trace.read_bytes())]
    assert found[:2] == [("mkdir", "a"), ("create", "one")]
    assert [one for one in found if one[0] == "rename"] == [("rename", "one")]
    assert ("sync", "one") in found and ("sync", "a") in found and ("unlink", "two") in found
    written = sum(
        len(act.content) for act in power.acts(trace.read_bytes()) if act.path.endswith("three.parquet")
    )
    assert written == (hurt.root / "a" / "three.parquet").stat().st_size


def test_a_machine_without_a_compiler_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(errors.MissingExtraError, match="apt-get install gcc"):
        layer.built(tmp_path)


def test_it_is_built_once_and_again_when_its_source_changes(tmp_path, monkeypatch):
    first = layer.built(tmp_path)
    before = first.stat().st_mtime_ns
    assert layer.built(tmp_path) == first and first.stat().st_mtime_ns == before
    (tmp_path / "layer.c").write_bytes(layer.SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(layer, "SOURCE", tmp_path / "layer.c")
    assert layer.built(tmp_path) != first
    (tmp_path / "layer.c").write_text("no C")
    with pytest.raises(errors.MissingExtraError, match="cannot be built"):
        layer.built(tmp_path)
