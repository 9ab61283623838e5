"""Boosted trees out of an ONNX graph, read without onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors, extras
from flyball.kernels.ensemble import CATEGORY, MISSING_LEFT, MOST, Ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read"]

_LINKS = {"NONE": "identity", "LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}
_LEAF, _AT_MOST, _EQUAL = b"LEAF", b"BRANCH_LEQ", b"BRANCH_EQ"
#: The largest category that a chain of equal-to nodes may name: a set is as many bits.
_MOST_CATEGORY = 1 << 20


def read(model: bytes) -> Ensemble:
    """Return the ensemble of a graph that is one `TreeEnsembleClassifier` or `TreeEnsembleRegressor` (ai.onnx.ml 1-3).

    Values are compared and summed as float32, in the order of the trees, as onnxruntime does on one thread.  A chain
    of nodes that ask for one category after another becomes one node with a set, which is smaller and one step deep.

    DataError says what in the graph has no such form: other nodes, other branches than <= and ==, other transforms.
    """
    onnx = extras.need("onnx", "lab", "to read a graph")
    try:
        graph = onnx.load_from_string(model).graph
    except Exception as error:  # protobuf raises its own kinds, which differ by version
        raise errors.DataError(f"model: no ONNX graph ({type(error).__name__})") from None
    first, *after = list(graph.node) or [None]
    if first is None or first.op_type not in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
        raise errors.DataError(f"model: begins with {first and first.op_type}, not with an ensemble of trees")
    told = {one.name: onnx.helper.get_attribute_value(one) for one in first.attribute}
    classifier = first.op_type == "TreeEnsembleClassifier"
    groups = _groups(told, classifier)
    link = _after(onnx, graph, after, _link(told, classifier, groups))
    width = graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    return _joined(_trees(told, "class" if classifier else "target"), told, width, groups, link)


def _groups(told: Mapping[str, Any], classifier: bool) -> int:
    """Return how many sums there are; two classes told by the weights of one are one sum."""
    if not classifier:
        return int(told.get("n_targets", 1))
    labels = told.get("classlabels_int64s") or told.get("classlabels_strings") or ()
    two = len(labels) == 2 and len(set(told["class_ids"])) == 1
    return 1 if two else len(labels)


def _link(told: Mapping[str, Any], classifier: bool, groups: int) -> str:
    name = told.get("post_transform", b"NONE").decode()
    sums = told.get("aggregate_function", b"SUM")
    fits = {"NONE": not classifier, "LOGISTIC": groups == 1, "SOFTMAX": classifier and groups > 1}
    if not fits.get(name, False) or sums != b"SUM":
        raise errors.DataError(f"post_transform {name} of {groups} sums has no form here")
    return _LINKS[name]


def _after(onnx: Any, graph: Any, nodes: list[Any], link: str) -> str:
    """Return the link with what follows the ensemble in it; only what changes nothing, and an exponential, may."""
    ones = {
        one.name for one in graph.initializer if (onnx.numpy_helper.to_array(one) == 1).all()
    }  # fmt: skip
    for node in nodes:
        if node.op_type == "Exp" and link == "identity":
            link = "exp"
        elif node.op_type not in ("Identity", "Cast") and not (
            node.op_type == "Mul" and ones & set(node.input)
        ):
            raise errors.DataError(f"{node.op_type} after the trees has no form here")
    return link


def _trees(told: Mapping[str, Any], of: str) -> list[dict[str, Any]]:
    """Return each tree's nodes: an inner one (feature, threshold or set, marks, left, right), a leaf its value."""
    modes = told["nodes_modes"]
    if set(modes) - {_LEAF, _AT_MOST, _EQUAL}:
        raise errors.DataError(f"branches {sorted(set(modes))}: only <= and == have a form here")
    weights: dict[tuple[int, int], tuple[int, float]] = {}
    for tree, node, group, weight in zip(
        told[f"{of}_treeids"], told[f"{of}_nodeids"], told[f"{of}_ids"], told[f"{of}_weights"], strict=True
    ):
        if (tree, node) in weights:
            raise errors.DataError(f"tree {tree}, leaf {node}: adds to several sums")
        weights[tree, node] = (group, weight)
    missing = told.get("nodes_missing_value_tracks_true") or [0] * len(modes)
    found: dict[int, dict[int, tuple[Any, ...]]] = {}
    for number, (tree, node) in enumerate(zip(told["nodes_treeids"], told["nodes_nodeids"], strict=True)):
        yes, no = told["nodes_truenodeids"][number], told["nodes_falsenodeids"][number]
        column, value = told["nodes_featureids"][number], told["nodes_values"][number]
        found.setdefault(tree, {})[node] = (modes[number], column, value, missing[number], yes, no)
    return [_laid(tree, nodes, weights) for tree, nodes in found.items()]


