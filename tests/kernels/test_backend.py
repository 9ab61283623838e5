"""Which kernels answer: the native ones, the twins where asked or where nothing was built."""

import json
import os
import subprocess
import sys

import pytest

from flyball import errors
from flyball.kernels import backend

SCRIPT = """
import json, sys
{before}
from flyball import kernels
light = "numpy" not in sys.modules
import numpy as np
values, lo, hi = np.array([1.0, np.nan, 4.0, 2.0]), np.array([0, 1]), np.array([4, 3])
made = kernels.windows(values, lo, hi, kernels.STATISTICS)
found = kernels.asof(np.array([1, 2]), np.array([0, 2]), np.array([0, 3]), np.array([0, 0]))
print(json.dumps([kernels.native, light, {{k: v.tolist() for k, v in made.items()}}, found.tolist()]))
"""


def fresh(asked="", before=""):
    """What a fresh interpreter answers: native or not, light or not, and its figures."""
    environment = {**os.environ, backend.VARIABLE: asked}
    command = [sys.executable, "-c", SCRIPT.format(before=before)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    native, light, made, found = json.loads(run.stdout)
    return native, light, made, found


def test_this_build_is_native():
    # The environment that `make setup` makes holds the native module; without it these tests prove nothing.
    assert os.environ.get(backend.VARIABLE) == "reference" or backend.native


def test_importing_the_kernels_loads_no_numpy():
    assert fresh()[1]


def test_the_twins_answer_the_same():
    native, twins = fresh("native"), fresh("reference")
    assert (native[0], twins[0]) == (True, False)
    assert json.dumps(native[2:]) == json.dumps(twins[2:])


def test_without_a_native_module_the_twins_answer():
    missing = "sys.modules['flyball.kernels._native'] = None"
    assert fresh("", missing)[0] is False
    with pytest.raises(subprocess.CalledProcessError) as caught:
        fresh("native", missing)
    assert "install flyball again" in caught.value.stderr


def test_a_wrong_wish_is_told():
    with pytest.raises(
        errors.DeclarationError, match="say 'native', 'avx512', 'avx2', 'plain' or 'reference'"
    ):
        backend.choose("fast")


def test_the_widest_path_of_this_processor_answers():
    assert backend.choose("native")[0] == backend.available()[0]
    # What a processor runs, it runs in every narrower width too.
    assert backend.available() == (*backend.PATHS, "reference")[-len(backend.available()) :]


@pytest.mark.skipif("avx512" in backend.available(), reason="this processor runs every path")
def test_a_path_that_this_processor_does_not_run_is_told():
    with pytest.raises(errors.DeclarationError, match="asks for avx512: this processor runs"):
        backend.choose("avx512")


def test_another_path_answers_within_the_block_and_no_longer():
    before = backend.path, backend.compiled
    for path in backend.available():
        with backend.using(path):
            assert backend.path == path
            assert (backend.compiled is None) == (path == "reference")
    with pytest.raises(RuntimeError), backend.using("reference"):
        raise RuntimeError
    assert (backend.path, backend.compiled) == before
