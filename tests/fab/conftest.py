"""Fleets are kept while a module asks for them, and let go with it: all together they would fill gigabytes."""

import sys

import pytest


@pytest.fixture(scope="module", autouse=True)
def let_go():
    yield
    for name, module in list(sys.modules.items()):
        if name.startswith("flyball.fab"):
            for kept in list(vars(module).values()):
                if hasattr(kept, "cache_clear"):
                    kept.cache_clear()
