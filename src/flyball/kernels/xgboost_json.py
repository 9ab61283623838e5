"""XGBoost's JSON and UBJSON models, read without XGBoost."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.kernels import ubjson
from flyball.kernels.ensemble import CATEGORY, FROM_ZERO, MISSING_LEFT, MOST, Ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read"]

_LINKS = {
    "binary:logistic": "sigmoid",
    "reg:logistic": "sigmoid",
    "binary:logitraw": "identity",
    "binary:hinge": "hinge",
    "multi:softprob": "softmax",
    "multi:softmax": "argmax",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
    "survival:cox": "exp",
    "survival:aft": "wide_exp",
    "reg:squarederror": "identity",
    "reg:linear": "identity",
    "reg:squaredlogerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:absoluteerror": "identity",
    "reg:quantileerror": "identity",
    "rank:pairwise": "identity",
    "rank:ndcg": "identity",
    "rank:map": "identity",
}
# Whose base score is told as an answer: it is turned back into a sum.
_LOGIT = ("binary:logistic", "reg:logistic")
_MOST_CATEGORIES = 1 << 24


def read(model: bytes | str | dict[str, Any]) -> Ensemble:
    """Return the ensemble of a model, as `Booster.save_model` or `save_raw` wrote it in JSON or UBJSON.

    XGBoost compares in float32 and sends x < t left; here the threshold is the float32 before t. A category in the
    node's set goes right there, so sides are changed. Sums are float32 in the order of the trees.

    DataError names the tree and the field that is wrong.
    """
    learner = _field(_parsed(model), "learner", dict, "the model")
    booster = _field(learner, "gradient_booster", dict, "the model")
    name = booster.get("name")
    weights = None
    if name == "dart":
        weights = _numbers(booster, "weight_drop", None, "the model")
        booster = _field(booster, "gbtree", dict, "the model")
    elif name != "gbtree":
        raise errors.DataError(f"gradient_booster: {name!r} has no trees, gbtree and dart have")
    body = _field(booster, "model", dict, "the model")
    trees = _field(body, "trees", list, "the model")
    group = _numbers(body, "tree_info", len(trees), "the model", int)
    param = _field(learner, "learner_model_param", dict, "the model")
    features = _integer(param, "num_feature", "the model")
    groups = max(
        1, _integer(param, "num_class", "the model"), _integer(param, "num_target", "the model", "1")
    )
    if groups > 1 << 20 or (weights is not None and len(weights) != len(trees)):
        raise errors.DataError("the model: num_class or weight_drop does not go with its trees")
    objective = _field(learner, "objective", dict, "the model").get("name")
    if objective not in _LINKS:
        raise errors.DataError(
            f"objective: {objective!r} is not known here, {errors.did_you_mean(str(objective), _LINKS)}"
        )
    made = [_tree(number, tree) for number, tree in enumerate(trees)]
    return _joined(made, features, group, weights, _LINKS[objective], _start(param, groups, objective))


def _parsed(model: bytes | str | dict[str, Any]) -> dict[str, Any]:
    """Return the model as Python values."""
    if isinstance(model, dict):
        return model
    try:
        # JSON begins with a brace and a quote or a space, UBJSON with a brace and the length of the first name.
        if isinstance(model, str) or (
            model.lstrip()[:1] == b"{" and model.lstrip()[1:].lstrip()[:1] in (b'"', b"}")
        ):
            parsed = json.loads(model)
        else:
            parsed = ubjson.read(model)
    except (ValueError, RecursionError) as error:
        if isinstance(error, errors.DataError):
            raise
        raise errors.DataError(f"model: neither whole JSON nor UBJSON of XGBoost ({error})") from error
    if not isinstance(parsed, dict):
        raise errors.DataError("model: no XGBoost model, it must be an object with a learner")
    return parsed


def _field(told: dict[str, Any], name: str, kind: type, where: str) -> Any:
    value = told.get(name)
    if not isinstance(value, kind):
        raise errors.DataError(f"{where}: {name} is missing or no {kind.__name__}, is it an XGBoost model?")
    return value


def _integer(told: dict[str, Any], name: str, where: str, default: str | None = None) -> int:
    try:
        return int(told.get(name, default))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise errors.DataError(f"{where}: {name} is {told.get(name)!r}, not a whole number") from None


def _numbers(
    told: dict[str, Any], name: str, count: int | None, where: str, dtype: Any = float
) -> NDArray[Any]:
    """Return the numbers of one field, as many as there must be, whole ones as int64."""
    import numpy as np

    value = told.get(name)
    try:
        made = np.array(value, np.float64)
    except (OverflowError, TypeError, ValueError):
        made = np.zeros((0, 0))
    if made.ndim != 1 or value is None or isinstance(value, str):
        raise errors.DataError(f"{where}: {name} is missing or not a list of numbers")
    if count is not None and len(made) != count:
        raise errors.DataError(f"{where}: {name} has {len(made)} values, not {count}")
    if np.isnan(made).any():
        raise errors.DataError(f"{where}: {name} is NaN")
    if dtype is int:
        if (np.abs(made) > 2**31).any() or (made != np.floor(made)).any():
            raise errors.DataError(f"{where}: {name} holds something else than whole numbers")
        return made.astype(np.int64)
    return made


def _start(param: dict[str, Any], groups: int, objective: str) -> NDArray[Any]:
    """Return what the sums begin with: the base score as a sum, in the float32 arithmetic of XGBoost."""
    import numpy as np

    told = param.get("base_score", "0.5")
    try:
        listed = json.loads(told) if isinstance(told, str) else told
        base = np.array(listed if isinstance(listed, list) else [listed], np.float32)
    except (OverflowError, TypeError, ValueError):
        raise errors.DataError(f"the model: base_score is {told!r}, not a number") from None
    if base.ndim != 1 or len(base) not in (1, groups) or not np.isfinite(base).all():
        raise errors.DataError(f"the model: base_score is {told!r}, not a number for each of {groups} groups")
    if objective in _LOGIT:
        if not ((base > 0) & (base < 1)).all():
            raise errors.DataError(f"the model: base_score is {told!r}, a probability lies between 0 and 1")
        base = np.array([-np.float32(math.log(np.float32(1) / b - np.float32(1))) for b in base], np.float32)
    elif _LINKS[objective] in ("exp", "wide_exp"):
        if not (base > 0).all():
            raise errors.DataError(f"the model: base_score is {told!r}, it must be above 0")
        base = np.array([np.float32(math.log(b)) for b in base], np.float32)
    return np.broadcast_to(base, groups).astype(np.float64)


def _tree(number: int, tree: Any) -> dict[str, Any]:
    """Return one tree's arrays, its nodes numbered from the root and its deleted ones left out."""
    import numpy as np

    where = f"tree {number}"
    if not isinstance(tree, dict):
        raise errors.DataError(f"{where}: is no object")
    param = _field(tree, "tree_param", dict, where)
    if _integer(param, "size_leaf_vector", where, "1") > 1:
        raise errors.DataError(f"{where}: size_leaf_vector: leaves of several targets are not scored here")
    left = _numbers(tree, "left_children", None, where, int)
    count = len(left)
    if not 1 <= count <= MOST:
        raise errors.DataError(f"{where}: left_children has {count} values, not 1 to {MOST}")
    right = _numbers(tree, "right_children", count, where, int)
    value = _numbers(tree, "split_conditions", count, where).astype(np.float32)
    feature = _numbers(tree, "split_indices", count, where, int)
    default_left = _numbers(tree, "default_left", count, where) != 0
    kind = (
        _numbers(tree, "split_type", count, where, int) if "split_type" in tree else np.zeros(count, np.int64)
    )
    sets = _sets(tree, where) if kind.any() else {}
    order, renumbered = _from_root(left, right, where)
    leaf = left[order] < 0
    inner, leaves = order[~leaf], order[leaf]
    categorical = kind[inner] != 0
    if not all(int(node) in sets for node in inner[categorical]):
        raise errors.DataError(f"{where}: categories_nodes lacks a categorical node")
    return {
        "feature": feature[inner],
        "threshold": _before(value[inner], categorical, where),
        "marks": _marks(categorical, default_left[inner]),
        # In the set is left here.
        "left": renumbered[np.where(categorical, right[inner], left[inner])],
        "right": renumbered[np.where(categorical, left[inner], right[inner])],
        "leaf": value[leaves],
        "sets": [sets[int(node)] for node in inner[categorical]],
    }


