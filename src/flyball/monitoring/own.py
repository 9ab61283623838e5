"""Every machine against itself: how far its windows lie from its own baseline, and the limit that holds the budget.

A machine's baseline is the mean of its windows since its last reset (maintenance, software, recipe).  What windows in
which nothing happened look like is learned from the reference, block by block: every window of every machine against
that machine's others, its neighbours in time left out.  A block is a whole window, so the autocorrelation inside it is
kept.  Each figure of each column is measured in its own tail's unit (`_tail`), so that a rare event does not blind the
rest; the largest over all of them is judged (max-T), and beyond what the reference holds its tail goes on as an
exponential (peaks over a threshold).

Source: Künsch, Annals of Statistics 17 (1989), for blocks; Westfall and Young, Resampling-Based Multiple Testing,
1993, for max-T; Pickands, Annals of Statistics 3 (1975), for peaks over a threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball.monitoring import cells as cells_

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints

#: With fewer windows of all machines together than this nobody knows what usual is: nothing is judged.
LEAST_CELLS = 24
#: The least unit: of a level, as a share of the column's usual spread; of the others as they are.
LEAST = (0.02, 0.05, 0.03, 0.05)
#: Where a machine has no baseline of its own yet, only what no machine of the fleet ever looked like is told.
GROSS = 8.0
#: The body of the distribution is kept at these shares above.
SHARES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)


def learn(cells: cells_.Cells, usual: list[float], settle: int) -> dict[str, Any]:
    """Return what is kept: units of all figures, the tail of the largest, every machine's baseline; plain JSON."""
    import numpy as np

    base, many = _others(cells, settle)
    judged = np.flatnonzero(many[:, 1] > 0)
    if len(judged) < LEAST_CELLS:
        return {}
    apart = _apart(cells.stats, base, many)[judged]
    column = np.array(usual)[:, None]
    least = np.array(LEAST)[None, :] * np.where(np.arange(4)[None, :] == cells_.LEVEL, column, 1.0)
    level = np.abs(_or_zero(_mean(cells.stats[:, :, cells_.LEVEL])))
    least[:, cells_.LEVEL] = np.maximum(least[:, cells_.LEVEL], 1e-9 * level + 1e-12)
    unit = np.maximum(_tail(np.abs(apart)), least)
    each = {unit_: _baseline(cells, mine, settle) for unit_, mine in cells_.machines(cells)}
    levels = np.array(
        [base[:, cells_.LEVEL] for _, mine in cells_.machines(cells) for base in _levels(cells, mine)]
    )
    usually = _mean(levels)
    between = np.maximum(np.sqrt(_or_zero(_mean((levels - usually) ** 2))), unit[:, cells_.LEVEL])
    return {
        "unit": _rounded(unit),
        "tail": tail(largest(signed(apart / unit)).max(axis=1)),
        "cells": len(judged),
        "machines": {
            cells.keys[unit_]: {"windows": [found[1], found[2]], "mean": _rounded(found[0])}
            for unit_, found in each.items()
        },
        "fleet": {"mean": _rounded(usually), "between": _rounded(between)},
    }


