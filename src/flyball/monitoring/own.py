"""Every machine against itself: how far its windows lie from its own baseline, and the limit that holds the budget.

A machine's baseline is the mean of its windows since its last reset (maintenance, software, recipe).  What windows in
which nothing happened look like is learned from the reference, block by block: every window of every machine against
a baseline made as it will be when it is watched.  A block is a whole window, so the autocorrelation inside it is
kept.  Each figure of each column is measured in its own tail's unit (`_tail`), so that a rare event does not blind the
rest; the largest over all of them is judged (max-T), and beyond what the reference holds its tail goes on as an
exponential (peaks over a threshold).  Units are learned from other machines than those they judge (`_folds`), and the
newest windows are judged together as well (`_slow`).

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
LEAST = (0.02, 0.05, 0.4, 0.03)
#: Where a machine has no baseline of its own yet, only what no machine of the fleet ever looked like is told.
GROSS = 8.0
#: With fewer machines, or fewer windows of the reference, the fleet as a whole is not judged by how it moves together.
LEAST_MACHINES, LEAST_WINDOWS, MOST = 3, 20, 4.0
#: A baseline that began anew grows to so many windows.
GROWN = 8
#: The reference is judged in so many folds, each in units that were learned from the others.
FOLDS = 5
#: So many windows are also judged as one: what is too small to be seen in one, but lasts, adds up.
SLOW = 4
#: What begins anew at a reset (level, spread, ties), and what lasts (missing).
OWN, LASTING = slice(0, cells_.MISSING), slice(cells_.MISSING, None)
#: The body of the distribution is kept at these shares above.
SHARES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)


def learn(cells: cells_.Cells, usual: list[float], settle: int) -> dict[str, Any]:
    """Return what is kept: units of all figures, the tail of the largest, every machine's baseline; plain JSON."""
    import numpy as np

    base, many = _others(cells, settle)
    judged = np.flatnonzero(many[:, 1] > 0)
    if len(judged) < LEAST_CELLS:
        return {}
    apart, slow = (figures[judged] for figures in (_apart(cells.stats, base, many), _slow(cells, settle, {})))
    column = np.array(usual)[:, None]
    least = np.array(LEAST)[None, :] * np.where(np.arange(4)[None, :] == cells_.LEVEL, column, 1.0)
    level = np.abs(_or_zero(_mean(cells.stats[:, :, cells_.LEVEL])))
    least[:, cells_.LEVEL] = np.maximum(least[:, cells_.LEVEL], 1e-9 * level + 1e-12)
    unit, slowly = (np.maximum(_tail(np.abs(figures)), least) for figures in (apart, slow))
    # In units of other machines: what a unit was learned from never lies as far out as what comes.
    far = np.array(apart)
    for mine in _folds(cells.unit[judged]):
        far[mine] = _further(
            *(part[mine] / np.maximum(_tail(np.abs(part[~mine])), least) for part in (apart, slow))
        )
    each = {unit_: _baseline(cells, mine, settle) for unit_, mine in cells_.machines(cells)}
    runs = np.array(
        [_mean(cells.stats[run]) for _, mine in cells_.machines(cells) for run in cells_.runs(cells, mine)]
    )
    usually = _mean(runs)
    between = np.hypot(_tail(np.abs(runs - usually)), unit)
    figures = np.full(cells.stats.shape, np.nan)
    figures[judged] = signed(apart / unit)
    return {
        "together": _learn_together(cells, figures),
        "unit": _rounded(unit),
        "slow": _rounded(slowly),
        "tail": tail(largest(signed(far)).max(axis=1)),
        "cells": len(judged),
        "machines": {
            cells.keys[unit_]: {"windows": [found[1], found[2]], "mean": _rounded(found[0])}
            for unit_, found in each.items()
        },
        "fleet": {"mean": _rounded(usually), "between": _rounded(between)},
    }


def _folds(unit: Ints) -> list[Array]:
    """Return which cells are of one fold, for each: folds of machines, or of times where there are fewer."""
    import numpy as np

    _, number = np.unique(unit, return_inverse=True)
    few = number.max() + 1 < FOLDS
    fold = np.arange(len(unit)) * FOLDS // len(unit) if few else number % FOLDS
    return [fold == one for one in range(FOLDS)]


