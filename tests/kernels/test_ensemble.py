"""The arrays of an ensemble: checked, and carried as bytes."""

import dataclasses
import hashlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tests.kernels.forest_samples import random_ensemble

from flyball import errors
from flyball.kernels import Trees
from flyball.kernels.ensemble import Ensemble

GOOD = random_ensemble(1, 5, 20)
BYTES = GOOD.to_bytes()


def arrays(ensemble):
    return {
        field.name: np.asarray(getattr(ensemble, field.name)).tolist()
        for field in dataclasses.fields(ensemble)
    }


def test_bytes_there_and_back():
    again = Ensemble.from_bytes(BYTES)
    assert arrays(again) == arrays(GOOD)
    assert again.to_bytes() == BYTES
    assert Ensemble.from_bytes(bytearray(BYTES)).to_bytes() == BYTES


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no flyball trees"),
        (b"pickle", "no flyball trees"),
        (BYTES[:-1], "damaged or cut short"),
        (BYTES[: len(BYTES) // 2], "damaged or cut short"),
        (BYTES.replace(b"flyball trees 1", b"flyball trees 2"), "another version"),
        (BYTES[:200] + bytes([BYTES[200] ^ 1]) + BYTES[201:], "damaged or cut short"),
    ],
)
def test_other_bytes_are_told(data, said):
    with pytest.raises(errors.DataError, match=said):
        Ensemble.from_bytes(data)


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=100, deadline=None)
def test_bytes_made_to_harm_are_told_or_score(data):
    """With the digest made right again: whoever can write the file can write its digest."""
    body = bytearray(BYTES[:-32])
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(14, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        trees = Trees.from_bytes(bytes(body) + hashlib.sha256(body).digest())
    except errors.DataError:
        return
    if trees.features < 1000:
        trees.raw(np.zeros((20, trees.features)))
        trees.predict_one(np.zeros(trees.features))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("features", lambda _: 0, "features: 0 of them"),
        ("features", lambda _: 2, "feature is none of 2"),
        ("link", lambda _: "magic", "link 'magic'"),
        ("narrow", lambda _: "no", "narrow and single"),
        ("divisor", lambda _: 0.0, "divisor"),
        ("slope", lambda _: np.nan, "slope"),
        ("start", lambda _: [], "start: needs"),
        ("start", lambda _: [np.nan], "start: needs"),
        ("group", lambda a: a + 1, "tree 0: group is of no group"),
        ("node_from", lambda a: a[:-1], "node_from: must rise"),
        ("node_from", lambda a: a[::-1], "node_from: must rise"),
        ("leaf_from", lambda a: a + 1, "leaf_from: must rise"),
        ("set_from", lambda a: a[::-1], "set_from: must rise"),
        ("left", lambda a: a[:-1], "need one for each feature"),
        ("left", lambda a: a * 0, "left points back"),
        ("right", lambda a: a * 0 + 10**6, "right is outside the tree"),
        ("right", lambda a: a * 0 - 10**6, "right is outside the tree"),
        ("left", lambda a: a * 0 - 1, "has two parents or none|leads to a leaf twice"),
        ("threshold", lambda a: a * np.nan, "threshold is NaN"),
        ("threshold", lambda a: np.zeros_like(a) + 0.5, "names none of"),
        ("threshold", lambda a: np.zeros_like(a) + 99, "names none of"),
        ("marks", lambda a: a | 16, "marks are unknown"),
        ("leaf", lambda a: a * np.nan, "tree 0: leaf is NaN"),
    ],
)
def test_wrong_arrays_are_told(name, change, said):
    with np.errstate(invalid="ignore"):
        changed = {name: change(getattr(GOOD, name))}
    with pytest.raises(errors.DataError, match=said):
        dataclasses.replace(GOOD, **changed)


def test_what_was_checked_stays_as_it_was():
    with pytest.raises(ValueError, match="read-only"):
        GOOD.left[0] = 99
