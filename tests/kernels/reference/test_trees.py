"""The plain walk, by hand."""

import dataclasses
import math

import numpy as np
import pytest

from flyball.kernels.ensemble import CATEGORY, FROM_ZERO, MISSING_LEFT, ZERO, ZERO_MISSING, Ensemble
from flyball.kernels.reference import score_trees


def stump(marks=0, threshold=1.0, **more):
    """One node: left answers 10, right 20."""
    told = dict(
        features=1, narrow=False, single=False, link="identity", slope=2.0, divisor=1.0, group=[0], node_from=[0, 1],
        leaf_from=[0, 2], feature=[0], left=[~0], right=[~1], threshold=[threshold], marks=[marks], leaf=[10, 20],
        set_from=[0, 1], set_words=[0b101], start=[0],
    )  # fmt: skip
    return Ensemble(**(told | more))


def answers(ensemble, *xs, raw=False):
    return score_trees(ensemble, np.array(xs, float)[:, None], raw)[:, 0].tolist()


def test_comparisons():
    assert answers(stump(), 0.5, 1.0, 1.5, -math.inf, math.inf) == [10, 10, 20, 10, 20]


def test_missing():
    assert answers(stump(), math.nan, 0.0) == [20, 10]
    assert answers(stump(MISSING_LEFT, -1.0), math.nan, 0.0) == [10, 20]
    assert answers(stump(ZERO_MISSING), math.nan, 0.0, ZERO, -ZERO, 2 * ZERO) == [20, 20, 20, 20, 10]


def test_categories():
    # The set holds 0 and 2.
    xs = (0, 1, 2, 2.9, 3, 40, 1e300, -0.5, -1, math.nan, math.inf)
    assert answers(stump(CATEGORY, 0), *xs) == [10, 20, 10, 10, 20, 20, 20, 10, 20, 20, 20]
    assert answers(stump(CATEGORY | FROM_ZERO | MISSING_LEFT, 0), -0.5, -0.0, math.nan) == [20, 10, 10]


def test_values_are_narrowed():
    assert answers(stump(narrow=True), 1 + 1e-9) == [10]
    assert answers(stump(), 1 + 1e-9) == [20]


def test_sums_go_in_order():
    # 1e16 + 1 + 1 loses both ones in float64, 1 + 1 + 1e16 would not.
    many = dataclasses.replace(
        stump(), group=[0, 0, 0], node_from=[0, 0, 0, 0], leaf_from=[0, 1, 2, 3], leaf=[1e16, 1, 1], feature=[],
        left=[], right=[], threshold=[], marks=[],
    )  # fmt: skip
    assert answers(many, 0) == [1e16]


@pytest.mark.parametrize(
    ("link", "want"),
    [
        ("identity", 10),
        ("sigmoid", 1 / (1 + math.exp(-20))),
        ("exp", math.exp(10)),
        ("wide_exp", math.exp(10)),
        ("signed_square", 100),
        ("softplus", math.log1p(math.exp(10))),
        ("hinge", 1),
        ("isolation", -(2.0**-10)),
        ("argmax", 0),
        ("softmax", 1),
    ],
)
def test_links(link, want):
    assert answers(stump(link=link), 0.0) == [want]
    assert answers(stump(link=link), 0.0, raw=True) == [10]


def test_an_average_is_an_answer_and_no_sum():
    assert answers(stump(divisor=4.0), 0.0) == [2.5]
    assert answers(stump(divisor=4.0), 0.0, raw=True) == [10]


def test_classes():
    two = stump(group=[1], start=[5.0, -5.0], link="softmax")
    got = score_trees(two, np.array([[0.0]]), False)[0].tolist()
    assert got == [0.5, 0.5]
    assert score_trees(stump(group=[1], start=[5, -5], link="argmax"), np.array([[9.0]]), False).tolist() == [
        [1]
    ]