def judge(cells: cells_.Cells, kept: Mapping[str, Any], settle: int) -> tuple[Floats, Floats, Floats, Ints]:
    """Return how far each figure lies from its baseline, or the newest windows from those before, how far the one
    window, the baseline (K, columns, 4 each), and its windows (K, 2).

    The first number is that of the baseline since the last reset, the second that of what a reset leaves as it is; 0
    where there is none and nothing is judged, -1 where the machine has none of its own yet and is held against the
    fleet's, in the fleet's units.
    """
    import numpy as np

    base = np.full(cells.stats.shape, np.nan)
    many = np.zeros((len(cells.unit), 2), dtype=np.int64)
    for machine, mine in cells_.machines(cells):
        known = kept["machines"].get(cells.keys[machine])
        mean = _array(known["mean"]) if known else None
        base[mine, :, OWN], many[mine, 0] = _array(kept["fleet"]["mean"])[None, :, OWN], -1
        for number, run in enumerate(cells_.runs(cells, mine)):
            if mean is not None and known["windows"][0] and number == 0 and cells.part[run[0]] == 0:
                base[run, :, OWN], many[run, 0] = mean[None, :, OWN], known["windows"][0]
            elif len(run) > settle:
                base[run[settle:], :, OWN], many[run, 0] = _so_far(cells.stats[run, :, OWN], settle, -1)
        if mean is not None and known["windows"][1]:
            base[mine, :, LASTING], many[mine, 1] = mean[None, :, LASTING], known["windows"][1]
        elif len(mine) > settle:
            base[mine[settle:], :, LASTING] = _mean(cells.stats[mine[:settle], :, LASTING])[None]
            many[mine[settle:], 1] = settle
    apart = _apart(cells.stats, base, many) / _array(kept["unit"])
    # What was learned before windows were judged together is judged one by one.
    before = {
        unit: (_array(one["mean"]), one["windows"][0])
        for unit, key in enumerate(cells.keys)
        if (one := kept["machines"].get(key)) and one["windows"][0]
    }
    slow = _slow(cells, settle, before) / (_array(kept["slow"]) if "slow" in kept else math.inf)
    young = many[:, 0] < 0
    between = _array(kept["fleet"]["between"])
    apart[young, :, OWN] = (cells.stats[young, :, OWN] - base[young, :, OWN]) / between[:, OWN]
    return signed(_further(apart, slow)), signed(apart), base, many


def _slow(cells: cells_.Cells, settle: int, before: Mapping[int, tuple[Floats, int]]) -> Floats:
    """Return how far the newest `SLOW` windows since a reset lie from the `GROWN` before them, (K, columns, 4).

    Of level and spread, NaN elsewhere, and where fewer than two lie on the one side or than `settle` on the other; as
    if what lies before were known (a moving sum: Bauer and Hackl, Technometrics 20, 1978).  It is held against what
    lies just before, not against a baseline of long ago: what the seasons move in a year is no fault.

    `before` {unit: (baseline, of so many windows)} stands for what a machine showed before its first cell.
    """
    import numpy as np

    slow = slice(cells_.LEVEL, cells_.SPREAD + 1)
    out = np.full(cells.stats.shape, np.nan)
    for unit, mine in cells_.machines(cells):
        for run in cells_.runs(cells, mine):
            mean, many = before.get(unit, (None, 0)) if cells.part[run[0]] == 0 else (None, 0)
            pad = min(many, GROWN)
            values = cells.stats[run][:, :, slow]
            if mean is not None:
                values = np.concatenate([np.repeat(mean[None, :, slow], pad, axis=0), values])
            total, count = (
                np.concatenate([np.zeros((1, *part.shape[1:])), np.cumsum(part, axis=0)])
                for part in (_or_zero(values), np.isfinite(values).astype(np.float64))
            )
            stop = np.arange(len(run)) + pad + 1
            start = np.maximum(stop - SLOW, pad)
            first = np.maximum(start - GROWN, 0)
            late, n = (part[stop] - part[start] for part in (total, count))
            early, m = (part[start] - part[first] for part in (total, count))
            with np.errstate(invalid="ignore", divide="ignore"):
                apart = (late / n - early / m) / np.sqrt(1 / n + 1 / m)
            out[run, :, slow] = np.where((n > 1) & (m >= settle) & np.isfinite(values[pad:]), apart, np.nan)
    return out


def _further(apart: Floats, slow: Floats) -> Floats:
    """Return the distance of one window, or of the newest together where that is larger."""
    import numpy as np

    return np.where(np.nan_to_num(np.abs(slow)) > np.nan_to_num(np.abs(apart)), slow, apart)


