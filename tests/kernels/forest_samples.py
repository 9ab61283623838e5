"""Ensembles and rows that try everything: shared by the tests of trees."""

import hypothesis.strategies as st
import numpy as np

from flyball.kernels.ensemble import CATEGORY, FROM_ZERO, LINKS, MISSING_LEFT, ZERO_MISSING, Ensemble

ODD = np.array(
    (
        0.0, -0.0, 1e-36, -1e-36, 1e-35, -1e-35, np.float32(1e-35), -np.float32(1e-35), np.inf, -np.inf, np.nan,
        -0.5, -1.0, -1.5, 2.7, 39.9, 1e10, 2**31, -(2**31), 2**31 - 1, 16777217.0, 3.4e38, -3.4e38, 1e308, -1e308,
    )
)  # fmt: skip
"""Values at which libraries differ, or at which a careless comparison breaks."""


def odd_rows(rows, rng, share=0.3):
    """A copy of the rows with a share of their values replaced by odd ones."""
    rows = rows.copy()
    chosen = rng.random(rows.shape) < share
    with np.errstate(over="ignore"):
        rows[chosen] = rng.choice(ODD, chosen.sum())
    return rows


def a_tree(rng, leaves):
    """Children of a random tree of so many leaves, a child after its parent, and leaves in any order."""
    left, right, open_places = [], [], []
    numbers = rng.permutation(leaves)
    for node in range(leaves - 1):
        if node:
            side, parent = open_places.pop(int(rng.integers(len(open_places))))
            (left, right)[side][parent] = node
        left.append(None)
        right.append(None)
        open_places += [(0, node), (1, node)]
    for number, (side, parent) in zip(numbers, open_places, strict=True) if leaves > 1 else ():
        (left, right)[side][parent] = ~int(number)
    return left, right


def random_ensemble(
    seed, trees, most_leaves, features=4, groups=1, link="identity", narrow=False, single=False
):
    """An ensemble with every kind of node."""
    rng = np.random.default_rng(seed)
    leaves = rng.integers(1, most_leaves + 1, trees)
    shapes = [a_tree(rng, int(count)) for count in leaves]
    nodes = int((leaves - 1).sum())
    marks = rng.choice(
        [0, MISSING_LEFT, ZERO_MISSING, ZERO_MISSING | MISSING_LEFT, CATEGORY, CATEGORY | FROM_ZERO], nodes
    )
    marks = marks | rng.choice([0, MISSING_LEFT], nodes)
    sets = rng.integers(0, 3, 7)
    threshold = rng.choice([*ODD[~np.isnan(ODD)], *rng.normal(size=30)], nodes)
    threshold = np.where(marks & CATEGORY, rng.integers(0, len(sets), nodes), threshold)
    return Ensemble(
        features=features, narrow=narrow, single=single, link=link, slope=1.5, divisor=float(rng.choice([1, 3])),
        group=rng.integers(0, groups, trees),
        node_from=np.cumsum([0, *(leaves - 1)]), leaf_from=np.cumsum([0, *leaves]),
        feature=rng.integers(0, features, nodes), threshold=threshold, marks=marks,
        left=np.array([child for left, _ in shapes for child in left], np.int32),
        right=np.array([child for _, right in shapes for child in right], np.int32),
        leaf=rng.normal(size=leaves.sum()).astype(np.float32 if single else np.float64),
        set_from=np.cumsum([0, *sets]), set_words=rng.integers(0, 2**32, sets.sum()), start=rng.normal(size=groups),
    )  # fmt: skip


ensembles = st.builds(
    random_ensemble,
    seed=st.integers(0, 10**6),
    trees=st.integers(0, 20),
    most_leaves=st.sampled_from([1, 2, 5, 9, 33, 64]),
    groups=st.sampled_from([1, 1, 3]),
    link=st.sampled_from(LINKS[:-1]),
    narrow=st.booleans(),
    single=st.booleans(),
)
