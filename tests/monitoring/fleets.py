"""Small fleets of autocorrelated columns, every machine with a level of its own."""

import numpy as np

from flyball import units
from flyball.features import stage as features
from flyball.monitoring import bins, cells
from flyball.monitoring import standard as standard_

DAY = int(units.DAY)


def walk(machines, days, columns, seed, rho=0.9):
    """(machines, days, columns): AR(1) with correlation rho from day to day, around each machine's own level."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 2, (machines, columns))
    now = rng.normal(0, 1 / np.sqrt(1 - rho**2), (machines, columns))
    out = np.empty((machines, days, columns))
    for day in range(days):
        now = rho * now + rng.normal(0, 1, now.shape)
        out[:, day] = level + now
    return out


def matrix(values, first=0, more=None):
    """Values (machines, days, columns) as what the model sees, one moment a day from day `first` on."""
    machines, days, columns = values.shape
    codes = np.repeat(np.arange(machines, dtype=np.int32), days)
    at = np.tile((np.arange(days) + first) * DAY, machines)
    moments = features.Moments(tuple(f"m{i:03d}" for i in range(machines)), codes, at)
    return features.Matrix(
        moments, {f"c{i}": values[:, :, i].reshape(-1) for i in range(columns)} | (more or {})
    )


def standard(x, resets=None, left=None, weeks=2):
    """What is told of the columns (of those that are `left`, when given), in windows of so many weeks."""
    found = bins.watched(x, None)
    told = {name: bins.describe(values) for name, values in found.items()}
    usual = cells.scales(found)
    window = (x.moments.at.max() - x.moments.at) // int(units.WEEK * weeks)
    there = found if left is None else {name: found[name] for name in left}
    cut = cells.of(there, told, usual, x.moments, window, resets or {})
    return standard_.Standard.of(there, told, usual, cut)


def bent(machines, days, seed):
    """Two columns, of which the second follows the square of the first: a relation that is not straight."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(machines, days))
    return np.stack([first, first**2 + 0.3 * rng.normal(size=(machines, days))], axis=2)