def judge(cells: cells_.Cells, kept: Mapping[str, Any], settle: int) -> tuple[Floats, Floats, Ints]:
    """Return how far each figure lies from its baseline (K, columns, 4), the baseline, and its windows (K, 2).

    The first number is that of the level's baseline, the second that of the others'; 0 where there is none and nothing
    is judged, -1 where a level has none of its own yet and is held against the fleet's, in the fleet's spreads.
    """
    import numpy as np

    base = np.full(cells.stats.shape, np.nan)
    many = np.zeros((len(cells.unit), 2), dtype=np.int64)
    for machine, mine in cells_.machines(cells):
        known = kept["machines"].get(cells.keys[machine])
        mean = _array(known["mean"]) if known else None
        base[mine, :, cells_.LEVEL], many[mine, 0] = _array(kept["fleet"]["mean"])[None], -1
        for number, run in enumerate(cells_.runs(cells, mine)):
            if mean is not None and known["windows"][0] and number == 0 and cells.part[run[0]] == 0:
                base[run, :, cells_.LEVEL], many[run, 0] = mean[None, :, cells_.LEVEL], known["windows"][0]
            elif len(run) > settle:
                rest = run[settle:]
                base[rest, :, cells_.LEVEL] = _mean(cells.stats[run[:settle], :, cells_.LEVEL])[None]
                many[rest, 0] = settle
        if mean is not None and known["windows"][1]:
            base[mine, :, 1:], many[mine, 1] = mean[None, :, 1:], known["windows"][1]
        elif len(mine) > settle:
            base[mine[settle:], :, 1:] = _mean(cells.stats[mine[:settle], :, 1:])[None]
            many[mine[settle:], 1] = settle
    apart = _apart(cells.stats, base, many) / _array(kept["unit"])
    young = many[:, 0] < 0
    between = _array(kept["fleet"]["between"])
    apart[young, :, cells_.LEVEL] = (
        cells.stats[young, :, cells_.LEVEL] - base[young, :, cells_.LEVEL]
    ) / between
    return signed(apart), base, many


def _apart(stats: Floats, base: Floats, many: Any) -> Floats:
    """Return the distances, each as if its baseline were known: one of few windows is unsure itself."""
    import numpy as np

    unsure = np.sqrt(1 + 1 / np.maximum(many, 1))[:, None, [0, 1, 1, 1]]
    return np.asarray((stats - base) / unsure)


def limit(kept: Mapping[str, Any], share: float) -> float:
    """Return the figure that the largest of a window in which nothing happened exceeds with probability `share`."""
    import numpy as np

    if not kept:
        return math.inf
    told = kept["tail"]
    if share >= told["share"]:
        return float(np.interp(math.log(share), np.log(SHARES[::-1]), told["quantiles"][::-1]))
    return float(told["from"] + told["scale"] * math.log(told["share"] / share))


def chance(kept: Mapping[str, Any], figure: float) -> float:
    """Return the probability that the largest figure of such a window is as large as that."""
    import numpy as np

    told = kept["tail"]
    if figure < told["from"]:
        return float(np.exp(np.interp(figure, told["quantiles"], np.log(SHARES))))
    return float(told["share"] * math.exp(-min((figure - told["from"]) / told["scale"], 700.0)))