def _from_root(left: NDArray[Any], right: NDArray[Any], where: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the nodes that the root leads to, parents first, and every node's number as a child."""
    import numpy as np

    count = len(left)
    lefts, rights = left.tolist(), right.tolist()
    order, seen, at = [0], bytearray(count), 0
    seen[0] = 1
    while at < len(order):
        node = order[at]
        at += 1
        if (lefts[node] < 0) != (rights[node] < 0):
            raise errors.DataError(
                f"{where}: left_children and right_children differ on whether node {node} is a leaf"
            )
        if lefts[node] < 0:
            continue
        for child in (lefts[node], rights[node]):
            if child >= count or seen[child]:
                raise errors.DataError(
                    f"{where}: left_children or right_children of node {node} make no tree"
                )
            seen[child] = 1
            order.append(child)
    ordered = np.array(order)
    leaf = left[ordered] < 0
    renumbered = np.zeros(count, np.int64)
    renumbered[ordered[~leaf]] = np.arange(len(order) - leaf.sum())
    renumbered[ordered[leaf]] = ~np.arange(leaf.sum())
    return ordered, renumbered


def _before(value: NDArray[Any], categorical: NDArray[Any], where: str) -> NDArray[Any]:
    """Return the float32 before each threshold: x < t is x <= that."""
    import numpy as np

    if (np.isneginf(value) & ~categorical).any():
        raise errors.DataError(f"{where}: split_conditions is -inf, which nothing is below")
    before: NDArray[Any] = np.nextafter(value, np.float32(-np.inf))
    return before


def _marks(categorical: NDArray[Any], default_left: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    missing_left = default_left != categorical
    return np.where(missing_left, MISSING_LEFT, 0) | np.where(categorical, CATEGORY | FROM_ZERO, 0)


def _sets(tree: dict[str, Any], where: str) -> dict[int, NDArray[Any]]:
    """Return each categorical node's set, as words of bits."""
    import numpy as np

    nodes = _numbers(tree, "categories_nodes", None, where, int)
    firsts = _numbers(tree, "categories_segments", len(nodes), where, int)
    sizes = _numbers(tree, "categories_sizes", len(nodes), where, int)
    categories = _numbers(tree, "categories", None, where, int)
    if len(categories) and not 0 <= categories.min() <= categories.max() < _MOST_CATEGORIES:
        raise errors.DataError(f"{where}: categories holds something else than 0 to {_MOST_CATEGORIES - 1}")
    made: dict[int, NDArray[Any]] = {}
    room = MOST
    for node, first, size in zip(nodes.tolist(), firsts.tolist(), sizes.tolist(), strict=True):
        if not 0 <= first <= first + size <= len(categories):
            raise errors.DataError(f"{where}: categories_segments of node {node} lies outside its categories")
        mine = categories[first : first + size]
        words = np.zeros(int(mine.max(initial=-1)) // 32 + 1, np.uint32)
        np.bitwise_or.at(words, mine // 32, (1 << (mine % 32)).astype(np.uint32))
        made[node] = words
        room -= len(words)
        if room < 0:
            raise errors.DataError(f"{where}: categories need more than {MOST} words")
    return made


def _joined(
    trees: list[dict[str, Any]],
    features: int,
    group: NDArray[Any],
    weights: NDArray[Any] | None,
    link: str,
    start: NDArray[Any],
) -> Ensemble:
    import numpy as np

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([tree[name] for tree in trees]) if trees else np.zeros(0)

    nodes, leaves = [len(tree["feature"]) for tree in trees], [len(tree["leaf"]) for tree in trees]
    sets = [words for tree in trees for words in tree["sets"]]
    threshold, marks, leaf = joined("threshold").astype(np.float64), joined("marks"), joined("leaf")
    categorical = (marks.astype(np.uint8) & CATEGORY) != 0
    threshold[categorical] = np.arange(len(sets))
    if weights is not None:
        leaf = leaf * np.repeat(weights.astype(np.float32), leaves)
    return Ensemble(
        features=features, narrow=True, single=True, link=link, slope=1.0, divisor=1.0,
        group=group, node_from=np.cumsum([0, *nodes]), leaf_from=np.cumsum([0, *leaves]),
        feature=joined("feature"), left=joined("left"), right=joined("right"), threshold=threshold, marks=marks,
        leaf=leaf, set_from=np.cumsum([0, *(len(words) for words in sets)]),
        set_words=np.concatenate(sets) if sets else np.zeros(0, np.uint32), start=start,
    )  # fmt: skip
