import json
import os
import subprocess
import sys

import pytest

from flyball import errors
from flyball.runtime import measure


@pytest.fixture(scope="module")
def folder(pumps):
    return pumps.store / "releases" / pumps.result.release


def test_a_release_is_measured_in_a_process_of_its_own(folder):
    found = measure.scorer(folder, folder.name)
    assert 0 < found["p50_ms"].value <= found["p99_ms"].value <= found["p999_ms"].value < 1000
    assert found["p99_ms"].unit == "ms" and found["p99_ms"].n >= 500
    assert found["resident_bytes"].value > 1e7 and found["load_s"].value > 0
    assert found["cold_start_s"].value > found["load_s"].value and found["cold_start_s"].unit == "s"
    assert 0 < found["cpu_s"].value < 0.1 and "first_at_s" not in found
    assert found["size_bytes"].value == sum(
        f.stat().st_size for f in (folder / "model").rglob("*") if f.is_file()
    )
    # Asked one by one in a fresh process it answers what was sealed for all at once, and what the source model does.
    assert found["golden_error"].value < 1e-12 and found["agreement"].value < 1e-6


def test_the_process_has_one_thread_on_one_core_and_only_what_a_machine_has(folder, monkeypatch):
    probe = (
        "import json,os,sys; sys.argv=['scorer',*sys.argv[3:]]\n"
        "from flyball.site import scorer\n"
        "code=scorer.main(sys.argv[1:])\n"
        "print(json.dumps([os.environ['OMP_NUM_THREADS'], len(os.sched_getaffinity(0)), sorted(sys.modules)]))\n"
    )
    said = []
    real = subprocess.run

    def run(command, **named):
        done = real([sys.executable, "-c", probe, *command[1:]], **named)
        lines = done.stdout.splitlines()
        said.append(json.loads(lines[1]))
        return subprocess.CompletedProcess(command, done.returncode, lines[0], done.stderr)

    monkeypatch.setattr(measure.subprocess, "run", run)
    measure.scorer(folder, folder.name)
    threads, cores, modules = said[0]
    assert (threads, cores) == ("1", 1)
    heavy = {
        "polars",
        "deltalake",
        "pyarrow",
        "torch",
        "lightgbm",
        "sklearn",
        "onnx",
        "typer",
        "rich",
        "matplotlib",
    }
    assert not heavy & set(modules)


def test_what_the_scorer_says_is_the_reason(folder):
    with pytest.raises(errors.GateError, match=r"cannot run .*: TamperedError: "):
        measure.scorer(folder, "0" * 64)
    with pytest.raises(errors.GateError, match="cannot run"):
        measure.scorer(folder.parent / "none", "0" * 64)


def test_a_scorer_that_never_ends_is_ended(folder, monkeypatch):
    monkeypatch.setattr(measure, "LONGEST_S", 0.01)
    with pytest.raises(errors.GateError, match=r"did not finish .* within 0.01 s"):
        measure.scorer(folder, folder.name)
    assert os.path.isdir(folder)


def test_instructions_name_what_this_machine_has_and_the_path_that_answers():
    from flyball.kernels import backend

    told = measure.instructions()
    assert set(told["flags"]) <= set(measure.FLAGS) and told["architecture"]
    assert told["kernels"] == backend.path
    if "avx512" in backend.available():
        assert "avx512f" in told["flags"]
    with backend.using("reference"):
        assert measure.instructions()["kernels"] == "reference"
