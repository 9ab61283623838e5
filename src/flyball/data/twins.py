"""Twins: the same image in two splits makes a test easier than it is; the same image with two labels is no truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Rows


class Twins(stage.Cleaner):
    """Drops a row whose image stands in a stronger split as well, and rows of one image with different labels.

    `column` is the image; `split` a category column; `keep` ranks the splits, strongest first: of twins in two
    splits the one in the stronger stays.  A split is matched by its start ("train" is "train_1", "train_10", too).
    `label` names the column in which twins of one split have to agree; those that do not are dropped, as nobody
    knows which is right (in the strongest split they stay: a test set is not ours to mend).  `found` counts
    everything.  Twins are told by digest: same type, shape and values.
    """

    column: str
    split: str
    keep: tuple[str, ...] = ("test", "val", "train")
    label: str | None = None

    def reads(self) -> tuple[str, ...]:
        return (self.column, self.split, *((self.label,) if self.label else ()))

    def fleetwide(self) -> bool:
        """Twins are found across machines."""
        return True

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        tables = {name.partition(".")[0] for name in self.reads()}
        if len(tables) > 1:
            yield errors.Problem(
                "split", "image, split and label are not of one table", "name columns of one table"
            )
        if len(self.keep) < 2:
            yield errors.Problem(
                "keep", f"{self.keep!r} ranks nothing", "name at least two splits, strongest first"
            )
        if page is not None and page.data.columns().get(self.column, "image") != "image":
            yield errors.Problem("column", f"{self.column!r} is no image", "name a column declared as image")

    def clean(self, name: str, rows: Rows) -> Rows:
        """Return the table's rows without weaker twins and contradictions."""
        if name != self.column.partition(".")[0]:
            return rows
        weaker, conflicting = self._marks(rows)
        dropped = weaker | conflicting
        return rows.take(~dropped) if dropped.any() else rows

    def found(self, name: str, rows: Rows) -> Iterator[stage.Finding]:
        """Yield how many rows were twins of a stronger split, by split, and in how many groups labels differ."""
        import numpy as np

        if name != self.column.partition(".")[0]:
            return
        digests, rank = self._digests(rows), self._rank(rows)
        best = self._best(digests, rank)
        for strong in range(len(self.keep)):
            for weak in range(strong + 1, len(self.keep)):
                count = int(
                    np.sum((rank == weak) & (best == strong))
                )  # a row counts once, by its strongest twin
                why = f"{self.keep[weak]} rows with a twin in {self.keep[strong]}, dropped"
                yield stage.Finding("Twins", self.column, float(count), 0.0, count == 0, why)
        groups = self._conflicts(rows, digests)
        if self.label:
            why = "groups of one image with different labels, dropped outside " + self.keep[0]
            yield stage.Finding("Twins", self.label, float(len(groups)), 0.0, not groups, why)

    def _marks(self, rows: Rows) -> tuple[Flags, Flags]:
        """Return (rows with a twin in a stronger split, rows whose twins have other labels)."""
        import numpy as np

        digests, rank = self._digests(rows), self._rank(rows)
        weaker = self._best(digests, rank) < rank
        conflicts = self._conflicts(rows, digests)
        conflicting = (
            np.isin(digests, list(conflicts)) & (rank > 0) if conflicts else np.zeros(len(rows), dtype=bool)
        )
        return weaker, conflicting

    def _best(self, digests: Array, rank: Array) -> Array:
        """Return the rank of the strongest split in which a row's image stands; a missing image stands alone."""
        import numpy as np

        _, group = np.unique(digests, return_inverse=True)
        best = np.full(group.max(initial=-1) + 1, len(self.keep))
        np.minimum.at(best, group, rank)
        found: Array = np.where(digests == "", rank, best[group])
        return found

    def _conflicts(self, rows: Rows, digests: Array) -> set[str]:
        """Return the digests of images that carry more than one label."""
        if not self.label:
            return set()
        words = rows.words(self.label.partition(".")[2])
        first: dict[str, int] = {}
        out = set()
        for digest, code in zip(digests.tolist(), words.codes.tolist(), strict=True):
            if digest and code >= 0 and first.setdefault(digest, code) != code:
                out.add(digest)
        return out

    def _digests(self, rows: Rows) -> Array:
        digests: Array = rows.columns[self.column.partition(".")[2]].digests  # type: ignore[union-attr]
        return digests

    def _rank(self, rows: Rows) -> Array:
        import numpy as np

        words = rows.words(self.split.partition(".")[2])
        places = [
            next((i for i, k in enumerate(self.keep) if label.startswith(k)), len(self.keep))
            for label in words.labels
        ]
        return np.array([*places, len(self.keep)], dtype=np.int64)[words.codes]
