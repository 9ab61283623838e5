"""Half-space trees, one row and one tree at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HalfSpace"]


class HalfSpace:
    """What `flyball.kernels.HalfSpaceTrees` does, in plain steps; trees lie level by level, one after another."""

    def __init__(
        self,
        trees: int,
        height: int,
        features: int,
        window: int,
        feature: NDArray[Any],
        threshold: NDArray[Any],
        present: NDArray[Any],
        last: NDArray[Any],
        seen: int,
        first: bool,
    ) -> None:
        self.trees, self.height, self.features, self.window = trees, height, features, window
        self.feature, self.threshold = feature.tolist(), threshold.tolist()
        self.present, self.last = present.tolist(), last.tolist()
        self.seen, self.first = seen, first

    def score_one(self, row: NDArray[Any]) -> float:
        """Return the row's score from the counts of the last window."""
        values = self._values(row)
        if self.first:
            return 0.0
        total = sum(self._mass(tree, self._path(tree, values)) for tree in range(self.trees))
        return 1 - total / (self.trees * self.window * ((2 << self.height) - 1))

    def learn_one(self, row: NDArray[Any]) -> None:
        """Count the row on its path through every tree; a full window becomes the last."""
        values = self._values(row)
        for tree in range(self.trees):
            for node in self._path(tree, values):
                self.present[self._first_node(tree) + node] += 1
        self.seen += 1
        if self.seen == self.window:
            self.last, self.present = self.present, [0] * len(self.present)
            self.first, self.seen = False, 0

    def push(self, rows: NDArray[Any], scores: NDArray[Any]) -> None:
        """Write each row's score, given before it is learned from."""
        for number, row in enumerate(rows):
            scores[number] = self.score_one(row)
            self.learn_one(row)

    def counts(self, present: NDArray[Any], last: NDArray[Any]) -> tuple[int, bool]:
        """Write both windows' counts; return the rows seen and whether no window is full yet."""
        present[:], last[:] = self.present, self.last
        return self.seen, self.first

    def _values(self, row: NDArray[Any]) -> list[float]:
        from flyball.kernels import checks

        values: list[float] = checks.row("row", row, self.features).tolist()
        return values

    def _first_node(self, tree: int) -> int:
        return tree * ((2 << self.height) - 1)

    def _path(self, tree: int, values: list[float]) -> list[int]:
        """Return the nodes from the root to the leaf; the children of node i are 2i + 1 and 2i + 2."""
        path = [0]
        for _ in range(self.height):
            node = path[-1]
            split = tree * ((1 << self.height) - 1) + node
            value = values[self.feature[split]]
            left = self._first_node(tree) + 2 * node + 1
            right = (
                self.present[left] < self.present[left + 1]
                if math.isnan(value)
                else not value < self.threshold[split]
            )
            path.append(2 * node + 1 + right)
        return path

    def _mass(self, tree: int, path: list[int]) -> int:
        """Return the counts on the path, doubled with each level, down to the first node with few rows."""
        total = 0
        for level, node in enumerate(path):
            rows: int = self.last[self._first_node(tree) + node]
            total += rows << level
            if rows < 0.1 * self.window:
                break
        return total