def together(cells: cells_.Cells, figures: Floats) -> dict[int, Floats]:
    """Return by window how far the machines moved together (columns, 4): the sum of their figures over the root of N.

    One machine counts for no more than `MOST`, so that a broken one is no change of the fleet.  Windows in which fewer
    than `LEAST_MACHINES` are judged are left out.
    """
    import numpy as np

    out = {}
    bounded = np.clip(figures, -MOST, MOST)
    for window in np.unique(cells.window).tolist():
        here = bounded[cells.window == window]
        there = np.isfinite(here).any(axis=(1, 2))
        if there.sum() >= LEAST_MACHINES:
            count = np.maximum(np.isfinite(here).sum(axis=0), 1)
            out[window] = _or_zero(here).sum(axis=0) / np.sqrt(count)
    return out


def _learn_together(cells: cells_.Cells, figures: Floats) -> dict[str, Any]:
    import numpy as np

    found = together(cells, figures)
    if len(found) < LEAST_WINDOWS:
        return {}
    moved = np.array(list(found.values()))
    middle = moved.mean(axis=0)
    # Machines that move each for itself give 1; what moves them all at once in the reference too gives more.
    unit = np.maximum(_tail(np.abs(moved - middle)), 1.0)
    return {
        "mean": _rounded(middle),
        "unit": _rounded(unit),
        "cells": len(found),
        "tail": tail(largest((moved - middle) / unit).max(axis=1)),
    }


def judge_together(cells: cells_.Cells, figures: Floats, kept: Mapping[str, Any]) -> dict[int, Floats]:
    """Return by window how far the fleet moved, (columns, 4), in units of the reference's windows."""
    middle, unit = _array(kept["mean"]), _array(kept["unit"])
    return {window: (moved - middle) / unit for window, moved in together(cells, figures).items()}


def _apart(stats: Floats, base: Floats, many: Any) -> Floats:
    """Return the distances, each as if its baseline were known: one of few windows is unsure itself.

    More than `GROWN` windows are worth no more: none of the reference's were, and slow movements do not average out.
    """
    import numpy as np

    windows = np.stack([np.clip(many[:, 0], 1, GROWN), np.maximum(many[:, 1], 1)], axis=1)
    unsure = np.sqrt(1 + 1 / windows)[:, None, [0, 0, 0, 1]]
    return np.asarray((stats - base) / unsure)


def limit(kept: Mapping[str, Any], share: float) -> float:
    """Return the figure that the largest of a window in which nothing happened exceeds with probability `share`.

    Of few windows beyond it the share itself is unsure: it is held a standard error less.
    """
    import numpy as np

    if not kept:
        return math.inf
    told = kept["tail"]
    share /= 1 + 1 / math.sqrt(max(kept["cells"] * share, 1.0))
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
    >>> 2.0 < told["scale"] < 3.0, round(told["share"], 3)
    (True, 0.01)
    """
    import numpy as np

    n = len(worst)
    many = max(min(n // 4, 10), n // 100)
    order = np.sort(worst)[::-1]
    start = float(order[many])
    # An estimate from so few is itself unsure: two standard errors on top keep the budget rather than the power.
    scale = float(np.mean(order[:many] - start)) * (1 + 2 / math.sqrt(many))
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
    """Return each cell's baseline, never with itself in it, and of how many windows it is (K, 2), 0: too few."""
    import numpy as np

    base, many = np.full(cells.stats.shape, np.nan), np.zeros((len(cells.unit), 2))
    for _, mine in cells_.machines(cells):
        for run in cells_.runs(cells, mine):
            if len(run) > settle:
                base[run[settle:], :, OWN], many[run, 0] = _so_far(cells.stats[run, :, OWN], settle, 0)
        base[mine, :, LASTING], many[mine, 1] = _left(cells.stats[mine, :, LASTING], settle)
    return base, many


def _so_far(values: Floats, settle: int, none: int) -> tuple[Floats, Ints]:
    """Return the baseline of each of a run's n cells from `settle` on, and of how many windows each of all n is.

    It grows to `GROWN` windows, the one just before left out: what rises slowly must not hide in it.  The same in the
    reference as in what is watched: a baseline that lies back differs more than one from all around.
    """
    import numpy as np

    held = np.clip(np.arange(settle, len(values)) - 1, settle, GROWN)
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.cumsum(_or_zero(values), axis=0) / np.cumsum(there, axis=0)
    return mean[held - 1], np.concatenate([np.full(settle, none), held])


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


def _baseline(cells: cells_.Cells, mine: Ints, settle: int) -> tuple[Floats, int, int]:
    """Return a machine's last baseline (columns, 4), its windows, and those of what lasts; 0: too few."""
    import numpy as np

    base = _mean(cells.stats[mine])
    *_, last = (np.array([], dtype=np.int64), *cells_.runs(cells, mine))
    settled = len(last) >= settle and cells.part[last[-1]] == cells.part[mine[-1]]
    base[:, OWN] = _mean(cells.stats[last])[:, OWN] if settled else np.nan
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
