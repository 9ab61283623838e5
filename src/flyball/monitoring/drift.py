"""Data drift inside a budget of false alarms: every column and the answer, in windows, against the training rows.

Sensor series are autocorrelated and machines differ from one another, so the textbook bands of the population
stability index (.1, .2) alarm on most weeks in which nothing happened.  Here the limit comes from the training rows
themselves: windows drawn by a block bootstrap (whole machines, contiguous spans of time) give the statistic's null
distribution over all columns at once, and the limit is set where the declared number of false alarms is met.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import data, errors, units
from flyball.features import stage as features
from flyball.monitoring import stage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.data.stage import Array

BINS = 10
RESAMPLES = 400
MOST_BLOCKS = 20_000
MOST_CATEGORIES = 100
#: Added to every share before a logarithm is taken, so that an empty bin stays finite.
FLOOR = 1e-4


class Drift(stage.DriftDetector):
    """Compare each window `over` with the training rows, with at most `false_alarms` episodes `per` period.

    The judged statistic is the population stability index over deciles of the reference (and a bin for missing
    values); the Kullback-Leibler and Jensen-Shannon divergences, the Kolmogorov-Smirnov distance over the bins and
    the shift of the median are shown beside it.

    Source of the statistic: Siddiqi, Credit Risk Scorecards, 2006; of the bootstrap: Künsch, Annals of Statistics
    17 (1989).

    >>> Drift(over=units.days(7), false_alarms=2, per=units.YEAR).share()  # of windows that may alarm for nothing
    0.03835616438356164
    """

    over: units.Duration | units.Count
    false_alarms: float = 2.0
    per: units.Duration | units.Count = units.YEAR

    def share(self) -> float:
        """Return the share of windows that may alarm although nothing happened."""
        return self.false_alarms * int(self.over) / int(self.per)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.over <= 0:
            yield errors.Problem("over", f"{self.over!r} is no window", "give a positive span")
        elif not 0 < self.share() <= 0.5:
            what = f"{self.share():.2f} of the windows may alarm for nothing"
            yield errors.Problem("false_alarms", what, "give fewer, per a longer period")

    def reference(self, x: features.Matrix, answers: Array, seed: int) -> stage.Reference:
        import numpy as np

        columns = {name: _describe(values) for name, values in _watched(x, answers).items()}
        codes = {name: _codes(columns[name], values) for name, values in _watched(x, answers).items()}
        block, span = _blocks(x.moments, int(self.over))
        null = _null(codes, columns, block, span, seed)
        settings: dict[str, Any] = {"columns": columns, "limit": 0.0, "scale": {}}
        if null is not None and len(null):
            # One limit for all columns: each is scaled by its own typical null value, and the largest is judged.
            scale = np.maximum(np.median(null, axis=0), 1e-9)
            worst = (null / scale).max(axis=1)
            settings["limit"] = float(np.quantile(worst, 1 - self.share()))
            settings["scale"] = dict(zip(columns, scale.tolist(), strict=True))
        return stage.Reference("drift", settings)

    def watch(self, reference: stage.Reference, x: features.Matrix, answers: Array) -> tuple[stage.Watched, ...]:
        import numpy as np

        columns: Mapping[str, Any] = reference.settings["columns"]
        found = _watched(x, answers)
        if len(x) == 0:
            return ()
        over, out = int(self.over), []
        last = int(x.moments.at.max())
        window = (last - x.moments.at) // over
        for number in range(int(window.max()), -1, -1):
            rows = np.flatnonzero(window == number)
            if len(rows) == 0:
                continue
            until = last - number * over
            for name, told in columns.items():
                if name in found:
                    here = found[name][rows]
                    limit = reference.settings["limit"] * reference.settings["scale"].get(name, math.inf)
                    out.append(_judge(name, told, here, (until - over, until, len(rows)), limit))
        return tuple(out)


def _judge(name: str, told: Mapping[str, Any], values: Any, when: tuple[int, int, int], limit: float) -> stage.Watched:
    import numpy as np

    shares = np.bincount(_codes(told, values), minlength=len(told["shares"])) / max(len(values), 1)
    shown = divergences(np.array(told["shares"]), shares)
    if told["kind"] == "number" and len(values):
        finite = values[np.isfinite(values)]
        shown["median_shift"] = float(np.median(finite) - told["median"]) if len(finite) else math.nan
    psi = shown["psi"]
    return stage.Watched(name, when[0], when[1], when[2], psi, limit, shown, bool(limit > 0 and psi > limit))


def divergences(reference: npt.NDArray[np.float64], current: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return psi, kl, js and ks between two rows of shares over the same ordered bins.

    >>> import numpy as np
    >>> same = divergences(np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    >>> {name: round(value, 6) for name, value in same.items()}
    {'psi': 0.0, 'kl': 0.0, 'js': 0.0, 'ks': 0.0}
    """
    import numpy as np

    p, q = (shares + FLOOR for shares in (reference, current))
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return {
        "psi": float(((q - p) * np.log(q / p)).sum()),
        "kl": float((q * np.log(q / p)).sum()),
        "js": float((p * np.log(p / middle)).sum() / 2 + (q * np.log(q / middle)).sum() / 2),
        "ks": float(np.abs(np.cumsum(q - p)).max()),
    }


