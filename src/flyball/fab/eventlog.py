"""The events of a machine as its own log file has them: one line of text each.

A line is `TIME MACHINE LEVEL CODE TEXT`, apart by one space, ended by a line feed:

    2025-03-01T12:34:56.789Z A-001 WARN VA-2107 pump vibration 1.31 mm/s

Times are ISO 8601 in UTC with milliseconds; levels are those of `codes.LEVELS`; the text holds one number, and ends in
`[set]` or `[clear]` for alarms.  Where a site's collector stamps what it gets, its stamp stands first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import kernels
from flyball.fab import codes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: What `kernels.LogScan` reads it by: a machine's own log, and one that a collector has stamped.
LAYOUT = kernels.LogLayout(levels=tuple(codes.LEVELS.values()))
STAMPED = kernels.LogLayout(
    fields=("-", "timestamp", "machine", "level", "code", "text"), levels=tuple(codes.LEVELS.values())
)


def texts(columns: dict[str, NDArray[Any]]) -> list[str]:
    """Return the text of each event: the code's own with its number in it, `[set]` or `[clear]` for alarms.

    `columns` need `code`, `value` and `set_clear`, as `events.events` gives them.  Raises DataError for a code that no
    dictionary has.

    >>> import numpy as np
    >>> texts({"code": np.array(["SR-6A10"]), "value": np.array([2.613]), "set_clear": np.array(["set"])})
    ['dose outside limits by 2.61 % [set]']
    """
    import numpy as np

    said, place = np.unique(columns["code"], return_inverse=True)
    ends = {"": "", "set": " [set]", "clear": " [clear]"}
    forms = [codes.template(code).format for code in said.tolist()]
    rows = zip(place.tolist(), columns["value"].tolist(), columns["set_clear"].tolist(), strict=True)
    return [forms[code](value) + ends[state] for code, value, state in rows]


def levels(severity: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the level of each severity.

    >>> import numpy as np
    >>> levels(np.array(["W", "F"])).tolist()
    ['WARN', 'FATAL']
    """
    import numpy as np

    known, place = np.unique(severity, return_inverse=True)
    return np.array([codes.LEVELS[one] for one in known.tolist()], dtype=np.str_)[place]


def lines(columns: dict[str, NDArray[Any]]) -> bytes:
    r"""Return events as the bytes of a log, in the order given: a machine and a day, or any others.

    `columns` are those of `events.events` with `machine` as names and `at`, and `seen` where a collector stamps, in
    microseconds since the epoch.  Raises DataError for a code that no dictionary has.

    >>> import numpy as np
    >>> day = {"machine": np.array(["A-001"]), "at": np.array([1_740_832_496_789_000]), "code": np.array(["VA-2107"])}
    >>> day |= {"severity": np.array(["W"]), "set_clear": np.array([""]), "value": np.array([1.31])}
    >>> lines(day)
    b'2025-03-01T12:34:56.789Z A-001 WARN VA-2107 pump vibration 1.31 mm/s\n'
    """
    pieces = [_stamps(columns[name]) for name in ("seen", "at") if name in columns]
    pieces += [columns["machine"].tolist(), levels(columns["severity"]).tolist(), columns["code"].tolist()]
    rows = zip(*pieces, texts(columns), strict=True)
    return "".join([" ".join(row) + "\n" for row in rows]).encode("ascii")


def _stamps(at: NDArray[np.int64]) -> list[str]:
    import numpy as np

    moments: list[str] = np.datetime_as_string(
        at.astype("datetime64[us]"), unit="ms", timezone="UTC"
    ).tolist()
    return moments
