"""What the tests of features may ask for."""

import types

import pytest

from flyball import data


@pytest.fixture(scope="session")
def page():
    """A page, as far as features look at it, with one table `t` and the given clock."""

    def make(clock, *columns):
        table = data.Table("t", columns={"x": "kW", "code": "category", "on": "bool", "map": "image"})
        asof = types.SimpleNamespace(reads=lambda: frozenset(columns))
        return types.SimpleNamespace(data=data.Fleet("machine", clock, (table,)), features=asof)

    return make
