"""Peaks of a whole series, one sample at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flyball.kernels.peaks import Interval, Rules

__all__ = ["find_peaks", "maxima", "stand_out", "width_at"]


def find_peaks(
    values: NDArray[np.float64], rules: Rules
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Return the peaks and their properties, rule after rule: see `flyball.kernels.find_peaks`.

    >>> import numpy as np
    >>> from flyball.kernels.peaks import Rules
    >>> find_peaks(np.array([0.0, 2.0, 2.0, 1.0, 3.0, 0.0]), Rules(height=(2.5, None)))
    (array([4]), {'peak_heights': array([3.])})
    """
    import numpy as np

    x = values.tolist()
    rows: list[dict[str, Any]] = [
        {"at": (left + right) // 2, "left_edges": left, "right_edges": right} for left, right in maxima(x)
    ]
    for row in rows:
        at = row["at"]
        row["plateau_sizes"] = row["right_edges"] - row["left_edges"] + 1
        row["peak_heights"] = x[at]
        row["left_thresholds"], row["right_thresholds"] = x[at] - x[at - 1], x[at] - x[at + 1]
    rows = [row for row in rows if holds(rules.plateau_size, row["plateau_sizes"], row["at"])]
    rows = [row for row in rows if holds(rules.height, row["peak_heights"], row["at"])]
    rows = [row for row in rows if threshold_holds(rules.threshold, row)]
    if rules.distance > 1:
        rows = _apart(rows, rules.distance)
    if rules.prominence is not None or rules.width is not None:
        for row in rows:
            row |= stand_out(x, row["at"], rules.half)
        rows = [row for row in rows if holds(rules.prominence, row["prominences"], row["at"])]
    if rules.width is not None:
        for row in rows:
            row |= width_at(x, row, rules.share)
        rows = [row for row in rows if holds(rules.width, row["widths"], row["at"])]
    made = {name: np.array([row[name] for row in rows], dtype) for name, dtype in rules.properties().items()}
    return np.array([row["at"] for row in rows], np.int64), made


def maxima(x: list[float]) -> list[tuple[int, int]]:
    """Return the first and last sample of every run with a smaller value on either side.

    >>> maxima([0.0, 1.0, 0.0, 2.0, 2.0, 1.0, 1.0])
    [(1, 1), (3, 4)]
    """
    found = []
    left = 0
    for i in range(1, len(x)):
        if x[i] == x[i - 1]:
            continue
        if left and x[left - 1] < x[left] and x[i] < x[left]:
            found.append((left, i - 1))
        left = i
    return found


def holds(interval: Interval | None, figure: float, at: int) -> bool:
    """Whether a figure lies within borders, which may be given for each sample."""
    if interval is None:
        return True
    low, high = (border if border is None or isinstance(border, float) else border[at] for border in interval)
    return bool((low is None or low <= figure) and (high is None or figure <= high))


def threshold_holds(interval: Interval | None, row: dict[str, Any]) -> bool:
    """Whether the smaller and the larger step to a neighbour lie within borders; NaN only where they are open."""
    if interval is None:
        return True
    steps = row["left_thresholds"], row["right_thresholds"]
    missing = any(step != step for step in steps)
    low, high = (float("nan"),) * 2 if missing else (min(steps), max(steps))
    return holds((interval[0], None), low, row["at"]) and holds((None, interval[1]), high, row["at"])


def _apart(rows: list[dict[str, Any]], distance: int) -> list[dict[str, Any]]:
    import numpy as np

    order = np.argsort(np.array([row["peak_heights"] for row in rows]))
    kept = [True] * len(rows)
    for j in order[::-1].tolist():
        if not kept[j]:
            continue
        for k in range(len(rows)):
            if k != j and abs(rows[k]["at"] - rows[j]["at"]) < distance:
                kept[k] = False
    return [row for row, keep in zip(rows, kept, strict=True) if keep]


def stand_out(x: list[float], at: int, half: int) -> dict[str, Any]:
    """Return prominence and bases: the lowest sample on each side before a higher one or the window's end."""
    first, last = (max(0, at - half), min(len(x) - 1, at + half)) if half else (0, len(x) - 1)
    left, right = _base(x, at, range(at - 1, first - 1, -1)), _base(x, at, range(at + 1, last + 1))
    return {"prominences": x[at] - max(x[left], x[right]), "left_bases": left, "right_bases": right}


def _base(x: list[float], at: int, walked: range) -> int:
    base = at
    for i in walked:
        if not x[i] <= x[at]:
            break
        if x[i] < x[base]:
            base = i
    return base


def width_at(x: list[float], row: dict[str, Any], share: float, origin: int = 0) -> dict[str, float]:
    """Return the width where `share` of the prominence lies above; `origin` is the first sample's number."""
    at = row["at"]
    height = x[at] - row["prominences"] * share
    i = at
    while i > row["left_bases"] and height < x[i]:
        i -= 1
    left = float(i + origin)
    if x[i] < height and x[i + 1] != x[i]:
        left += (height - x[i]) / (x[i + 1] - x[i])
    i = at
    while i < row["right_bases"] and height < x[i]:
        i += 1
    right = float(i + origin)
    if x[i] < height and x[i - 1] != x[i]:
        right -= (height - x[i]) / (x[i - 1] - x[i])
    return {"widths": right - left, "width_heights": height, "left_ips": left, "right_ips": right}
