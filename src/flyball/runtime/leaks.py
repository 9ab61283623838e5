"""Looks for what cannot be known: features that look ahead, and columns that hold the answer to a later question.

Why: a leak wins every contest, passes every gate, and fails on the first day in the fleet.  Where a simulation knows
the truth, its ceiling tells; these checks need none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flyball import data, errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.runtime import build

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats
    from flyball.system import System

#: So many machines and moments are looked at again.
MACHINES, INSTANTS = 20, 12
#: Values that differ by less than this share of the larger one are the same sum taken in another order.
SAME = 1e-6
#: A single column that ranks this well (area under the ROC curve), with so many of either answer, holds the answer.
PERFECT, EACH = 0.999, 20


def ahead(
    page: System, x: features.Matrix, read: Callable[[], data.Tables], absent: Mapping[str, str]
) -> int:  # fmt: skip
    """Compute some questions again from the rows that were seen by then; return how many were compared.

    Raises LeakError naming the column when a value differs: it, or a cleaner before it, used what came later.  A page
    without a clock has no later, and is not looked at.
    """
    import numpy as np

    if page.data.clock is None or not len(x):
        return 0
    some = _spread(np.unique(x.moments.codes), MACHINES)
    names = {x.moments.keys[code] for code in some.tolist()}
    chosen = np.flatnonzero(np.isin(x.moments.codes, some))
    tables = {name: _machines(rows, None if _fleetwide(page) else names) for name, rows in read().items()}
    compared = 0
    for at in _spread(np.unique(x.moments.at[chosen]), INSTANTS).tolist():
        then = x.take(chosen[x.moments.at[chosen] == at])
        known = {name: rows.take(rows.seen <= at) for name, rows in tables.items()}
        again = page.features.compute(build.joined(page, build.cleaned(page, known)), then.moments, absent)
        for name, column in then.columns.items():
            _refuse(page, name, then.moments, column, again.columns.get(name))
        compared += len(then)
    return compared


def alone(page: System, x: features.Matrix, y: labels.Answers) -> None:
    """Raise LeakError when a single column tells the answer to a question about the future without fail.

    Looks at rows to learn from only.  An answer that is given now (a class of an image) may well be plain to see.
    """
    import numpy as np

    if not isinstance(page.labels.kind(), labels.Probability) or page.labels.horizon() == 0:
        return
    event = y.value > 0.5
    if min(int(event.sum()), int((~event).sum())) < EACH:
        return
    for name, column in x.columns.items():
        values = _ranked(column, y.value)
        if values is None:
            continue
        for missing in (-np.inf, np.inf):
            area = _area(np.where(np.isnan(values), missing, values), event)
            area = max(area, 1 - area)
            if area > PERFECT:
                raise errors.LeakError(
                    f"{page.name}: column {name!r} alone tells the {int(event.sum())} events of {len(event)} rows "
                    f"to learn from (area under the ROC curve {area:.4f}): it knows the future. See when what "
                    f"it reads ({_reads(page, name)}) is really known, and take it off the page or mend its `seen`"
                )


def _reads(page: System, name: str) -> str:
    return next(
        (", ".join(feature.reads()) for feature in page.features.columns if name in feature.names()), name
    )


def _fleetwide(page: System) -> bool:
    return any(cleaner.fleetwide() for cleaner in page.data.clean)


def _machines(rows: data.Rows, names: set[str] | None) -> data.Rows:
    """Return the rows of some machines (None: of all), the others with no rows."""
    import numpy as np

    if names is None:
        return rows
    wanted = np.array([key in names for key in rows.keys], dtype=bool)
    return rows.take(np.repeat(wanted, np.diff(rows.starts)))


def _spread(values: Any, most: int) -> Any:
    """Return at most so many of the values, evenly spread."""
    import numpy as np

    return values if len(values) <= most else values[np.linspace(0, len(values) - 1, most).astype(np.int64)]


def _refuse(page: System, name: str, moments: features.Moments, was: Any, now: Any) -> None:
    import numpy as np

    if isinstance(was, data.Words):
        was, now = (
            np.array(was.texts(), dtype=object),
            None if now is None else np.array(now.texts(), dtype=object),
        )
        wrong = range(len(was)) if now is None else np.flatnonzero(was != now)
    elif isinstance(was, np.ndarray):
        wrong = range(len(was)) if now is None else _apart(was, now)
    else:
        return
    if len(wrong):
        row = int(wrong[0])
        then = "nothing" if now is None else repr(_plain(now[row]))
        raise errors.LeakError(
            f"{page.name}: column {name!r} of {moments.names()[row]} at {_told(page, int(moments.at[row]))} is "
            f"{_plain(was[row])!r}, but {then} from the rows seen by then: the feature, or a cleaner before it, looks "
            f"ahead. Let it use only rows with `seen` at or before the moment"
        )


def _apart(was: Array, now: Array) -> Any:
    import numpy as np

    a, b = was.reshape(len(was), -1).astype(np.float64), now.reshape(len(now), -1).astype(np.float64)
    size = np.nanmax(np.abs(a), axis=0, initial=1e-12)
    same = (np.abs(a - b) <= SAME * size) | (np.isnan(a) & np.isnan(b)) | (a == b)
    return np.flatnonzero(~same.all(axis=1))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value


def _told(page: System, at: int) -> str:
    wall = isinstance(page.data.clock, data.WallClock)
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d %H:%M}" if wall else f"step {at}"


def _ranked(column: Any, value: Floats) -> Floats | None:
    """Return one number per row to rank by; None for a column that is no single value, or of too many words."""
    import numpy as np

    if isinstance(column, data.Words):
        codes, count = np.unique(column.codes, return_inverse=True)
        if len(codes) > EACH:
            return None
        found: Floats = (np.bincount(count, value) / np.bincount(count))[count]
        return found
    return column.astype(np.float64) if isinstance(column, np.ndarray) and column.ndim == 1 else None


def _area(values: Floats, event: Any) -> float:
    """Return the area under the ROC curve, ties counted half."""
    import numpy as np

    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    rank = (last - (count - 1) / 2)[place.reshape(-1)]
    n, m = int(event.sum()), int((~event).sum())
    return float((rank[event].sum() - n * (n + 1) / 2) / (n * m))