def _watched(x: features.Matrix, answers: Array) -> dict[str, Any]:
    """Return every column that can be watched: numbers and categories, and the answer (or its largest entry)."""
    import numpy as np

    found: dict[str, Any] = {}
    for name, column in x.columns.items():
        if isinstance(column, data.Words) or (isinstance(column, np.ndarray) and column.ndim == 1):
            found[name] = column
    found["answer"] = answers if answers.ndim == 1 else answers[:, 0] if answers.shape[1] == 3 else answers.max(axis=1)
    return found


def _describe(values: Any) -> dict[str, Any]:
    """Return the bins of a column and the share of reference rows in each; the last bin is "missing or new"."""
    import numpy as np

    if isinstance(values, data.Words):
        counts = np.bincount(values.codes[values.codes >= 0], minlength=len(values.labels))
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_CATEGORIES])
        told: dict[str, Any] = {"kind": "category", "labels": [values.labels[place] for place in kept]}
        shares = np.append(counts[kept], len(values) - counts[kept].sum())
    else:
        finite = values[np.isfinite(values)].astype(np.float64)
        quantiles = np.quantile(finite, np.linspace(0, 1, BINS + 1)[1:-1]) if len(finite) else np.array([])
        told = {"kind": "number", "edges": np.unique(quantiles).tolist()}
        told["median"] = float(np.median(finite)) if len(finite) else math.nan
        shares = np.bincount(_codes(told, values), minlength=len(told["edges"]) + 2)
    told["shares"] = (shares / max(len(values), 1)).tolist()
    return told


def _codes(told: Mapping[str, Any], values: Any) -> npt.NDArray[np.int64]:
    """Return the bin of every value."""
    import numpy as np

    if told["kind"] == "category":
        codes = values.relabel(tuple(told["labels"])).codes.astype(np.int64)
        return np.where(codes < 0, len(told["labels"]), codes)
    bins = np.searchsorted(np.array(told["edges"]), values, side="right").astype(np.int64)
    return np.where(np.isfinite(values), bins, len(told["edges"]) + 1)


def _blocks(moments: features.Moments, over: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return the block (machine, window) of every row, and how many machines a usual window holds."""
    import numpy as np

    window = (moments.at - (moments.at.min() if len(moments) else 0)) // over
    pair = moments.codes.astype(np.int64) * (int(window.max(initial=0)) + 1) + window
    _, block = np.unique(pair, return_inverse=True)
    machines = [len(np.unique(moments.codes[window == w])) for w in np.unique(window)]
    return block, int(np.median(machines)) if machines else 0


def _null(
    codes: Mapping[str, npt.NDArray[np.int64]], columns: Mapping[str, Any], block: npt.NDArray[np.int64], span: int, seed: int
) -> npt.NDArray[np.float64] | None:  # fmt: skip
    """Return the statistic of every column in windows drawn from the reference itself, (resamples, columns)."""
    import numpy as np

    blocks = int(block.max(initial=-1)) + 1
    if blocks < 2 or span == 0:
        return None
    rng = np.random.default_rng(seed)
    if blocks > MOST_BLOCKS:
        kept = np.sort(rng.choice(blocks, MOST_BLOCKS, replace=False))
        place = np.full(blocks, -1)
        place[kept] = np.arange(MOST_BLOCKS)
        rows = np.flatnonzero(place[block] >= 0)
        block, blocks = place[block[rows]], MOST_BLOCKS
        codes = {name: values[rows] for name, values in codes.items()}
    draws = np.zeros((RESAMPLES, blocks), dtype=np.float32)
    for row in draws:
        row += np.bincount(rng.integers(0, blocks, span), minlength=blocks)
    out = np.empty((RESAMPLES, len(columns)))
    for place_, (name, told) in enumerate(columns.items()):
        bins = len(told["shares"])
        per_block = np.bincount(block * bins + codes[name], minlength=blocks * bins).reshape(blocks, bins)
        windows = draws @ per_block.astype(np.float32)
        shares = windows / np.maximum(windows.sum(axis=1, keepdims=True), 1)
        reference = np.array(told["shares"])
        out[:, place_] = [divergences(reference, current)["psi"] for current in shares]
    return out
