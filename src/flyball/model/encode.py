"""Categories as numbers: their smoothed rate, one column per label, or their place by frequency."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays, inputs, machines
from flyball.model.stage import Packed, Step, Transform

if TYPE_CHECKING:
    from flyball.data.stage import Floats


class Encode(Step):
    """Replaces a category column by numbers learned from the training rows.

    `by` is one of

    - "rate": the mean answer of the label's rows (event rate, mean quantity), drawn toward the mean of all as if
      `prior` rows of it were there; None estimates that number from how far the labels lie apart (empirical Bayes
      by moments, Morris 1983).  `each` "machine" counts machines instead of rows: what share of a label's machines
      ever had the event.  `log` gives the logarithm.  Training rows get the rate of other folds' machines, so that
      none tells its own answer (`folds` 0: they do).  A label never seen gets the mean of all.
    - "onehot": one column per label, all 0 for one never seen.
    - "code": 0 for the most frequent label, 1 for the next, NaN for one never seen.

    >>> Encode("model", by="rate", prior=50)
    model.Encode('model', prior=50)
    """

    column: str
    by: str = "rate"
    prior: float | None = None
    each: str = "row"
    log: bool = False
    folds: int = 5

    def fit(self, x: features.Matrix, y: labels.Answers, seed: int) -> Transform:
        """Return the numbers of every label."""
        import numpy as np

        words = _words(x, self.column)
        texts = tuple(sorted({t for t in words.texts() if t is not None}))
        codes = words.relabel(texts).codes
        if self.by == "onehot":
            return Encoded(self.column, "onehot", texts, None)
        if self.by == "code":
            return Encoded(self.column, "code", texts, _places(codes, len(texts)))
        if self.by != "rate":
            raise errors.DeclarationError(f"Encode by {self.by!r}: one of rate, onehot, code")
        if self.each == "machine":
            codes, y = _by_machine(codes, x.moments, y)
        rates = _rates(codes, y, len(texts), self.prior)
        return Encoded(self.column, "rate", texts, np.log(np.maximum(rates, 1e-9)) if self.log else rates)

    def fit_apply(
        self, x: features.Matrix, y: labels.Answers, seed: int
    ) -> tuple[Transform, features.Matrix]:
        """Return the step fitted on all rows, and the training rows with rates from other machines only."""
        fitted = self.fit(x, y, seed)
        whole = fitted.apply(x)
        if self.by != "rate" or not self.folds:
            return fitted, whole
        there = {x.moments.keys[code] for code in set(x.moments.codes.tolist())}
        if len(there) < 2:
            return fitted, whole
        name = f"{self.column}.rate"
        out = whole.columns[name].copy()  # type: ignore[union-attr]
        for fold in machines.ByMachine(folds=min(self.folds, len(there)), seed=seed).split(x.moments, {}):
            inner = self.fit(x.take(fold.train), y.take(fold.train), seed)
            out[fold.test] = inner.apply(x.take(fold.test)).columns[name]
        return fitted, dataclasses.replace(x, columns={**whole.columns, name: out})

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.by not in ("rate", "onehot", "code"):
            yield errors.Problem("by", f"no encoding {self.by!r}", "one of rate, onehot, code")
        if self.each not in ("row", "machine"):
            yield errors.Problem("each", f"no {self.each!r} to count", "row or machine")
        if self.by == "rate" and isinstance(page.labels.kind(), labels.Classes):
            yield errors.Problem(
                "by", "a rate needs a probability or a quantity", "encode classes by onehot or code"
            )


class Encoded(Transform):
    """The numbers of every label; the last one is for a label never seen."""

    def __init__(self, column: str, by: str, texts: tuple[str, ...], numbers: Floats | None) -> None:
        self.column, self.by, self.texts, self.numbers = column, by, texts, numbers

    def apply(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix with the category replaced."""
        import numpy as np

        codes = _words(x, self.column).relabel(self.texts).codes
        made: Mapping[str, Any]
        if self.numbers is None:
            made = {
                f"{self.column}={text}": (codes == code).astype(float) for code, text in enumerate(self.texts)
            }
        else:
            made = {f"{self.column}.{self.by}": np.asarray(self.numbers[codes])}
        kept = {name: column for name, column in x.columns.items() if name != self.column}
        return dataclasses.replace(x, columns={**kept, **made})

    def pack(self) -> Packed:
        """Return the labels and their numbers."""
        files = {} if self.numbers is None else {"numbers.npy": arrays.dump(self.numbers)}
        return Packed("encode", {"column": self.column, "by": self.by, "texts": list(self.texts)}, files)

    @staticmethod
    def unpack(packed: Packed) -> Encoded:
        """Return the step that was packed."""
        told = packed.settings
        numbers = arrays.load(packed.files["numbers.npy"]) if packed.files else None
        return Encoded(told["column"], told["by"], tuple(told["texts"]), numbers)


def _words(x: features.Matrix, name: str) -> data.Words:
    import numpy as np

    column = inputs.pick(x, name)
    if name in x.stopped:
        return data.Words(np.full(len(x), -1, dtype=np.int32), ())
    if not isinstance(column, data.Words):
        raise errors.DataError(f"column {name!r} is no category: it cannot be encoded")
    return column


def _by_machine(codes: Any, moments: features.Moments, y: labels.Answers) -> tuple[Any, labels.Answers]:
    """Return one row per machine and label: its largest answer there."""
    import numpy as np

    pairs = codes.astype(np.int64) * (len(moments.keys) + 1) + moments.codes
    _, first, which = np.unique(pairs, return_index=True, return_inverse=True)
    most = np.full(len(first), -np.inf)
    np.maximum.at(most, which.reshape(-1), y.value)
    one = y.take(first)
    return codes[first], dataclasses.replace(one, value=most, weight=None)


def _places(codes: Any, size: int) -> Floats:
    """Return (size + 1,) the place of every label by falling frequency, NaN for one never seen."""
    import numpy as np

    count = np.bincount(codes[codes >= 0], minlength=size)
    places = np.empty(size + 1)
    places[np.argsort(-count, kind="stable")] = np.arange(size)
    places[size] = np.nan
    return places


def _rates(codes: Any, y: labels.Answers, size: int, prior: float | None) -> Floats:
    """Return (size + 1,) the smoothed mean answer of every label, the mean of all for one never seen."""
    import numpy as np

    heavy = np.ones(len(y)) if y.weight is None else y.weight
    mean = float(np.average(y.value, weights=heavy))
    known = codes >= 0
    count: Floats = np.bincount(codes[known], weights=heavy[known], minlength=size).astype(np.float64)
    total: Floats = np.bincount(codes[known], weights=(heavy * y.value)[known], minlength=size).astype(
        np.float64
    )
    if prior is None:
        prior = _between(count, total, mean, float(np.average((y.value - mean) ** 2, weights=heavy)))
    return np.append((total + prior * mean) / np.maximum(count + prior, 1e-300), mean)


def _between(count: Floats, total: Floats, mean: float, within: float) -> float:
    """Return how many rows of the whole to add: the spread of answers over the spread of true rates, by moments."""
    import numpy as np

    there = count > 0
    n, groups = float(count.sum()), int(there.sum())
    if groups < 2 or within <= 0:
        return 20.0
    apart = float(np.sum(count[there] * (total[there] / count[there] - mean) ** 2))
    spread = (apart - (groups - 1) * within) / max(n - float((count**2).sum()) / n, 1e-9)
    return float(np.clip(within / max(spread, 1e-12), 1.0, 1e6))
