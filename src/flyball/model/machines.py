"""Splits by machine: no machine is both learned from and judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.model.stage import Fold, Split


class ByMachine(Split):
    """Machines dealt into folds by a seeded hash of their names; each fold is judged once, the others learned from.

    With `share`, one fold instead: about that share of the machines is judged.  The same machines are dealt alike
    in every process, whatever the order of the rows.

    >>> moments = features.Moments.of(["a", "a", "b", "c"], range(4))
    >>> [f.test.tolist() for f in ByMachine(folds=3).split(moments, {})]
    [[0, 1], [3], [2]]
    """

    folds: int = 5
    share: float | None = None
    seed: int = 0

    def split(self, moments: features.Moments, tables: data.Tables) -> tuple[Fold, ...]:
        """Return the folds."""
        import numpy as np

        there = sorted({moments.keys[code] for code in np.unique(moments.codes).tolist()})
        count = self.folds if self.share is None else 1
        if len(there) < max(count, 2):
            raise errors.DataError(f"{len(there)} machines cannot be dealt into {max(count, 2)} folds")
        place = self._dealt(there)
        number = np.array([place.get(name, -1) for name in moments.keys], dtype=np.int64)[moments.codes]
        return tuple(
            Fold(
                np.flatnonzero(number != fold).astype(np.int64),
                np.flatnonzero(number == fold).astype(np.int64),
            )
            for fold in range(count)
        )

    def _dealt(self, names: list[str]) -> dict[str, int]:
        ordered = shuffled(names, self.seed)
        if self.share is None:
            return {name: index % self.folds for index, name in enumerate(ordered)}
        held = min(len(ordered) - 1, max(1, round(self.share * len(ordered))))
        return {name: 0 if index < held else 1 for index, name in enumerate(ordered)}

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.share is None and self.folds < 2:
            yield errors.Problem(
                "folds", f"{self.folds} fold would learn from nothing", "give 2 or more, or a share"
            )
        if self.share is not None and not 0 < self.share < 1:
            yield errors.Problem(
                "share", f"{self.share} is no share of the machines", "give one between 0 and 1"
            )


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Return names in an order that depends on the seed and the names alone.

    >>> sorted(shuffled(["a", "b"], seed=1))
    ['a', 'b']
    """
    import hashlib

    return sorted(names, key=lambda name: (hashlib.sha256(f"{seed}:{name}".encode()).digest(), name))
