"""LightGBM's own text model, read without LightGBM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.kernels.ensemble import CATEGORY, MISSING_LEFT, MOST, ZERO, ZERO_MISSING, Ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read"]

_LINKS = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multiclassova": "sigmoid",
    "cross_entropy": "sigmoid",
    "cross_entropy_lambda": "softplus",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
    "lambdarank": "identity",
    "rank_xendcg": "identity",
    "custom": "identity",
}
_MISSING_NONE, _MISSING_ZERO, _MISSING_NAN = 0, 1, 2


def read(text: str) -> Ensemble:
    """Return the ensemble of a model text, as `Booster.model_to_string` or `save_model` wrote it.

    Every rule of LightGBM's own scoring is turned into thresholds and marks: values within 1e-35 of zero are zero,
    NaN is zero where a feature has no missing values, zero is missing with `zero_as_missing`, and NaN is in no set
    of categories.

    DataError names the tree and the field that is wrong, linear trees and unknown objectives among them.
    """
    head, trees = _split(text)
    groups = _integer(head, "num_tree_per_iteration", "the head")
    features = _integer(head, "max_feature_idx", "the head") + 1
    if not 0 < groups <= 1 << 20 or len(trees) % groups:
        raise errors.DataError(
            f"num_tree_per_iteration: {groups} does not divide {len(trees)} trees: cut short?"
        )
    link, slope = _link(head.get("objective", "custom"))
    made = [_tree(number, told, features) for number, told in enumerate(trees)]
    return _joined(made, features, groups, link, slope, average="average_output" in head)


def _split(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return the fields of the head and of each tree; all trees must be there."""
    lines = iter(text.splitlines())
    if next(lines, "").strip() != "tree":
        raise errors.DataError("model: no LightGBM model text, its first line must be 'tree'")
    head: dict[str, str] = {}
    trees: list[dict[str, str]] = []
    fields = head
    for line in lines:
        name, _, value = line.strip().partition("=")
        if name == "end of trees":
            break
        if name == "Tree":
            if value != str(len(trees)):
                raise errors.DataError(f"tree {len(trees)}: missing, 'Tree={value}' stands in its place")
            fields = {}
            trees.append(fields)
        elif name:
            if name in fields:
                raise errors.DataError(f"{_where(fields is head, len(trees) - 1)}: {name} stands there twice")
            fields[name] = value
    else:
        raise errors.DataError(f"tree {max(0, len(trees) - 1)}: cut short, no 'end of trees' follows")
    if head.get("version") not in ("v3", "v4"):
        raise errors.DataError(f"version: {head.get('version')!r} is not known here, v3 and v4 are")
    sizes = len(head["tree_sizes"].split()) if "tree_sizes" in head else len(trees)
    if sizes != len(trees):
        raise errors.DataError(f"tree_sizes: tells {sizes} trees, {len(trees)} are there")
    return head, trees


def _where(in_head: bool, tree: int) -> str:
    return "the head" if in_head else f"tree {tree}"


def _integer(fields: dict[str, str], name: str, where: str) -> int:
    try:
        return int(fields[name])
    except KeyError:
        raise errors.DataError(f"{where}: {name} is missing") from None
    except ValueError:
        raise errors.DataError(f"{where}: {name} is {fields[name][:40]!r}, not a whole number") from None


def _link(objective: str) -> tuple[str, float]:
    """Return the link and the slope of its sigmoid, from e.g. 'binary sigmoid:1'."""
    name, *options = objective.split() or ["custom"]
    if name not in _LINKS:
        raise errors.DataError(f"objective: {errors.did_you_mean(name, _LINKS)}, not {name!r}")
    if name.startswith("regression") and "sqrt" in options:
        return "signed_square", 1.0
    slope = next((option.partition(":")[2] for option in options if option.startswith("sigmoid:")), "1")
    try:
        return _LINKS[name], float(slope)
    except ValueError:
        raise errors.DataError(f"objective: sigmoid is {slope!r}, not a number") from None


def _tree(number: int, told: dict[str, str], features: int) -> dict[str, Any]:
    """Return one tree's arrays."""
    import numpy as np

    where = f"tree {number}"
    leaves = _integer(told, "num_leaves", where)
    if told.get("is_linear", "0").strip() != "0":
        raise errors.DataError(
            f"{where}: is_linear: linear leaves are not scored here, train with linear_tree off"
        )
    if not 1 <= leaves <= MOST:
        raise errors.DataError(f"{where}: num_leaves is {leaves}, not 1 to {MOST}")
    nodes = leaves - 1

    def take(name: str, dtype: Any, count: int) -> NDArray[Any]:
        return _array(told, name, dtype, count, where)

    made: dict[str, Any] = {
        "feature": take("split_feature", np.int32, nodes),
        "left": take("left_child", np.int32, nodes),
        "right": take("right_child", np.int32, nodes),
        "leaf": take("leaf_value", np.float64, leaves),
    }
    decision = take("decision_type", np.int32, nodes)
    threshold = take("threshold", np.float64, nodes)
    if ((decision < 0) | (decision > 15) | (decision >> 2 == 3)).any():
        raise errors.DataError(f"{where}: decision_type is unknown, written by a newer LightGBM?")
    categorical = (decision & 1) != 0
    made["threshold"], made["marks"] = _numeric(decision, threshold)
    made["threshold"][categorical] = threshold[categorical]
    made["marks"][categorical] = CATEGORY
    made["sets"] = _sets(told, int(categorical.sum()), where)
    wrong = (
        ~((threshold >= 0) & (threshold < len(made["sets"])) & (threshold == np.floor(threshold)))
        & categorical
    )
    if wrong.any():
        raise errors.DataError(f"{where}: threshold names no set of cat_boundaries")
    return made


