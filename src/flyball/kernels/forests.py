"""Forests that tell what is strange: isolation forests once fitted, half-space trees over a stream."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.kernels import backend, checks, reference
from flyball.kernels.ensemble import MISSING_LEFT, Ensemble
from flyball.kernels.trees import Trees

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["HalfSpaceTrees", "IsolationForest"]

#: A split stays so far from both ends of what it halves, as in the paper.
_PADDING = 0.15
_HIGHEST, _MOST_NODES, _MOST_WINDOW = 20, 1 << 26, (1 << 31) - 1


class IsolationForest:
    """A fitted isolation forest of scikit-learn, scored by walking, a thousand times faster on a single row.

    Scores are equal to scikit-learn's to the last bit wherever NumPy takes powers by the C library (its AVX-512
    routine may differ in the last bit). Values are compared as float32, as scikit-learn does, and NaN goes where
    each tree learned to send it.

    Made by `from_sklearn` or `from_bytes`; pickles. Source: Liu, Ting and Zhou, Isolation Forest, 2008.
    """

    def __init__(self, trees: Trees) -> None:
        if trees.ensemble.link != "isolation":
            raise errors.DataError(
                "data: these trees are no isolation forest, load them with Trees.from_bytes"
            )
        self._trees = trees

    @classmethod
    def from_sklearn(cls, fitted: Any) -> IsolationForest:
        """Return the forest of a fitted `sklearn.ensemble.IsolationForest`, from its arrays alone.

        ValueError tells what is no fitted isolation forest.
        """
        try:
            grown = list(zip(fitted.estimators_, fitted.estimators_features_, strict=True))
            samples, features, offset = fitted.max_samples_, fitted.n_features_in_, fitted.offset_
        except AttributeError as error:
            raise ValueError(f"fitted: needs a fitted IsolationForest of scikit-learn ({error})") from error
        return cls(Trees(_isolation(grown, int(samples), int(features), float(offset))))

    def score_samples(self, rows: Any) -> NDArray[np.float64]:
        """Return how usual each row is: near -1 is strange, -0.5 and above is usual.

        `rows` is float32 or float64 of shape (n, features), strided and read-only ones included; float64 (n,).
        ValueError names what is wrong with the rows.
        """
        return self._trees.predict(rows)

    def decision_function(self, rows: Any) -> NDArray[np.float64]:
        """Return the scores counted from the forest's offset: below 0 is strange. Takes what `score_samples` takes."""
        return self.score_samples(rows) - self._trees.ensemble.slope

    def score_one(self, row: NDArray[Any]) -> float:
        """Return the score of one row of shape (features,), the fast way. ValueError names what is wrong with it."""
        return float(self._trees.predict_one(row))

    def to_bytes(self) -> bytes:
        """Return the forest as bytes for a release: versioned, with a digest, and equal for equal forests."""
        return self._trees.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> IsolationForest:
        """Return the forest that `to_bytes` wrote; DataError where it is damaged or of another version."""
        return cls(Trees.from_bytes(data))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)


def _isolation(grown: list[tuple[Any, Any]], samples: int, features: int, offset: float) -> Ensemble:
    """Return the ensemble whose leaves are path lengths, corrected for the rows that were left in them."""
    import numpy as np

    made: dict[str, list[Any]] = {
        name: [] for name in ("feature", "threshold", "marks", "left", "right", "leaf")
    }
    for estimator, columns in grown:
        tree = estimator.tree_
        inner = tree.children_left >= 0
        number = np.where(inner, np.cumsum(inner) - 1, ~(np.cumsum(~inner) - 1))
        left, right = tree.children_left, tree.children_right
        depth = np.ones(len(left))
        for node in np.flatnonzero(inner):  # a child comes after its parent
            depth[[left[node], right[node]]] = depth[node] + 1
        made["feature"].append(np.asarray(columns)[tree.feature[inner]])
        made["threshold"].append(tree.threshold[inner])
        made["marks"].append(np.where(tree.missing_go_to_left[inner] != 0, MISSING_LEFT, 0))
        made["left"].append(number[left[inner]])
        made["right"].append(number[right[inner]])
        made["leaf"].append((depth + _usual_path(tree.n_node_samples) - 1.0)[~inner])
    leaves = np.cumsum([0, *map(len, made["leaf"])])
    usual = len(grown) * float(_usual_path(np.array([samples]))[0])
    joined = {name: np.concatenate(parts) for name, parts in made.items()}
    if usual == 0:  # grown from one row each: scikit-learn scores everything alike
        joined["leaf"][:] = 0
    return Ensemble(
        features=features, narrow=True, single=False, link="isolation", slope=offset, divisor=usual or 1.0,
        group=np.zeros(len(grown)), node_from=leaves - np.arange(len(leaves)), leaf_from=leaves, **joined,
        set_from=np.zeros(1), set_words=np.zeros(0), start=np.array([0.0 if usual else 1.0]),
    )  # fmt: skip


