"""Columns that know the truth: one that tells it nearly alone on rows it was not fitted on, or is there only with it.

A column is cut into bins (a category into its values), each bin answers with the share of the truth that it had in one
half of the rows, and the answers are judged on the other half.  The halves share no machine where machines are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import roles

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Codes, Flags, Floats, Ints

#: A column whose ranking is right this often knows too much.
ALONE = 0.98
#: With fewer events in a half nothing is judged.
EVENTS = 10
BINS = 32
#: Rows without the event beyond this many are thinned: they all say the same.
ROWS = 60_000
CLASSES = 12
#: Halves are drawn from it: no seed by which anybody would have made the rows.
SEED = 0x1788_F1BA


def find(
    frame: pl.DataFrame, truth: str, columns: Sequence[str], machines: Codes | None = None
) -> list[dict[str, Any]]:
    """Return the columns that tell the truth nearly alone, with the figure and the reason; the surest first.

    >>> import numpy as np, polars as pl
    >>> rng = np.random.default_rng(0)
    >>> y = rng.random(400) < 0.3
    >>> frame = pl.DataFrame({"y": y, "noise": rng.random(400), "knows": y + 0.1 * rng.random(400)})
    >>> [told["column"] for told in find(frame, "y", ["noise", "knows"])]
    ['knows']
    """
    import numpy as np

    classes, codes = _codes(frame[truth])
    keep, half = _halves(codes, classes, machines)
    usable = [
        code for code in range(len(classes))
        if min(np.sum(keep & half & (codes == code)), np.sum(keep & ~half & (codes == code))) >= EVENTS
    ][:CLASSES]  # fmt: skip
    if len(classes) == 2:  # one is what the other is not: both must be there often enough
        usable = [int(np.argmin(np.bincount(codes[codes >= 0])))] if len(usable) == 2 else []
    out = []
    for name in columns if usable else []:
        column = frame[name]
        bins = _bins(column, half & keep)
        score = _mean([_auc_of(bins, codes == code, keep, half) for code in usable])
        why = f"it ranks {truth!r} right {score:.3f} of the time on rows it was not fitted on"
        missing = (column.fill_nan(None) if column.dtype.is_float() else column).is_null().to_numpy()
        absent = _mean([_auc_of(missing.astype(np.int64), codes == code, keep, half) for code in usable])
        if absent >= ALONE:
            why = f"it is filled in only where {truth!r} is told apart: known after the event"
        if max(score, absent) >= ALONE:
            out.append({"column": name, "figure": max(score, absent), "why": why})
    return sorted(out, key=lambda told: -float(told["figure"]))


def order(frame: pl.DataFrame, truth: str, at: Ints | None = None) -> list[dict[str, Any]]:
    """Return whether the order of the rows, or their time `at` (n,), tells the truth, as where rows are sorted by it.

    >>> import polars as pl
    >>> [told["column"] for told in order(pl.DataFrame({"y": [0] * 300 + [1] * 100}), "y")]
    ['(the order of its rows)']
    """
    import numpy as np
    import polars as pl

    out = []
    known = [
        ("(the order of its rows)", np.arange(frame.height)),
        *([("(its time)", at)] if at is not None else []),
    ]
    for name, values in known:
        for told in find(pl.DataFrame({truth: frame[truth], name: values}), truth, [name]):
            by = "rows are sorted by it, or each value has its own time"
            out.append(told | {"why": f"alone it tells {truth!r} ({told['figure']:.3f}): {by}"})
    return out


def judged(frame: pl.DataFrame, truth: str) -> str:
    """Return why nothing can be said about leaks into a truth, "" where it can."""
    import numpy as np

    classes, codes = _codes(frame[truth])
    counts = np.bincount(codes[codes >= 0], minlength=len(classes))
    enough = int((counts >= 2 * EVENTS).sum())
    if enough >= (1 if len(classes) == 2 and counts.min() >= 2 * EVENTS else 2):
        return ""
    return f"too few rows of each value of {truth!r} to tell a leak ({2 * EVENTS} are needed)"


def later(columns: Sequence[Mapping[str, Any]], truth: str | None) -> list[dict[str, Any]]:
    """Return columns whose names say that they are written down after the event."""
    return [
        {
            "column": told["name"],
            "figure": None,
            "why": "its name says that it is written down after the event",
        }
        for told in columns
        if told["name"] != truth and roles.AFTER.search(roles.plain(str(told["name"])))
    ]


def _codes(column: pl.Series) -> tuple[list[str], Ints]:
    import numpy as np
    import polars as pl

    texts = column.cast(pl.String)
    classes = texts.drop_nulls().unique().sort().to_list()
    place = {text: code for code, text in enumerate(classes)}
    codes = texts.replace_strict(place, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
    return classes, np.asarray(codes)


def _halves(codes: Ints, classes: Sequence[str], machines: Codes | None) -> tuple[Flags, Flags]:
    """Return (rows that are looked at, rows that are fitted on); drawn with a fixed seed."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    n = len(codes)
    if machines is None or len(np.unique(machines)) < 10:
        half = rng.random(n) < 0.5
    else:
        half = (rng.random(int(machines.max()) + 2) < 0.5)[machines]
    keep = codes >= 0
    counts = np.bincount(codes[keep], minlength=len(classes)).astype(float)
    share = np.minimum(1.0, ROWS / np.maximum(counts, 1))
    return keep & (rng.random(n) < share[np.maximum(codes, 0)]), half


def _bins(column: pl.Series, fitted: Flags) -> Ints:
    """Return (n,) the bin of every row, 0 for what is missing; quantiles of the fitted half for numbers."""
    import numpy as np
    import polars as pl

    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        values: Floats = column.cast(float).fill_null(float("nan")).to_numpy()
        known = values[fitted & np.isfinite(values)]
        if len(different := np.unique(known)) <= 2 * BINS:
            return np.where(np.isnan(values), 0, np.searchsorted(different, values) + 1).astype(np.int64)
        edges = (
            np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
        )
        bins = np.searchsorted(edges, values, side="left") + 1
        return np.where(np.isnan(values), 0, bins).astype(np.int64)
    texts = column.cast(pl.String, strict=False)
    found = np.asarray(texts.rank("dense").fill_null(0).to_numpy())
    return found.astype(np.int64)


def _auc_of(bins: Ints, hit: Flags, keep: Flags, half: Flags) -> float:
    """Return the area under the curve of the bins' shares, fitted on one half and judged on the other."""
    import numpy as np

    fit, judge = keep & half, keep & ~half
    many = int(bins.max()) + 1
    rate = float(hit[fit].mean()) if fit.any() else 0.0
    events = np.bincount(bins[fit], hit[fit].astype(float), minlength=many)
    share = (events + rate) / (np.bincount(bins[fit], minlength=many) + 1.0)
    return area(share[bins[judge]], hit[judge])


def area(score: Floats, hit: Flags) -> float:
    """Return the chance that an event scores above another row, ties counting half; 0.5 where there is none.

    >>> import numpy as np
    >>> area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    import numpy as np

    yes, no = int(hit.sum()), int((~hit).sum())
    if not yes or not no:
        return 0.5
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[hit].sum() - yes * (yes + 1) / 2) / (yes * no))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
