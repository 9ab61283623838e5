"""The one table that tells every piece of injected mess: what, where, from when until when, how much.

`kind`; `site` and `machine` (empty: a whole site, or the whole fleet); `channel` (empty: all of the row); `start` and
`end` in hours of true time, end not included, and equal where a single row is meant; `magnitude`, whose unit is the
kind's; `note`, what a number cannot say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.fab import fleet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Table = dict[str, NDArray[Any]]

COLUMNS = ("kind", "site", "machine", "channel", "start", "end", "magnitude", "note")


def table(
    fab: fleet.Fab, kind: ArrayLike, *, start: ArrayLike, end: ArrayLike, magnitude: ArrayLike = float("nan"),
    machine: ArrayLike | None = None, site: ArrayLike | None = None, channel: ArrayLike = "", note: ArrayLike = "",
) -> Table:  # fmt: skip
    """Return rows of truth; what is one value holds for all rows.

    `machine` and `site` are indexes: a machine's site is known, a site alone means all its machines, neither the fleet.

    >>> one = table(fleet.Fab("tiny"), "drift", machine=[1], channel="jitter", start=[2.0], end=[9.0], magnitude=3.0)
    >>> [one[name][0].item() for name in COLUMNS]
    ['drift', 'B', 'B-001', 'jitter', 2.0, 9.0, 3.0, '']
    """
    import numpy as np

    plan = fleet.plan(fab)
    letters = np.array([chr(ord("A") + number) for number in range(fab.size().sites)])
    names: NDArray[Any] = np.array("")
    if machine is not None:
        machine = np.asarray(machine, dtype=np.int64)
        names, site = np.array(plan.names)[machine], plan.site[machine]
    where = np.array("") if site is None else letters[np.asarray(site, dtype=np.int64)]
    given = (kind, where, names, channel, start, end, magnitude, note)
    parts = np.broadcast_arrays(*(np.atleast_1d(np.asarray(part)) for part in given))
    kinds = (str, str, str, str, float, float, float, str)
    return {name: part.astype(as_) for name, part, as_ in zip(COLUMNS, parts, kinds, strict=True)}


def join(tables: Sequence[Table]) -> Table:
    """Return tables of truth as one, sorted by start, the kinds of one moment by name.

    >>> join([])["kind"].tolist()
    []
    """
    import numpy as np

    empty = dict.fromkeys(COLUMNS, np.array([], dtype=np.str_)) | dict.fromkeys(
        ("start", "end", "magnitude"), np.array([])
    )
    whole = {name: np.concatenate([one[name] for one in (empty, *tables)]) for name in COLUMNS}
    order = np.lexsort((whole["channel"], whole["machine"], whole["kind"], whole["start"]))
    return {name: column[order] for name, column in whole.items()}
