"""Reading a page is cheap: `import flyball` costs little and loads nothing heavy."""

import json
import os
import pathlib
import resource
import subprocess
import sys

HEAVY = {
    "deltalake",
    "lightgbm",
    "matplotlib",
    "numpy",
    "onnx",
    "onnxruntime",
    "polars",
    "pyarrow",
    "ray",
    "rich",
    "scipy",
    "sklearn",
    "torch",
    "typer",
}
AT_MOST_SECONDS = 0.1
STAGES = "data, features, labels, model, serving, feedback, monitoring"


def loaded_by(statement: str) -> set[str]:
    """The top-level modules in a fresh interpreter after the statement."""
    script = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(run.stdout)}


def seconds(statement: str, compiled: pathlib.Path) -> float:
    """Processor time of a fresh interpreter that runs the statement, bytecode kept as an install keeps it."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(compiled)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_list_of_heavy_modules_is_seen_when_loaded():
    assert "numpy" in loaded_by("import numpy") & HEAVY


def test_import_loads_nothing_heavy():
    assert not loaded_by("import flyball") & HEAVY


def test_the_stages_load_nothing_heavy():
    assert not loaded_by(f"from flyball import System, {STAGES}") & HEAVY


def test_import_adds_under_100_ms_to_bare_python(tmp_path):
    # Taken in turns, so that a busy moment hits both; the best of each is what the machine can do.
    pairs = [(seconds("pass", tmp_path), seconds("import flyball", tmp_path)) for _ in range(9)]
    added = min(after for _, after in pairs) - min(before for before, _ in pairs)
    assert added < AT_MOST_SECONDS, f"import flyball adds {added * 1000:.0f} ms"


def test_the_measure_sees_what_is_spent(tmp_path):
    assert seconds("sum(range(20_000_000))", tmp_path) - seconds("pass", tmp_path) > AT_MOST_SECONDS
