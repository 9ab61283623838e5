"""What an engineer looks at on a wafer map: rings, zones, the edge, stripes, neighbours and clusters of failed dies.

A map is a uint8 array [rows, columns]: 0 no die, 1 passed, 2 failed.  Maps of one shape are computed together, and
every sum is a count of dies and so exact: a map has the same columns, bit for bit, alone and among others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, extras, features
from flyball.data import stage as data
from flyball.features import stage, values, view

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Floats, Ints

RINGS, SECTORS, OUTER, ANGLES, BINS = 10, 8, 16, 18, 20
#: Radii at which four wide rings part, and from which the outermost belt begins (1 is the wafer's edge).
WIDE, BELT = (0.35, 0.6, 0.8), 0.85
#: So many pixels are worked on at once.
AT_ONCE = 4_000_000
JOINS = {"down": (1, 0), "right": (0, 1), "diagonal": (1, 1), "anti": (1, -1), "jump": (2, 0), "leap": (0, 2)}
MASKS = ("raw", "dense", "filled")
#: What is told of a cluster, and which of it of the second and third largest.
CLUSTER = (
    "area", "share", "major", "length", "width", "slender", "full", "place", "radius", "low", "high", "depth", "angle",
)  # fmt: skip
BRIEF = (1, 3, 5, 7, 12)

WIDTHS: dict[str, int] = {
    "rows": 1, "columns": 1, "dies": 1, "blank": 1, "fails": 1, "rate": 1,
    "ring": RINGS, "ring_excess": RINGS, "zone_sorted": 4 * SECTORS, "zone_wave": 12,
    "outer_sorted": OUTER, "outer_wave": 5, "outer_over": 1, "outer_run": 1,
    "radon_mean": BINS, "radon_std": BINS, "radon_max": BINS, "radon_z": 5, "radon_z_std": 1, "radon_swing": 5,
    **{f"edge{depth}{what}": 1 for depth in (1, 2, 3) for what in ("", "_excess")}, "core": 1, "core_share": 1,
    **{f"join_{name}{what}": 1 for name in JOINS for what in ("", "_excess")},
    "lonely": 1, "paired": 1, "packed": 1,
    **{f"{mask}_{what}": width for mask in MASKS for what, width in (
        ("count", 1), ("big", 1), ("largest", len(CLUSTER)), ("second", len(BRIEF)), ("third", len(BRIEF)),
        ("longest", len(CLUSTER)),
    )},
}  # fmt: skip


class Zones(features.Feature):
    """Geometry, rings, zones, Radon stripes, neighbours and clusters of the last map seen by the moment.

    Ring, zone and edge densities; an angular Fourier spectrum of them, which turning the wafer does not change; the
    failed share of stripes at 18 angles (Radon); join counts; size and shape of clusters of failed dies, as they are,
    where they are dense, and after a majority filter.  NaN for a wafer without a map.  Source: Wu, Jang and Chen,
    IEEE Transactions on Semiconductor Manufacturing 28(1), 2015; join counts after Moran, 1948.

    >>> len(Zones("maps.map").names())
    301
    """

    column: str

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return tuple(
            f"{self.column}.{name}" + (f".{place}" if width > 1 else "")
            for name, width in WIDTHS.items()
            for place in range(width)
        )

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        table, name = stage.split(self.column)
        row = view.View(tables[table], moments).last()
        images = tables[table].columns[name]
        if isinstance(images, (np.ndarray, data.Words)):
            raise errors.DataError(f"{self.column} holds no images")
        asked = np.flatnonzero(row >= 0)
        out = np.full((len(moments), sum(WIDTHS.values())), np.nan, dtype=np.float32)
        out[asked] = of_maps(images[row[asked]].load()) if len(asked) else out[asked]
        return dict(zip(self.names(), np.ascontiguousarray(out.T), strict=True))

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        import numpy as np

        return values.since_last(rows, np.ones(len(rows), dtype=bool), moment)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.kind_problems(page, self.column, "image")


def of_maps(maps: list[Array]) -> Array:
    """Return (n, 301) float32, a row per map; NaN for an empty map.

    >>> import numpy as np
    >>> of_maps([np.array([[0, 1], [2, 1]], np.uint8)])[0, :6].tolist()
    [2.0, 2.0, 3.0, 0.25, 1.0, 0.3333333432674408]
    """
    import numpy as np

    out = np.full((len(maps), sum(WIDTHS.values())), np.nan, dtype=np.float32)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for place, one in enumerate(maps):
        shapes.setdefault(one.shape, []).append(place)
    for shape, places in shapes.items():
        if len(shape) != 2:
            raise errors.DataError(f"a map of shape {shape}: rows and columns of dies expected")
        if 0 in shape:
            continue
        masks, step = regions(*shape), max(1, AT_ONCE // (shape[0] * shape[1]))
        for start in range(0, len(places), step):
            some = places[start : start + step]
            out[some] = _group(np.stack([maps[place] for place in some]), masks)
    return out


def regions(height: int, width: int) -> Array:
    """Return 0/1 float32 (pixels, regions): rings, wide rings by sector, sectors of the belt, stripes, side by side."""
    import numpy as np

    y, x = (axis.ravel() for axis in np.meshgrid(_centres(height), _centres(width), indexing="ij"))
    radius, turn = np.hypot(x, y), np.arctan2(y, x) / (2 * np.pi) % 1.0
    parts = [_hot(np.minimum((radius * RINGS).astype(int), RINGS - 1), RINGS)]
    zone = np.digitize(radius, WIDE) * SECTORS + (turn * SECTORS).astype(int) % SECTORS
    parts.append(_hot(zone, 4 * SECTORS))
    parts.append(_hot(np.where(radius >= BELT, (turn * OUTER).astype(int) % OUTER, -1), OUTER))
    for number in range(ANGLES):
        angle = np.pi * number / ANGLES
        along = x * np.cos(angle) + y * np.sin(angle)
        parts.append(_hot(np.clip(((along + 1) / 2 * BINS).astype(int), 0, BINS - 1), BINS))
    return np.concatenate(parts, axis=1)


def _centres(n: int) -> Floats:
    import numpy as np

    return np.asarray((np.arange(n) + 0.5) / n * 2 - 1)


def _hot(index: Array, n: int) -> Array:
    import numpy as np

    hot = np.zeros((len(index), n), dtype=np.float32)
    kept = np.flatnonzero(index >= 0)
    hot[kept, index[kept]] = 1
    return hot


def _group(maps: Array, masks: Array) -> Array:
    """Return (n, 301) for maps (n, rows, columns) of one shape."""
    import numpy as np

    n, height, width = maps.shape
    die, fail = maps > 0, maps == 2
    dies, fails = die.sum((1, 2)).astype(float), fail.sum((1, 2)).astype(float)
    rate = fails / np.maximum(dies, 1)
    near = _neighbours(fail)
    found = {
        "rows": np.full(n, height), "columns": np.full(n, width), "dies": dies,
        "blank": 1 - dies / (height * width), "fails": fails, "rate": rate,
    }  # fmt: skip
    failed = fail.reshape(n, -1).astype(np.float32) @ masks
    there = die.reshape(n, -1).astype(np.float32) @ masks
    found |= _densities(failed, there, rate) | _radon(failed, there, rate)
    found |= _edges(die, fail, rate) | _joins(fail, near, rate)
    for name, mask in zip(MASKS, (fail, fail & (near >= 3), die & (near + fail >= 4)), strict=True):
        found |= {f"{name}_{what}": told for what, told in _clusters(mask, dies).items()}
    columns = [np.asarray(found[name], dtype=float).reshape(n, size) for name, size in WIDTHS.items()]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _densities(failed: Array, there: Array, rate: Floats) -> dict[str, Array]:
    """Return the failed share of rings, of wide rings by sector, and of the belt by sector."""
    import numpy as np

    zones, belt = RINGS + 4 * SECTORS, RINGS + 4 * SECTORS + OUTER
    share = failed[:, :belt] / np.maximum(there[:, :belt], 1)
    ring, outer = share[:, :RINGS], share[:, zones:]
    zone = share[:, RINGS:zones].reshape(len(share), 4, SECTORS)
    return {
        "ring": ring, "ring_excess": ring / np.maximum(rate, 1e-3)[:, None],
        "zone_sorted": np.sort(zone, axis=2), "zone_wave": _waves(zone, 3),
        "outer_sorted": np.sort(outer, axis=1), "outer_wave": _waves(outer, 5),
        "outer_over": (outer > 0.5).mean(axis=1), "outer_run": _run(outer > np.maximum(0.3, rate)[:, None]),
    }  # fmt: skip


def _waves(around: Array, orders: int) -> Array:
    """Return the magnitude of the angular Fourier orders 1.. along the last axis."""
    import numpy as np

    n = around.shape[-1]
    found = []
    for order in range(1, orders + 1):
        angle = 2 * np.pi * order * np.arange(n) / n
        found.append(np.hypot((around * np.cos(angle)).sum(-1), (around * np.sin(angle)).sum(-1)) / n)
    return np.stack(found, axis=-1)


def _run(over: Flags) -> Floats:
    """Return the longest run of True around the circle, as a share of it."""
    import numpy as np

    n, size = over.shape
    best, now = np.zeros(n), np.zeros(n)
    for place in range(2 * size):
        now = (now + 1) * over[:, place % size]
        best = np.maximum(best, now)
    return np.asarray(np.minimum(best, size) / size)


def _radon(failed: Array, there: Array, rate: Floats) -> dict[str, Array]:
    """Return how the failed share of stripes moves over position and angle, and how far stripes stand out."""
    import numpy as np

    stripes = (len(rate), ANGLES, BINS)
    begin = RINGS + 4 * SECTORS + OUTER
    inside, dies = (part[:, begin:].reshape(stripes).astype(float) for part in (failed, there))
    share = inside / np.maximum(dies, 1)
    p = np.clip(rate, 1e-3, 1 - 1e-3)[:, None, None]
    z = (inside - p * dies) / np.sqrt(np.maximum(dies, 1) * p * (1 - p))
    top = np.sort(z.reshape(len(z), -1), axis=1)[:, ::-1]
    return {
        "radon_mean": share.mean(axis=1), "radon_std": share.std(axis=1), "radon_max": share.max(axis=1),
        "radon_z": top[:, [0, 1, 3, 7, 15]], "radon_z_std": z.std(axis=(1, 2)),
        "radon_swing": np.sort(share.std(axis=2), axis=1)[:, [0, 4, 9, 13, 17]],
    }  # fmt: skip


def _shift(x: Array, down: int, right: int) -> Array:
    """Return maps moved; nothing comes in from outside."""
    import numpy as np

    out = np.zeros_like(x)
    h, w = x.shape[1:]
    source = x[:, max(-down, 0) : h + min(-down, 0), max(-right, 0) : w + min(-right, 0)]
    out[:, max(down, 0) : h + min(down, 0), max(right, 0) : w + min(right, 0)] = source
    return out


def _neighbours(fail: Flags) -> Array:
    """Return how many of its eight neighbours failed, for every pixel."""
    import numpy as np

    plain = fail.astype(np.uint8)
    rows = plain + _shift(plain, 1, 0) + _shift(plain, -1, 0)
    return np.asarray(rows + _shift(rows, 0, 1) + _shift(rows, 0, -1) - plain)


def _edges(die: Flags, fail: Flags, rate: Floats) -> dict[str, Array]:
    """Return the failed share of the three outermost layers of dies, and of what is left inside them."""
    import numpy as np

    found: dict[str, Array] = {}
    layer, usual = die, np.maximum(rate, 1e-3)
    for depth in (1, 2, 3):
        inner = (
            layer & _shift(layer, 1, 0) & _shift(layer, -1, 0) & _shift(layer, 0, 1) & _shift(layer, 0, -1)
        )
        edge, layer = layer & ~inner, inner
        share = (edge & fail).sum((1, 2)) / np.maximum(edge.sum((1, 2)), 1)
        found |= {f"edge{depth}": share, f"edge{depth}_excess": share / usual}
    core = (layer & fail).sum((1, 2)) / np.maximum(layer.sum((1, 2)), 1)
    return {**found, "core": core, "core_share": core / usual}


def _joins(fail: Flags, near: Array, rate: Floats) -> dict[str, Array]:
    """Return how often failed dies have failed neighbours, by direction and by number."""
    import numpy as np

    found: dict[str, Array] = {}
    fails = np.maximum(fail.sum((1, 2)), 1)
    for name, (down, right) in JOINS.items():
        both = (fail & _shift(fail, down, right)).sum((1, 2)) / fails
        found |= {f"join_{name}": both, f"join_{name}_excess": both / np.maximum(rate, 1e-3)}
    for name, wanted in (("lonely", near == 0), ("paired", near == 2), ("packed", near >= 6)):
        found[name] = (fail & wanted).sum((1, 2)) / fails
    return found


def _clusters(mask: Flags, dies: Floats) -> dict[str, Array]:
    """Return how many 8-connected clusters there are, and the shape of the largest three and the longest."""
    import numpy as np

    ndimage = extras.need("scipy.ndimage", "lab", "to find clusters on wafer maps")
    within = np.zeros((3, 3, 3), dtype=bool)
    within[1] = True  # neighbours on one map, never across the stack
    marked, count = ndimage.label(mask, structure=within)
    n = len(mask)
    pixels = np.flatnonzero(marked)
    cluster = marked.ravel()[pixels] - 1
    owner = np.zeros(count, dtype=int)
    owner[cluster] = np.unravel_index(pixels, mask.shape)[0]
    told = _shapes(mask.shape, pixels, cluster, count, np.maximum(dies[owner], 1))
    area, major, slender = told[:, 0], told[:, 2], told[:, 5]
    largest = area + 1e-6 * np.round(major, 6)
    longest = np.where(area >= 3, major * (1 - slender), -1.0)
    first, second, third = (_ranked(told, owner, largest, n, place) for place in range(3))
    return {
        "count": np.bincount(owner, minlength=n), "big": np.bincount(owner, area >= 5, n), "largest": first,
        "second": second[:, BRIEF], "third": third[:, BRIEF], "longest": _ranked(told, owner, longest, n, 0),
    }  # fmt: skip


def _shapes(shape: tuple[int, ...], pixels: Ints, cluster: Ints, count: int, dies: Floats) -> Floats:
    """Return (clusters, 13) what is told of each; moments of pixels are whole numbers, so sums are exact."""
    import numpy as np

    _, h, w = shape
    _, row, column = np.unravel_index(pixels, shape)
    y, x = row.astype(float), column.astype(float)
    area = np.bincount(cluster, minlength=count).astype(float)
    sums = [np.bincount(cluster, value, count) / area for value in (y, x, y * y, x * x, x * y)]
    spread_y, spread_x = sums[2] - sums[0] ** 2 + 1 / 12, sums[3] - sums[1] ** 2 + 1 / 12
    tilt = np.sqrt(((spread_y - spread_x) / 2) ** 2 + (sums[4] - sums[1] * sums[0]) ** 2)
    middle = (spread_y + spread_x) / 2
    major, minor = np.sqrt(middle + tilt), np.sqrt(np.maximum(middle - tilt, 1e-9))
    up, right = _centres(h)[row], _centres(w)[column]
    radius = np.hypot(up, right)
    low, high = np.full(count, 9.0), np.zeros(count)
    np.minimum.at(low, cluster, radius)
    np.maximum.at(high, cluster, radius)
    mean = np.bincount(cluster, np.round(radius * 4096), count) / area / 4096
    turn = np.floor((np.arctan2(up, right) / (2 * np.pi) % 1) * 24).astype(int) % 24
    met = np.zeros((count, 24), dtype=bool)
    met[cluster, turn] = True
    place = np.hypot((sums[0] + 0.5) / h * 2 - 1, (sums[1] + 0.5) / w * 2 - 1)
    size = np.sqrt(float(h * w))
    columns = (
        area, area / dies, major, major / size, minor / size, minor / major,
        area / np.maximum(12 * major * minor, 1e-9), place, mean, low, high, high - low, met.mean(axis=1),
    )  # fmt: skip
    return np.stack(columns, axis=1)


def _ranked(told: Floats, owner: Ints, rank: Floats, n: int, place: int) -> Floats:
    """Return (n, 13) the cluster of that place by rank on every map, zeros where there is none."""
    import numpy as np

    if not len(told):
        return np.zeros((n, len(CLUSTER)))
    order = np.lexsort((-rank, owner))
    at = np.searchsorted(owner[order], np.arange(n)) + place
    pick = order[np.minimum(at, len(told) - 1)]
    there = (at < len(told)) & (owner[pick] == np.arange(n))
    return np.where(there[:, None], told[pick], 0.0)
