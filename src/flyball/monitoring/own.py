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
from collections.abc import Mapping
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
    judged = np.flatnonzero(many > 0)
    if len(judged) < LEAST_CELLS:
        return {}
    apart = (cells.stats[judged] - base[judged]) / np.sqrt(1 + 1 / many[judged])[:, None, None]
    least = np.array(LEAST)[None, :] * np.where(
        np.arange(4)[None, :] == cells_.LEVEL, np.array(usual)[:, None], 1.0
    )
    level = np.abs(_or_zero(_mean(cells.stats[:, :, cells_.LEVEL])))
    least[:, cells_.LEVEL] = np.maximum(least[:, cells_.LEVEL], 1e-9 * level + 1e-12)
    unit = np.maximum(_tail(np.abs(apart)), least)
    worst = largest(signed(apart / unit)).max(axis=1)
    baselines, settled = _last(cells, settle)
    fleet = np.array([_mean(cells.stats[mine]) for _, mine in cells_.runs(cells)])
    usually = _mean(fleet)
    between = np.maximum(np.sqrt(_or_zero(_mean((fleet - usually) ** 2))), unit)
    return {
        "unit": _rounded(unit),
        "tail": tail(worst),
        "cells": len(judged),
        "machines": {
            cells.keys[unit_]: {"windows": int(settled[unit_]), "mean": _rounded(baselines[unit_])}
            for unit_ in np.flatnonzero(settled >= settle).tolist()
        },
        "fleet": {"mean": _rounded(usually), "between": _rounded(between)},
    }


def judge(cells: cells_.Cells, kept: Mapping[str, Any], settle: int) -> tuple[Floats, Floats, Ints]:
    """Return how far each figure lies from its baseline (K, columns, 4), the baseline, and its number of windows (K,).

    The number is 0 where a cell is not judged, and -1 where a machine has no baseline yet and is held against the
    fleet's: there the distance is given in such units that `GROSS` of the fleet's spreads are one limit's worth.
    """
    import numpy as np

    unit = _array(kept["unit"])
    apart = np.full(cells.stats.shape, np.nan)
    base = np.full(cells.stats.shape, np.nan)
    many = np.zeros(len(cells.unit), dtype=np.int64)
    for machine, mine in cells_.runs(cells):
        known = kept["machines"].get(cells.keys[machine])
        if known is not None and cells.part[mine[0]] == 0:
            base[mine], many[mine] = _array(known["mean"])[None], known["windows"]
            continue
        young, rest = mine[:settle], mine[settle:]
        base[young], many[young] = _array(kept["fleet"]["mean"])[None], -1
        if len(rest):
            base[rest], many[rest] = _mean(cells.stats[young])[None], len(young)
    own, fleet = many > 0, many < 0
    if own.any():
        apart[own] = (cells.stats[own] - base[own]) / unit / np.sqrt(1 + 1 / many[own])[:, None, None]
    if fleet.any():
        apart[fleet] = (cells.stats[fleet] - base[fleet]) / _array(kept["fleet"]["between"])
    return signed(apart), base, many


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
    """Return the mean of each cell's run without it and its neighbours, and of how many cells; 0 where too few."""
    import numpy as np

    base, many = np.full(cells.stats.shape, np.nan), np.zeros(len(cells.unit))
    for _, mine in cells_.runs(cells):
        n = len(mine)
        if n < settle + 1:
            continue
        values = cells.stats[mine]
        near = 1 if n >= settle + 3 else 0
        filled, there = _or_zero(values), ~np.isnan(values)
        total, counted = filled.sum(axis=0), there.sum(axis=0)
        for place in range(n):
            left = slice(max(0, place - near), place + near + 1)
            kept = counted - there[left].sum(axis=0)
            with np.errstate(invalid="ignore", divide="ignore"):
                base[mine[place]] = np.where(kept > 0, (total - filled[left].sum(axis=0)) / kept, np.nan)
            many[mine[place]] = n - (min(n, left.stop) - left.start)
    return base, many


def _last(cells: cells_.Cells, settle: int) -> tuple[Floats, Ints]:
    """Return every machine's last baseline (machines, columns, 4), and of how many windows; 0 where of too few."""
    import numpy as np

    base = np.full((len(cells.keys), *cells.stats.shape[1:]), np.nan)
    many = np.zeros(len(cells.keys), dtype=np.int64)
    newest = np.full(len(cells.keys), -1)
    np.maximum.at(newest, cells.unit, cells.part)
    for machine, mine in cells_.runs(cells):
        if cells.part[mine[0]] == newest[machine] and len(mine) >= settle:
            base[machine], many[machine] = _mean(cells.stats[mine]), len(mine)
    return base, many


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
