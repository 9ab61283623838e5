"""What holds for every part of every room."""

import copy
import dataclasses
import importlib
import os
import pickle
import subprocess
import sys

import pytest
from tests.contracts import examples

from flyball import part, system

ROOMS = tuple(examples.ROOMS)


def final_parts(room):
    """The parts that a room exports and a page may hold: those that are not said to be abstract."""
    found = [
        value
        for value in vars(importlib.import_module(f"flyball.{room}")).values()
        if isinstance(value, type)
    ]
    parts = {value for value in found if issubclass(value, part.Part) and value is not part.Part}
    return {value for value in parts if not (value.__doc__ or "").startswith("Abstract")}


@pytest.mark.parametrize("room", ROOMS)
def test_every_part_has_its_example(room):
    exemplified = {type(example) for example in examples.ALL}
    missing = sorted(found.__name__ for found in final_parts(room) - exemplified)
    assert missing == [], f"write an example of each in tests/contracts/examples.py: {missing}"


def test_a_part_without_an_example_is_noticed():
    assert any(final_parts(room) for room in ROOMS)
    assert not final_parts("features") - {type(example) for example in examples.FEATURES}
    assert final_parts("features") - {type(example) for example in examples.FEATURES[1:]}


@pytest.fixture(params=examples.ALL, ids=lambda example: type(example).__qualname__)
def example(request):
    return request.param


def test_its_repr_reads_back(example):
    again = system.read(repr(example))
    assert again == example and type(again) is type(example)
    assert repr(again) == repr(example) and part.fingerprint(again) == part.fingerprint(example)


def test_it_pickles_and_copies(example):
    for again in (pickle.loads(pickle.dumps(example)), copy.deepcopy(example)):
        assert again == example and hash(again) == hash(example) and repr(again) == repr(example)


def test_equal_values_are_equal_and_others_are_not(example):
    again = dataclasses.replace(example)
    assert again == example and hash(again) == hash(example) and again is not example
    assert example != 1 and example != "text"


def test_it_is_frozen(example):
    fields = dataclasses.fields(example)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(example, fields[0].name if fields else "name", None)
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        example.no_such_field = 1


def test_what_it_holds_is_frozen(example):
    for _, inner in part.walk(example):
        for item in dataclasses.fields(inner):
            assert not isinstance(getattr(inner, item.name), (list, set)), item.name
            hash(getattr(inner, item.name))


def test_examples_differ():
    assert len({part.fingerprint(example) for example in examples.ALL}) == len(examples.ALL)


@pytest.mark.parametrize("seed", ["1", "77"])
def test_fingerprints_are_the_same_in_every_process(seed):
    code = (
        "from flyball import part; from tests.contracts import examples;"
        "print('\\n'.join(part.fingerprint(example) for example in examples.ALL))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(["src", "."])},
        cwd=os.path.join(os.path.dirname(__file__), "..", ".."),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == [part.fingerprint(example) for example in examples.ALL]
