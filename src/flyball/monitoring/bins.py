"""Columns in bins: deciles of the reference, categories, and a last bin for what is missing or new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball import data

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints
    from flyball.features import stage as features

#: What follows a column's name where the share of its missing (or, of a category, new) values is watched.
MISSING = ": missing"
#: What follows it where its relation to the others is.
RELATION = ": relation"
#: What follows a table's name where its machines' clocks are: how long after its time a row came in.
CLOCK = ": clock"
BINS = 10
MOST_CATEGORIES = 100
#: Where the quantiles lie of which the Wasserstein distance is made; the middle one is the median.
GRID = tuple((place + 0.5) / 33 for place in range(33))
#: Added to every share before a logarithm is taken, so that an empty bin stays finite.
FLOOR = 1e-4


def bare(name: str) -> str:
    """Return the column that a watched name is of.

    >>> bare("dose"), bare("dose: missing"), bare("dose: relation"), bare("telemetry: clock")
    ('dose', 'dose', 'dose', 'telemetry')
    """
    return name.removesuffix(MISSING).removesuffix(RELATION).removesuffix(CLOCK)


def watched(x: features.Matrix, answers: Array | None) -> dict[str, Any]:
    """Return every column that can be watched: numbers, categories, and the answer (if any) as one number a row."""
    import numpy as np

    found: dict[str, Any] = {}
    for name, column in x.columns.items():
        if isinstance(column, data.Words) or (isinstance(column, np.ndarray) and column.ndim == 1):
            found[name] = column
    if answers is None:
        return found
    if answers.ndim == 2:
        # A quantity comes as value, low, high: its value; classes as probabilities: how certain it is.
        quantity = answers.shape[1] == 3 and bool(np.any(answers < 0) or np.any(answers.sum(axis=1) > 1.001))
        answers = answers[:, 0] if quantity else answers.max(axis=1)
    found["answer"] = answers
    return found


def describe(values: Any) -> dict[str, Any]:
    """Return the bins of a column and the share of its rows in each; the last bin is "missing or new".

    >>> import numpy as np
    >>> describe(np.array([1.0, 1.0, 1.0, np.nan]))["shares"]  # below 1, exactly 1, above 1, missing
    [0.0, 0.75, 0.0, 0.25]
    """
    import numpy as np

    if isinstance(values, data.Words):
        counts = np.bincount(values.codes[values.codes >= 0], minlength=len(values.labels))
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_CATEGORIES])
        told: dict[str, Any] = {"kind": "category", "labels": [values.labels[place] for place in kept]}
        shares = np.append(counts[kept], len(values) - counts[kept].sum())
    else:
        finite = values[np.isfinite(values)].astype(np.float64)
        told = {"kind": "number", "edges": _edges(finite)}
        told["median"] = float(np.median(finite)) if len(finite) else None
        told["grid"] = np.quantile(finite, GRID).tolist() if len(finite) else []
        shares = np.bincount(codes(told, values), minlength=len(told["edges"]) + 2)
    told["shares"] = (shares / max(len(values), 1)).tolist()
    return told


def _edges(finite: Floats) -> list[float]:
    """Return where bins begin: the deciles, and right above a value that many rows have, so that it stands alone."""
    import numpy as np

    if not len(finite):
        return []
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, BINS + 1)[1:-1]))
    alone = [edge for edge in edges.tolist() if np.mean(finite == edge) > 0.5 / BINS]
    return sorted({*edges.tolist(), *np.nextafter(alone, np.inf).tolist()})


def codes(told: Mapping[str, Any], values: Any) -> Ints:
    """Return the bin of every value; what is missing, infinite or an unknown category is in the last one."""
    import numpy as np

    if told["kind"] == "category":
        if not isinstance(values, data.Words):
            return np.full(len(values), len(told["labels"]), dtype=np.int64)
        found = values.relabel(tuple(told["labels"])).codes.astype(np.int64)
        return np.where(found < 0, len(told["labels"]), found)
    if isinstance(values, data.Words):
        return np.full(len(values), len(told["edges"]) + 1, dtype=np.int64)
    place = np.searchsorted(np.array(told["edges"]), values, side="right").astype(np.int64)
    return np.where(np.isfinite(values), place, len(told["edges"]) + 1)


def parted(shares: Floats) -> tuple[Floats, Floats]:
    """Return rows of shares (..., bins) as those of the values that are there, and (there, missing or new).

    Watched apart: a few per cent of missing values would drown in the usual movement of a sensor.

    >>> import numpy as np
    >>> [part.tolist() for part in parted(np.array([0.25, 0.25, 0.5]))]
    [[0.5, 0.5], [0.5, 0.5]]
    """
    import numpy as np

    there = shares[..., :-1].sum(axis=-1, keepdims=True)
    values = np.divide(shares[..., :-1], there, out=np.zeros_like(shares[..., :-1]), where=there > 0)
    return values, np.concatenate([there, shares[..., -1:]], axis=-1)


def stability(reference: Floats, current: Floats) -> Floats:
    """Return the population stability index of rows of shares (..., bins) against those of a reference.

    >>> import numpy as np
    >>> float(stability(np.array([0.5, 0.5]), np.array([0.5, 0.5])))
    0.0
    """
    import numpy as np

    p, q = reference + FLOOR, current + FLOOR
    p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))


def divergences(reference: Floats, current: Floats) -> dict[str, float]:
    """Return psi, kl, js and ks between two rows of shares over the same ordered bins.

    >>> import numpy as np
    >>> same = divergences(np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    >>> {name: round(value, 6) for name, value in same.items()}
    {'psi': 0.0, 'kl': 0.0, 'js': 0.0, 'ks': 0.0}
    """
    import numpy as np

    p, q = reference + FLOOR, current + FLOOR
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return {
        "psi": float(((q - p) * np.log(q / p)).sum()),
        "kl": float((q * np.log(q / p)).sum()),
        "js": float((p * np.log(p / middle)).sum() / 2 + (q * np.log(q / middle)).sum() / 2),
        "ks": float(np.abs(np.cumsum(q - p)).max()),
    }