def _laid(
    tree: int, nodes: Mapping[int, tuple[Any, ...]], weights: Mapping[tuple[int, int], tuple[int, float]]
) -> dict[str, Any]:
    """Return one tree as lists, children after parents; what two branches share stands there twice."""
    made: dict[str, Any] = {
        "feature": [], "left": [], "right": [], "threshold": [], "marks": [], "sets": [], "leaf": [], "group": 0,
    }  # fmt: skip
    groups = {group for (of, _), (group, _) in weights.items() if of == tree} or {0}
    if len(groups) != 1:
        raise errors.DataError(f"tree {tree}: its leaves add to {len(groups)} sums")
    made["group"] = groups.pop()
    waiting: list[tuple[int, str, int]] = [(min(nodes), "", 0)]
    while waiting:
        node, side, parent = waiting.pop(0)
        if len(made["feature"]) > MOST or node not in nodes:
            raise errors.DataError(f"tree {tree}: node {node} is not there, or the tree has no end")
        mode, column, value, missing, yes, no = nodes[node]
        if mode == _LEAF:
            place = ~len(made["leaf"])
            made["leaf"].append(weights.get((tree, node), (0, 0.0))[1])
        else:
            place = len(made["feature"])
            made["feature"].append(column)
            made["left"].append(0)
            made["right"].append(0)
            if mode == _EQUAL:
                words, no = _set(tree, nodes, node)
                made["sets"].append(words)
                value, marks = len(made["sets"]) - 1, CATEGORY
            else:
                marks = MISSING_LEFT if missing else 0
            made["threshold"].append(value)
            made["marks"].append(marks)
            waiting += [(yes, "left", place), (no, "right", place)]
        if side:
            made[side][parent] = place
    return made


def _set(tree: int, nodes: Mapping[int, tuple[Any, ...]], node: int) -> tuple[NDArray[Any], int]:
    """Return the set that a chain of equal-to nodes asks for, and the node that follows if in none of it."""
    import numpy as np

    _, column, _, _, yes, _ = nodes[node]
    values: set[int] = set()
    while node in nodes:
        mode, of, value, missing, then, no = nodes[node]
        if mode != _EQUAL or of != column or then != yes:
            break
        if missing or value != int(value) or not 0 <= value < _MOST_CATEGORY:
            raise errors.DataError(f"tree {tree}, node {node}: {value} is no category that has a form here")
        values.add(int(value))
        node = no
    words = np.zeros(max(values) // 32 + 1, np.uint32)
    for value in values:
        words[value // 32] |= np.uint32(1 << value % 32)
    return words, node


def _joined(
    trees: list[dict[str, Any]], told: Mapping[str, Any], width: int, groups: int, link: str
) -> Ensemble:
    import numpy as np

    def joined(name: str) -> NDArray[Any]:
        return np.array([one for tree in trees for one in tree[name]])

    sets = [words for tree in trees for words in tree["sets"]]
    firsts = np.cumsum([0, *(len(tree["sets"]) for tree in trees)])[:-1]
    nodes, leaves = [len(tree["feature"]) for tree in trees], [len(tree["leaf"]) for tree in trees]
    marks = joined("marks").astype(np.uint8)
    threshold = joined("threshold").astype(np.float64)
    threshold = threshold + np.where((marks & CATEGORY) != 0, np.repeat(firsts, nodes), 0)
    # The class of two whose weights are told is the second one, whichever its number.
    group = np.zeros(len(trees), np.int32) if groups == 1 else np.array([tree["group"] for tree in trees])
    return Ensemble(
        features=width, narrow=True, single=True, link=link, slope=1.0, divisor=1.0, group=group,
        node_from=np.cumsum([0, *nodes]), leaf_from=np.cumsum([0, *leaves]), feature=joined("feature"),
        left=joined("left"), right=joined("right"), threshold=threshold, marks=marks, leaf=joined("leaf"),
        set_from=np.cumsum([0, *(len(words) for words in sets)]),
        set_words=np.concatenate(sets) if sets else np.zeros(0, np.uint32),
        start=np.asarray(told.get("base_values") or np.zeros(groups), np.float64),
    )  # fmt: skip