def tail(worst: Floats) -> dict[str, Any]:
    """Return some figures' distribution: `quantiles` at `SHARES`, and the tail.

    Above `from`, the tenth largest (or the largest hundredth, where these are more), lies the `share` of them; the
    excess has the mean `scale`.

    >>> import numpy as np
    >>> told = tail(np.random.default_rng(0).exponential(2.0, 10_000))
    >>> 1.5 < told["scale"] < 2.5, round(told["share"], 3)
    (True, 0.01)
    """
    import numpy as np

    n = len(worst)
    many = max(min(n // 4, 10), n // 100)
    order = np.sort(worst)[::-1]
    start = float(order[many])
    # An estimate from so few is itself unsure: a standard error on top keeps the budget rather than the power.
    scale = float(np.mean(order[:many] - start)) * (1 + 1 / math.sqrt(many))
    return {
        "from": start,
        "share": many / (n + 1),
        "scale": max(scale, 0.05),
        "quantiles": np.quantile(worst, 1 - np.array(SHARES), method="higher").tolist(),
    }


def signed(apart: Floats) -> Floats:
    """Return the same with less than usual of ties and of missing values as nothing: less is no fault."""
    import numpy as np

    out = np.array(apart)
    out[..., cells_.TIES : cells_.MISSING + 1] = np.maximum(out[..., cells_.TIES : cells_.MISSING + 1], 0.0)
    return out


def largest(apart: Floats) -> Floats:
    """Return the largest figure of each column, whatever its sign, (K, columns); nothing told is nothing found."""
    import numpy as np

    return np.asarray(np.nan_to_num(np.abs(apart), nan=0.0, posinf=1e300).max(axis=2))


def _tail(figures: Floats) -> Floats:
    """Return the unit of each figure: the largest of its quantiles, each as a multiple of a normal one's.

    That of a normal figure is its standard deviation; a heavy tail makes it larger, so that what is rare but usual
    in one column is no reason for a wider limit in the others.
    """
    import statistics

    import numpy as np

    n = len(figures)
    shares = [share for share in (0.68, 0.9, 0.97, 0.99, 0.997) if (1 - share) * n >= 3]
    filled = _or_zero(figures)
    out = np.zeros(figures.shape[1:])
    for share, value in zip(shares, np.quantile(filled, shares, axis=0) if shares else (), strict=True):
        out = np.maximum(out, value / statistics.NormalDist().inv_cdf((1 + share) / 2))
    return out


def _others(cells: cells_.Cells, settle: int) -> tuple[Floats, Floats]:
    """Return the mean of each cell's baseline without it and its neighbours; its windows (K, 2), 0: too few."""
    import numpy as np

    base, many = np.full(cells.stats.shape, np.nan), np.zeros((len(cells.unit), 2))
    for _, mine in cells_.machines(cells):
        for run in cells_.runs(cells, mine):
            base[run, :, :1], many[run, 0] = _left(cells.stats[run, :, :1], settle)
        base[mine, :, 1:], many[mine, 1] = _left(cells.stats[mine, :, 1:], settle)
    return base, many


def _left(values: Floats, settle: int) -> tuple[Floats, Floats]:
    """Return for each of n cells the mean of the others, its neighbours left out, and of how many that is."""
    import numpy as np

    n = len(values)
    if n < settle + 1:
        return np.full(values.shape, np.nan), np.zeros(n)
    near = 1 if n >= settle + 3 else 0
    filled, there = _or_zero(values), np.isfinite(values).astype(np.float64)
    kept, counted = (part.sum(axis=0) - _near(part, near) for part in (filled, there))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(counted > 0, kept / counted, np.nan)
    return mean, n - _near(np.ones(n), near)


def _near(values: Floats, near: int) -> Floats:
    import numpy as np

    out = np.array(values)
    if near:
        out[1:] += values[:-1]
        out[:-1] += values[1:]
    return out


def _levels(cells: cells_.Cells, mine: Ints) -> Iterator[Floats]:
    for run in cells_.runs(cells, mine):
        yield _mean(cells.stats[run])


def _baseline(cells: cells_.Cells, mine: Ints, settle: int) -> tuple[Floats, int, int]:
    """Return a machine's last baseline (columns, 4), and the windows of its level and of the rest, 0 where too few."""
    import numpy as np

    base = _mean(cells.stats[mine])
    *_, last = (np.array([], dtype=np.int64), *cells_.runs(cells, mine))
    settled = len(last) >= settle and cells.part[last[-1]] == cells.part[mine[-1]]
    base[:, cells_.LEVEL] = _mean(cells.stats[last])[:, cells_.LEVEL] if settled else np.nan
    return base, len(last) if settled else 0, len(mine) if len(mine) >= settle else 0


def _mean(values: Floats) -> Floats:
    import numpy as np

    there = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            np.where(there.any(axis=0), _or_zero(values).sum(axis=0) / there.sum(axis=0), np.nan)
        )


def _or_zero(values: Floats) -> Floats:
    import numpy as np

    return np.asarray(np.where(np.isfinite(values), values, 0.0))


def _rounded(values: Floats) -> list[Any]:
    """Return nested lists with seven digits, None for NaN: JSON that travels."""
    import numpy as np

    flat = [float(f"{value:.7g}") if math.isfinite(value) else None for value in np.ravel(values).tolist()]
    rows = np.array(flat, dtype=object).reshape(np.shape(values))
    return list(rows.tolist())


def _array(told: Any) -> Array:
    import numpy as np

    return np.array(told, dtype=np.float64)
