"""What is collected; that it is installed and answers behind an air gap is typed in tests/cli/test_wheels.py."""

import json
import os
import pathlib
import sys

import pytest
from tests.site import smiths

from flyball import errors
from flyball.runtime import wheels
from flyball.serving import release
from flyball.site import self_update
from flyball.torture import small

CONSTRAINTS = pathlib.Path(__file__).parents[2] / "constraints.txt"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index that is a folder: pip looks nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for version in ("1.0", "2.0"):
        smiths.wheel(tmp_path / "index", version, name="needed")
    return tmp_path / "index"


def test_what_flyball_needs_is_collected_under_its_constraints_and_sealed(index, tmp_path):
    wheel = smiths.wheel(tmp_path / "dist", "1.1", needs=("needed>=1",))
    (tmp_path / "constraints.txt").write_text("needed==1.0\n")
    folder = wheels.collect(wheel, tmp_path / "out", tmp_path / "constraints.txt")
    assert sorted(release.verify(folder)) == [
        "flyball-1.1-py3-none-any.whl", "needed-1.0-py3-none-any.whl", self_update.ABOUT,
    ]  # fmt: skip
    assert json.loads((folder / self_update.ABOUT).read_text()) == {"flyball": "1.1", "python": HERE}
    assert (folder / wheel.name).read_bytes() == wheel.read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [folder.name]


def test_the_same_wheels_make_the_same_folder_and_others_another(index, tmp_path):
    wheel = smiths.wheel(tmp_path / "dist", "1.1", needs=("needed>=1",))
    first = wheels.collect(wheel, tmp_path / "out")
    assert wheels.collect(wheel, tmp_path / "out") == first
    assert wheels.collect(wheel, tmp_path / "again").name == first.name
    smiths.wheel(index, "3.0", name="needed")
    assert wheels.collect(wheel, tmp_path / "out") != first


def test_wheels_for_other_machines_are_asked_for_by_platform_and_python(index, tmp_path):
    wheel = smiths.wheel(tmp_path / "dist", "1.1", needs=("needed>=1",))
    folder = wheels.collect(wheel, tmp_path / "out", platforms=["manylinux_2_28_aarch64"], python="3.13")
    assert json.loads((folder / self_update.ABOUT).read_text())["python"] == "3.13"


def test_what_is_no_wheel_or_cannot_be_found_is_told_and_leaves_nothing(index, tmp_path):
    with pytest.raises(errors.DataError, match="no wheel of flyball"):
        wheels.collect(smiths.wheel(tmp_path / "dist", "1.0", name="needed"), tmp_path / "out")
    wheel = smiths.wheel(tmp_path / "dist", "1.1", needs=("needed>=9",))
    with pytest.raises(errors.DataError, match="needed>=9"):
        wheels.collect(wheel, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_the_wheel_of_flyball_is_collected_with_the_core_alone_and_answers_where_it_was_installed(tmp_path):
    built = os.environ.get("FLYBALL_WHEEL")
    if not built:
        pytest.skip(
            "NOT TRIED WITH THE WHOLE WHEEL: `python -m build --wheel`, and set FLYBALL_WHEEL to its file"
        )
    folder = wheels.collect(pathlib.Path(built), tmp_path / "out", CONSTRAINTS)
    names = {name.partition("-")[0] for name in release.verify(folder)}
    assert {
        "numpy",
        "onnxruntime",
        "tuf",
        "securesystemslib",
        "cryptography",
        "typer",
        "rich",
        "tzdata",
    } <= names
    assert not {"polars", "deltalake", "lightgbm", "torch", "mlflow_skinny"} & names
    made = small.made(tmp_path / "release", "logistic")
    self_update.update(folder, folder.name, tmp_path / "home", self_update.Served(made, made.name))
    assert self_update.running(tmp_path / "home")["digest"] == folder.name
