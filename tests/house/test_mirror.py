"""Every source file has its test file, where a reader looks for it."""

import pathlib

ROOT = pathlib.Path(__file__).parents[2]
SOURCE = ROOT / "src" / "flyball"

# Files that need no test file of their own, each with its reason.
EXEMPT: dict[str, str] = {}


def places_of(module: pathlib.PurePath) -> list[pathlib.Path]:
    """Where the tests of a module, given relative to the package, may stand."""
    mirrored = ROOT / "tests" / module.parent / f"test_{module.name}"
    # A ready-made system is tested as a whole: tests/systems/test_drives.py.
    as_a_whole = ROOT / "tests" / "systems" / f"test_{module.parts[1]}" if len(module.parts) > 2 else mirrored
    return [mirrored, as_a_whole.with_suffix(".py")] if module.parts[0] == "systems" else [mirrored]


def without_tests() -> list[str]:
    """The modules that have no tests where a reader looks, as paths within the package."""
    modules = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if not path.name.startswith("__")]
    return sorted(str(module) for module in modules if not any(place.exists() for place in places_of(module)))


def test_every_module_has_its_tests():
    assert [name for name in without_tests() if name not in EXEMPT] == []


def test_no_exemption_outlives_its_need():
    assert [name for name in EXEMPT if name not in without_tests()] == []


def test_a_missing_mirror_is_noticed():
    assert not any(place.exists() for place in places_of(pathlib.PurePath("data", "no_such_file.py")))
