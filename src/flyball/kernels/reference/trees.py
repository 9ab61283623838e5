"""Ensembles of trees, walked one row and one tree at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flyball.kernels.ensemble import Ensemble

__all__ = ["score_trees"]

_MISSING_LEFT, _ZERO_MISSING, _CATEGORY, _FROM_ZERO = 1, 2, 4, 8
_ZERO = 1.0000000180025095e-35


def score_trees(e: Ensemble, rows: NDArray[Any], raw: bool) -> NDArray[Any]:
    """Return the answers, or the sums if `raw`: see `flyball.kernels.Trees`.

    Float64 sums are equal to the C++ to the last bit, and so are answers by Python's `math`, which is the C library.
    Float32 answers through exp are rounded from float64 here and may differ in the last bit.
    """
    import numpy as np

    kind = np.float32 if e.single else np.float64
    values = rows.astype(np.float32).astype(np.float64) if e.narrow else rows.astype(np.float64)
    made = []
    with np.errstate(over="ignore", invalid="ignore"):
        for row in values.tolist():
            sums = [kind(start) for start in e.start]
            for tree, group in enumerate(e.group.tolist()):
                sums[group] = sums[group] + kind(e.leaf[_leaf(e, tree, row)])
            if e.divisor != 1 and not raw:
                sums = [one / kind(e.divisor) for one in sums]
            made.append(sums if raw else [kind(one) for one in _linked(e, sums)])
    wide = 1 if e.link == "argmax" and not raw else e.groups
    return np.array(made, kind).reshape(len(values), wide)


def _leaf(e: Ensemble, tree: int, row: list[float]) -> int:
    first = int(e.node_from[tree])
    child = 0 if e.node_from[tree + 1] > first else -1
    while child >= 0:
        node = first + child
        child = int((e.left if _goes_left(e, node, row[e.feature[node]]) else e.right)[node])
    return int(e.leaf_from[tree]) + ~child


def _goes_left(e: Ensemble, node: int, x: float) -> bool:
    marks = int(e.marks[node])
    if math.isnan(x) or (marks & _ZERO_MISSING and abs(x) <= _ZERO):
        return bool(marks & _MISSING_LEFT)
    if not marks & _CATEGORY:
        return bool(x <= e.threshold[node])
    if not (x >= 0 if marks & _FROM_ZERO else x > -1) or x >= 2**31:
        return False
    number = int(e.threshold[node])
    word = int(e.set_from[number]) + int(x) // 32
    return word < int(e.set_from[number + 1]) and bool(int(e.set_words[word]) >> int(x) % 32 & 1)


def _linked(e: Ensemble, sums: list[Any]) -> list[Any]:
    if e.link == "softmax":
        most = max(sums)
        powers = [type(one)(_exp(one - most)) for one in sums]
        total = type(most)(sum(float(one) for one in powers))
        return [one / total for one in powers]
    if e.link == "argmax":
        return [max(range(len(sums)), key=lambda group: sums[group])]
    return [_of_one(e, one) for one in sums]


def _of_one(e: Ensemble, x: Any) -> Any:
    if e.link == "sigmoid" and e.single:
        kind = type(x)
        return kind(1) / (kind(_exp(min(-x, kind(88.7)))) + kind(1) + kind(1e-16))
    if e.link == "sigmoid":
        return 1.0 / (1.0 + _exp(-e.slope * float(x)))
    if e.link in ("exp", "wide_exp"):
        return _exp(x)
    if e.link == "signed_square":
        return -x * x if x < 0 else x * x
    if e.link == "softplus":
        return math.log1p(_exp(x))
    if e.link == "hinge":
        return float(x > 0)
    if e.link == "isolation":
        return -math.pow(2.0, -float(x))
    return x


def _exp(x: Any) -> float:
    try:
        return math.exp(float(x))
    except OverflowError:
        return math.inf
