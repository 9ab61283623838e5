"""Peaks of a series, whole or as it arrives, by the rules of SciPy's `find_peaks`."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, TypeAlias

from flyball.kernels import backend, checks, reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Rules", "find_peaks"]

Border: TypeAlias = "float | NDArray[np.float64] | None"
Interval: TypeAlias = "tuple[Border, Border]"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What makes a peak, checked: borders as pairs, the distance in whole samples, the window's half."""

    plateau_size: Interval | None = None
    height: Interval | None = None
    threshold: Interval | None = None
    prominence: Interval | None = None
    width: Interval | None = None
    distance: int = 1
    half: int = 0
    share: float = 0.5

    def values(self) -> tuple[Any, ...]:
        """Return the fields in the order in which the C++ takes them."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    def properties(self) -> dict[str, str]:
        """Return the names of the properties that the rules ask for, in SciPy's order, and their dtypes."""
        walks = self.prominence is not None or self.width is not None
        asked = (
            (self.plateau_size is not None, "i8", ("plateau_sizes", "left_edges", "right_edges")),
            (self.height is not None, "f8", ("peak_heights",)),
            (self.threshold is not None, "f8", ("left_thresholds", "right_thresholds")),
            (walks, "f8", ("prominences",)),
            (walks, "i8", ("left_bases", "right_bases")),
            (self.width is not None, "f8", ("widths", "width_heights", "left_ips", "right_ips")),
        )
        return {name: dtype for wanted, dtype, names in asked if wanted for name in names}


def find_peaks(
    values: NDArray[Any],
    height: Any = None,
    threshold: Any = None,
    distance: float | None = None,
    prominence: Any = None,
    width: Any = None,
    wlen: float | None = None,
    rel_height: float = 0.5,
    plateau_size: Any = None,
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Return the peaks of a series and their properties, the same to the last bit as `scipy.signal.find_peaks`.

    A peak is a run of equal values with a smaller value on either side; its place is the run's middle,
    rounded down. What lies between faults in a vibration, current or pressure signal is mostly told by its
    peaks, and finding them must not cost more than reading the signal.

    `values` is float64 or float32 of shape (n,), or a Polars column; computed in float64, strided and
    read-only as well. Rules are applied in the order plateau_size, height, threshold, distance, prominence,
    width. Each but `distance` takes a smallest value, or a pair (smallest, largest) in which None is open;
    either border may be an array of shape (n,) that gives it for each sample. `distance` is in samples, at
    least 1: the highest peak takes the lower ones nearer than that with it; equal ones contend in the order
    of `numpy.argsort`, as in SciPy. `wlen` is the whole window in samples within which the prominence is
    taken; `rel_height` the share of the prominence below the top at which the width is taken.

    The result is the places, int64, and a dict with SciPy's names: plateau_sizes, left_edges, right_edges,
    peak_heights, left_thresholds, right_thresholds, prominences, left_bases, right_bases, widths,
    width_heights, left_ips, right_ips, as far as asked for ((None, None) asks for a property alone). NaN is
    no peak and stops a walk for a prominence. A prominence or width of 0 is no warning here.

    ValueError names the argument that is wrong. The rules are those of SciPy 1.17's documentation.

    >>> import numpy as np
    >>> places, told = find_peaks(np.array([0.0, 3.0, 1.0, 2.0, 0.0]), prominence=2)
    >>> places, told["prominences"]
    (array([1]), array([3.]))
    """
    series = checks.series("values", values)
    rules = take_rules(
        len(series), height, threshold, distance, prominence, width, wlen, rel_height, plateau_size
    )
    if backend.compiled is None:
        return reference.find_peaks(series, rules)
    import numpy as np

    places, made = backend.compiled.find_peaks(series, rules.values(), np.argsort)
    # The same integers under NumPy's own name for them.
    dtypes = rules.properties()
    return places.view("i8"), {name: figures.view(dtypes[name]) for name, figures in made.items()}


def take_rules(
    rows: int | None,
    height: Any,
    threshold: Any,
    distance: float | None,
    prominence: Any,
    width: Any,
    wlen: float | None,
    rel_height: float,
    plateau_size: Any,
) -> Rules:
    """Return the rules, checked; `rows` is how long an array of borders must be, None where none may be."""
    if distance is not None and not _number(distance) >= 1:
        raise ValueError(f"distance: {distance!r} is no distance in samples, give at least 1")
    if wlen is not None and not _number(wlen) > 1:
        raise ValueError(f"wlen: {wlen!r} is no window, give more than 1 sample")
    if not _number(rel_height) >= 0:
        raise ValueError(f"rel_height: {rel_height!r} is no share of a prominence, give 0 or more")
    return Rules(
        plateau_size=_interval("plateau_size", plateau_size, rows),
        height=_interval("height", height, rows),
        threshold=_interval("threshold", threshold, rows),
        prominence=_interval("prominence", prominence, rows),
        width=_interval("width", width, rows),
        distance=1 if distance is None else _whole(distance),
        half=0 if wlen is None else _whole(wlen) // 2,
        share=float(rel_height),
    )


def _number(given: Any) -> float:
    """The number, or NaN, which no comparison lets pass."""
    try:
        return float(given)
    except (TypeError, ValueError):
        return math.nan


def _whole(given: float) -> int:
    """The number rounded up; past any series, infinite included, all are the same."""
    return int(min(math.ceil(min(given, 2.0**60)), 2**60))


def _interval(name: str, given: Any, rows: int | None) -> Interval | None:
    if given is None:
        return None
    try:
        low, high = given
    except (TypeError, ValueError):
        low, high = given, None
    return _border(name, low, rows), _border(name, high, rows)


def _border(name: str, given: Any, rows: int | None) -> Border:
    import numpy as np

    if given is None:
        return None
    if isinstance(given, np.ndarray) and given.ndim:
        if rows is None:
            raise ValueError(f"{name}: a stream takes numbers, not an array of shape {given.shape}")
        if given.shape != (rows,) or given.dtype.kind not in "fiub":
            raise ValueError(
                f"{name}: needs {rows} numbers, one for each value, not {given.dtype} {given.shape}"
            )
        return np.ascontiguousarray(given, np.float64)
    try:
        return float(given)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: {given!r} is neither a number nor a pair of two, (smallest, largest)"
        ) from None
