"""A file is named after what it holds; what has no name has no home."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager"}
ROOMS = ("src/flyball", "native", "tests", "benchmarks", "examples")


def nameless(folder: pathlib.Path) -> list[str]:
    """The paths in the folder whose own name says nothing."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
        and set(path.stem.removeprefix("test_").strip("_").split("_")) & FORBIDDEN
    )


@pytest.mark.parametrize("room", ROOMS)
def test_no_nameless_files(room):
    assert nameless(ROOT / room) == []


def test_a_nameless_file_is_found(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "io_utils.py").touch()
    (tmp_path / "database.py").touch()
    assert nameless(tmp_path) == ["common", "common/io_utils.py"]


def test_every_room_is_a_package():
    """A folder without __init__.py is not seen by the contract of who may import whom."""
    source = ROOT / "src" / "flyball"
    assert [str(f) for f in source.rglob("*.py") if not (f.parent / "__init__.py").is_file()] == []
