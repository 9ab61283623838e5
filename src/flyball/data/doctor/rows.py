"""Rows that are the same, or nearly, within a table and across its splits.

Nearly: numbers agree to four significant digits in all columns but at most one in fifty (and at least one).  Two such
rows agree on at least one of the interleaved parts of their columns, so that comparing parts finds every pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import likeness

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Array

DIGITS = 4
#: One column in so many may differ; at most so many in all.
SHARE, AT_MOST = 50, 7
#: Of a larger table so many rows are compared for near twins; of fewer columns nothing is said.
ROWS, COLUMNS = 60_000, 5
#: Where fewer of the rows than this differ in content, rows repeat by nature.
TELLING = 0.5


def repeated(frame: pl.DataFrame) -> int:
    """Return how many rows repeat an earlier one in every column.

    >>> import polars as pl
    >>> repeated(pl.DataFrame({"a": [1, 1, 2], "b": ["x", "x", "x"]}))
    1
    """
    return frame.height - frame.hash_rows(seed=1).n_unique()


def twins(
    frame: pl.DataFrame, content: Sequence[str], splits: Sequence[str], truth: str | None = None,
    alone: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Return how rows repeat in the columns of their content, within and across splits ("" for none of each).

    `natural` is True where they repeat because there is little to tell them apart, or because they follow one another
    on one machine (not `alone`) and no split parts them: then nothing is judged.  With a `truth`, `contradict` counts
    the groups of equal rows of which it says different things.
    """
    import numpy as np

    told: dict[str, Any] = {"columns": len(content), "natural": True, "repeated": 0, "across": []}
    if len(content) < 2 or not frame.height:
        return told
    hashed = frame.select(content).hash_rows(seed=1)
    digests, different = hashed.to_numpy(), hashed.n_unique()
    told["repeated"] = frame.height - different
    told["natural"] = different < TELLING * frame.height or not (alone or any(splits))
    empty = np.asarray(frame.select(content).fill_nan(None).select(_all_missing()).to_series().to_numpy())
    if told["natural"]:
        return told
    names = np.where(empty, "", digests.astype(str))
    told |= likeness.compare(names.tolist(), splits)
    if truth is not None and alone:
        told["contradict"] = _contradictions(digests, _hashed(frame, [truth]))
    if len(content) >= COLUMNS:
        told["near"] = _near(frame.select(content), digests, splits)
    return told


def _all_missing() -> Any:
    import polars as pl

    return pl.all_horizontal(pl.all().is_null())


def _hashed(frame: pl.DataFrame, names: Sequence[str]) -> Array:
    found: Array = frame.select(names).hash_rows(seed=1).to_numpy()
    return found


def _contradictions(digests: Array, truths: Array) -> int:
    import numpy as np

    pairs = np.unique(np.stack([digests, truths], axis=1), axis=0)
    _, counts = np.unique(pairs[:, 0], return_counts=True)
    return int((counts > 1).sum())


def _near(frame: pl.DataFrame, digests: Array, splits: Sequence[str]) -> dict[str, Any]:
    """Return pairs of different rows that nearly agree, each content once for every split."""
    import numpy as np

    rows = min(frame.height, ROWS)
    frame, digests, splits = frame.head(rows), digests[:rows], splits[:rows]
    most = min(AT_MOST, max(1, frame.width // SHARE))
    values = _coarse(frame)
    seen: dict[tuple[int, int], list[int]] = {}
    found: set[tuple[int, int]] = set()
    known: set[tuple[int, str]] = set()
    parts = np.stack([_mixed(values[:, part :: most + 1]) for part in range(most + 1)], axis=1).tolist()
    crowded = 0
    for place in range(rows):
        own = (int(digests[place]), splits[place])
        if own in known:
            continue
        known.add(own)
        tried: set[int] = set()
        for part, mixed in enumerate(parts[place]):
            others = seen.setdefault((part, mixed), [])
            crowded += len(others) >= likeness.CROWD
            tried.update(others[-likeness.CROWD :])
            others.append(place)
        for other in tried:
            unlike = int(np.count_nonzero(values[other] != values[place]))
            if unlike <= most and digests[other] != digests[place]:
                found.add((other, place))
    told = likeness._near(sorted(found), splits) | {"at_most": most, "digits": DIGITS}
    if crowded:
        told["crowded"] = crowded
    if rows == ROWS:
        told["sampled"] = f"among the first {ROWS} rows"
    return told


def _coarse(frame: pl.DataFrame) -> Array:
    """Return (n, columns) codes that are equal where cells are, to so many significant digits."""
    import numpy as np

    out = np.empty((frame.height, frame.width), np.int64)
    for place, column in enumerate(frame.get_columns()):
        if column.dtype.is_numeric():
            values = column.cast(float).fill_null(float("nan")).to_numpy()
            with np.errstate(all="ignore"):
                size = np.floor(np.log10(np.abs(values)))
                scale = np.power(10.0, DIGITS - 1 - np.where(np.isfinite(size), size, 0.0))
                coarse = np.where(np.isfinite(values), np.round(values * scale) / scale, values)
            out[:, place] = np.unique(coarse, return_inverse=True)[1]
        else:
            out[:, place] = column.hash(seed=5).to_numpy().astype(np.int64)
    return out


def _mixed(values: Array) -> Array:
    """Return (n,) one number per row of codes; equal rows give equal numbers."""
    import numpy as np

    mixed = np.zeros(len(values), np.uint64)
    with np.errstate(over="ignore"):
        for place in range(values.shape[1]):
            mixed = (mixed ^ values[:, place].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
    return mixed