def _usual_path(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean length of an unsuccessful search in a binary tree of so many rows (Liu et al., equation 1)."""
    import numpy as np

    more = np.maximum(rows, 3).astype(np.float64)
    usual = 2.0 * (np.log(more - 1.0) + np.euler_gamma) - 2.0 * (more - 1.0) / more
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, usual))


class HalfSpaceTrees:
    """Anomaly scores over a stream, from trees that halve the space at random and count who came where.

    Why: it learns from every row in constant time and memory, and forgets at the pace of its window. Scores are
    equal to those of river's `anomaly.HalfSpaceTrees` for the same seed, with columns numbered 0, 1, ... in place
    of names, to the last bit.

    `features` is the number of columns; `limits` (low, high) for each, [0, 1] by default: scale the data into it.
    `n_trees`, `height`, `window_size` and `seed` are river's. NaN is missing: as for a name that is left out in
    river, the row goes where more rows of this window went. Until the first window is full, scores are 0.

    It pickles and copies with all that it has counted, goes on to the last bit on any path, and what `push` returns
    does not depend on how the rows are cut into chunks. Not for several threads at once.
    Source: Tan, Ting and Liu, Fast Anomaly Detection for Streaming Data, 2011.

    ValueError names the argument that is wrong.

    >>> import numpy as np
    >>> trees = HalfSpaceTrees(1, n_trees=5, height=3, window_size=3, seed=42)
    >>> trees.push(np.array([[0.5], [0.45], [0.43], [0.44], [0.0]])).round(3)
    array([0.   , 0.   , 0.   , 0.107, 0.853])
    """

    def __init__(
        self,
        features: int,
        n_trees: int = 10,
        height: int = 8,
        window_size: int = 250,
        limits: Sequence[tuple[float, float]] | None = None,
        seed: int = 0,
    ) -> None:
        import numpy as np

        _whole("features", features, 1, _MOST_NODES)
        _whole("n_trees", n_trees, 1, _MOST_NODES)
        _whole("height", height, 1, _HIGHEST)
        _whole("window_size", window_size, 1, _MOST_WINDOW)
        nodes = n_trees << (height + 1)
        if nodes > _MOST_NODES or nodes * window_size >= 1 << 53:
            raise ValueError("n_trees: too many nodes, give fewer or lower trees or a smaller window_size")
        bounds = _limits(limits, features)
        generator = random.Random(seed)
        drawn = [
            split for _ in range(n_trees) for split in _by_level(_splits(bounds, height, generator), height)
        ]
        counts = np.zeros(n_trees * ((2 << height) - 1), np.int32)
        self._shape = (n_trees, height, features, window_size)
        self._feature = np.array([feature for feature, _ in drawn], np.int32)
        self._threshold = np.array([threshold for _, threshold in drawn])
        self._begin(counts, counts.copy(), 0, True)

    def score_one(self, row: NDArray[Any]) -> float:
        """Return the score of one row of shape (features,), from 0 (usual) to 1; ValueError names what is wrong."""
        return float(self._of_one(self._forest.score_one, row))

    def learn_one(self, row: NDArray[Any]) -> None:
        """Count one row of shape (features,). ValueError names what is wrong with it."""
        self._of_one(self._forest.learn_one, row)

    def push(self, rows: Any) -> NDArray[np.float64]:
        """Return the score of each row, given before the row is learned from.

        `rows` is float32 or float64 of shape (n, features), strided and read-only ones included; float64 (n,).
        ValueError names what is wrong with the rows, and then nothing was learned.
        """
        import numpy as np

        taken = checks.matrix("rows", rows, self._shape[2])
        scores = np.empty(len(taken))
        self._forest.push(taken, scores)
        return scores

    def __getstate__(self) -> dict[str, Any]:
        import numpy as np

        present = np.empty(self._shape[0] * ((2 << self._shape[1]) - 1), np.int32)
        last = np.empty_like(present)
        seen, first = self._forest.counts(present, last)
        return {
            "version": 1, "shape": self._shape, "feature": self._feature, "threshold": self._threshold,
            "present": present, "last": last, "seen": seen, "first": first,
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        _check_state(state)
        self._shape = tuple(state["shape"])
        self._feature, self._threshold = state["feature"], state["threshold"]
        self._begin(state["present"], state["last"], state["seen"], state["first"])

    def _begin(self, present: NDArray[Any], last: NDArray[Any], seen: int, first: bool) -> None:
        made = reference.HalfSpace if backend.compiled is None else backend.compiled.HalfSpace
        self._forest = made(*self._shape, self._feature, self._threshold, present, last, seen, first)

    def _of_one(self, use: Any, row: NDArray[Any]) -> Any:
        try:
            return use(row)
        except TypeError:
            return use(checks.row("row", row, self._shape[2]))


def _splits(
    bounds: list[tuple[float, float]], height: int, generator: random.Random
) -> Iterator[tuple[int, float]]:
    """Draw the splits of one tree, a node before all below it and left before right, in river's order of draws."""
    if height == 0:
        return
    widths = [high - low for low, high in bounds]
    feature = generator.choices(range(len(bounds)), widths)[0]
    low, high = bounds[feature]
    at = generator.uniform(low + _PADDING * (high - low), high - _PADDING * (high - low))
    yield feature, at
    for side in ((low, at), (at, high)):
        bounds[feature] = side
        yield from _splits(bounds, height - 1, generator)
    bounds[feature] = (low, high)


def _by_level(splits: Iterator[tuple[int, float]], height: int) -> list[tuple[int, float]]:
    """Return a tree's splits level by level: the children of split i are 2i + 1 and 2i + 2."""
    made: list[tuple[int, float]] = [(0, 0.0)] * ((1 << height) - 1)
    waiting = [0]
    for split in splits:
        place = waiting.pop()
        made[place] = split
        if 2 * place + 2 < len(made):
            waiting += [2 * place + 2, 2 * place + 1]
    return made


def _limits(limits: Sequence[tuple[float, float]] | None, features: int) -> list[tuple[float, float]]:
    import numpy as np

    if limits is None:
        return [(0.0, 1.0)] * features
    try:
        told = np.array(limits, np.float64)
    except (TypeError, ValueError):
        told = np.zeros(0)
    if told.shape != (features, 2):
        raise ValueError(f"limits: needs a pair (low, high) for each of {features} features")
    if not np.isfinite(told).all() or (told[:, 0] > told[:, 1]).any() or (told[:, 0] == told[:, 1]).all():
        raise ValueError("limits: each needs two finite numbers, low before high")
    return [(float(low), float(high)) for low, high in told]


def _whole(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name}: {value!r} is not a whole number from {least} to {most}")


def _check_state(state: dict[str, Any]) -> None:
    """Hold what the C++ relies on, whoever wrote the state."""
    import numpy as np

    if not isinstance(state, dict) or state.get("version") != 1:
        raise errors.DataError(
            "state: half-space trees of another version, load them with the flyball that wrote them"
        )
    try:
        n_trees, height, features, window = state["shape"]
        inner, nodes = n_trees * ((1 << height) - 1), n_trees * ((2 << height) - 1)
        sizes = {"feature": (inner, np.int32), "threshold": (inner, np.float64), "present": (nodes, np.int32)}
        sizes["last"] = sizes["present"]
        fine = all(
            state[name].dtype == kind and state[name].shape == (size,) and state[name].flags.c_contiguous
            for name, (size, kind) in sizes.items()
        )
        fine = (
            fine and 1 <= height <= _HIGHEST and 1 <= window <= _MOST_WINDOW and 0 <= state["seen"] < window
        )
        fine = fine and nodes <= _MOST_NODES and type(state["first"]) is bool and type(state["seen"]) is int
        fine = fine and 0 <= state["feature"].min() <= state["feature"].max() < features < 1 << 31
        fine = fine and all(
            0 <= state[name].min() <= state[name].max() <= window for name in ("present", "last")
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        fine = False
    if not fine:
        raise errors.DataError("state: damaged, these are no counts of half-space trees")