def _numeric(decision: NDArray[Any], threshold: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return thresholds and marks such that nothing but missing is special.

    LightGBM takes what is within 1e-35 of zero for zero before it compares. Comparing x itself says the same with
    thresholds in there moved to their ends.
    """
    import numpy as np

    moved = np.where((threshold >= 0) & (threshold < ZERO), ZERO, threshold)
    moved = np.where((threshold < 0) & (threshold >= -ZERO), np.nextafter(-ZERO, -np.inf), moved)
    kind, default_left = decision >> 2, (decision & 2) != 0
    # Where nothing was missing in training, NaN is scored as zero.
    missing_left = np.where(kind == _MISSING_NONE, threshold >= 0, default_left)
    marks = np.where(missing_left, MISSING_LEFT, 0) | np.where(kind == _MISSING_ZERO, ZERO_MISSING, 0)
    return moved, marks.astype(np.uint8)


def _sets(told: dict[str, str], categorical: int, where: str) -> list[NDArray[Any]]:
    """Return the sets of categories, as words of bits."""
    import numpy as np

    count = _integer(told, "num_cat", where) if "num_cat" in told else 0
    if not count:
        if categorical:
            raise errors.DataError(f"{where}: num_cat is 0, yet a decision_type is categorical")
        return []
    if not 0 < count <= MOST:
        raise errors.DataError(f"{where}: num_cat is {count}, not 1 to {MOST}")
    bounds = _array(told, "cat_boundaries", np.int64, count + 1, where)
    words = _array(told, "cat_threshold", np.uint32, None, where)
    if bounds[0] != 0 or bounds[-1] != len(words) or (np.diff(bounds) < 0).any():
        raise errors.DataError(
            f"{where}: cat_boundaries must rise from 0 to {len(words)}, the words of cat_threshold"
        )
    return np.split(words, bounds[1:-1])


def _array(told: dict[str, str], name: str, dtype: Any, count: int | None, where: str) -> NDArray[Any]:
    """Return the numbers of one field, as many as there must be."""
    import numpy as np

    if count == 0:
        return np.zeros(0, dtype)
    if name not in told:
        raise errors.DataError(f"{where}: {name} is missing")
    try:
        # Python's float() rounds right, as LightGBM's reader does.
        whole = np.dtype(dtype).kind in "iu"
        values = [int(v) for v in told[name].split()] if whole else [float(v) for v in told[name].split()]
        made = np.array(values, dtype)
    except (ValueError, OverflowError) as error:
        raise errors.DataError(
            f"{where}: {name} holds something else than {np.dtype(dtype)} numbers"
        ) from error
    if count is not None and len(made) != count:
        raise errors.DataError(f"{where}: {name} has {len(made)} values, not {count}")
    if not whole and np.isnan(made).any():
        raise errors.DataError(f"{where}: {name} is NaN")
    return made


def _joined(
    trees: list[dict[str, Any]], features: int, groups: int, link: str, slope: float, average: bool
) -> Ensemble:
    import numpy as np

    def joined(name: str, dtype: Any) -> NDArray[Any]:
        return np.concatenate([tree[name] for tree in trees]) if trees else np.zeros(0, dtype)

    nodes, leaves = [len(tree["feature"]) for tree in trees], [len(tree["leaf"]) for tree in trees]
    sets = [words for tree in trees for words in tree["sets"]]
    firsts = np.cumsum([0, *(len(tree["sets"]) for tree in trees)])[:-1]
    threshold, marks = joined("threshold", np.float64), joined("marks", np.uint8)
    threshold = threshold + np.where((marks & CATEGORY) != 0, np.repeat(firsts, nodes), 0)
    return Ensemble(
        features=features, narrow=False, single=False, link=link, slope=slope,
        divisor=float(len(trees) // groups or 1) if average else 1.0,
        group=np.arange(len(trees)) % groups,
        node_from=np.cumsum([0, *nodes]), leaf_from=np.cumsum([0, *leaves]),
        feature=joined("feature", np.int32), left=joined("left", np.int32), right=joined("right", np.int32),
        threshold=threshold, marks=marks, leaf=joined("leaf", np.float64),
        set_from=np.cumsum([0, *(len(words) for words in sets)]),
        set_words=np.concatenate(sets) if sets else np.zeros(0, np.uint32),
        start=np.zeros(groups),
    )  # fmt: skip
