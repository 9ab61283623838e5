"""Every example in a docstring runs and prints what it says, each module imported once by its own name."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import flyball

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(flyball.__path__, "flyball.")
    if not module.name.rsplit(".", 1)[-1].startswith("_")
)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert result.failed == 0, f"{result.failed} example(s) of {name} do not print what they say (see above)"
