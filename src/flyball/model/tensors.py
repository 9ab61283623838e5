"""How the tensors of a graph are made from a matrix: plain settings in, numpy out.

Why: what prepares the inputs must be the same at training, in the contest and on the machine.  A maker holds what
training found (names, labels, means, scales) and is read back from JSON; nothing is found out while predicting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from flyball import errors
from flyball.features import stage as features
from flyball.model import inputs

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats


class Maker(Protocol):
    """Makes one tensor."""

    def make(self, x: features.Matrix) -> Array:
        """Return float32, first axis the rows."""

    def settings(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""


@dataclass(frozen=True)
class Flat:
    """Numbers and category codes as (n, d), as they are: what trees take; NaN stays."""

    inputs: inputs.Inputs

    def make(self, x: features.Matrix) -> Array:
        """Return (n, d) float32."""
        return self.inputs.dense(x)

    def settings(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {"tensor": "flat", **self.inputs.settings()}

    @staticmethod
    def read(settings: Mapping[str, Any]) -> Flat:
        """Return it from plain values."""
        return Flat(inputs.Inputs.read(settings))


@dataclass(frozen=True)
class Scaled:
    """Standardised numbers and one column per category label, (n, d): what nets take.

    Missing numbers stand at the training mean, a missing category at none of its labels; nothing lies further than
    `clip` deviations from the mean.
    """

    inputs: inputs.Inputs
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    clip: float

    @staticmethod
    def of(x: features.Matrix, columns: tuple[str, ...] | None = None, clip: float = 6.0) -> Scaled:
        """Find means and scales on training rows."""

        chosen = inputs.Inputs.of(x, columns)
        numbers = _numbers(chosen.dense(x), chosen)
        mean, scale = _usual(numbers)
        return Scaled(chosen, tuple(map(float, mean)), tuple(map(float, scale)), clip)

    def make(self, x: features.Matrix) -> Array:
        """Return (n, d) float32 without NaN."""
        import numpy as np

        dense = self.inputs.dense(x)
        pieces = [_scaled(_numbers(dense, self.inputs), self.mean, self.scale, self.clip)]
        for place, name in enumerate(self.inputs.names):
            if name in self.inputs.labels:
                labels = np.arange(len(self.inputs.labels[name]), dtype=np.float32)
                pieces.append((dense[:, place, None] == labels).astype(np.float32))
        return np.ascontiguousarray(np.concatenate(pieces, axis=1), dtype=np.float32)

    def settings(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        told = {"mean": list(self.mean), "scale": list(self.scale), "clip": self.clip}
        return {"tensor": "scaled", **told, **self.inputs.settings()}

    @staticmethod
    def read(settings: Mapping[str, Any]) -> Scaled:
        """Return it from plain values."""
        chosen = inputs.Inputs.read(settings)
        return Scaled(chosen, tuple(settings["mean"]), tuple(settings["scale"]), float(settings["clip"]))


@dataclass(frozen=True)
class Sequence:
    """A sequence column (n, steps, channels), each channel standardised; what is missing stands at the mean.

    A last channel says which steps are there at all (1) and which lie before the first row (0).
    """

    column: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    clip: float

    @staticmethod
    def of(x: features.Matrix, column: str, clip: float = 6.0) -> Sequence:
        """Find means and scales on training rows."""

        values = _steps(x, column)
        mean, scale = _usual(values.reshape(-1, values.shape[2]))
        return Sequence(column, tuple(map(float, mean)), tuple(map(float, scale)), clip)

    def make(self, x: features.Matrix) -> Array:
        """Return (n, steps, channels + 1) float32 without NaN."""
        import numpy as np

        values = _steps(x, self.column)
        if values.shape[2] != len(self.mean):
            raise errors.DataError(
                f"column {self.column!r} has {values.shape[2]} channels, {len(self.mean)} in training"
            )
        there = (~np.isnan(values).all(axis=2, keepdims=True)).astype(np.float32)
        scaled = _scaled(values, self.mean, self.scale, self.clip)
        return np.ascontiguousarray(np.concatenate([scaled, there], axis=2), dtype=np.float32)

    def settings(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        told = {"mean": list(self.mean), "scale": list(self.scale), "clip": self.clip}
        return {"tensor": "sequence", "column": self.column, **told}

    @staticmethod
    def read(settings: Mapping[str, Any]) -> Sequence:
        """Return it from plain values."""
        told = settings
        return Sequence(told["column"], tuple(told["mean"]), tuple(told["scale"]), float(told["clip"]))


@dataclass(frozen=True)
class Image:
    """A late column of images, resized by area to `size` (height, width): (n, channels, height, width) in [0, 1].

    `channels` names pixel values: channel c holds the share of the area with one of them, as for maps whose values
    are kinds (1 good, 2 failed).  None: one channel, the grey level divided by `full`.  Levels are rounded to 1/255,
    so that training may keep them as bytes.
    """

    column: str
    size: tuple[int, int]
    channels: tuple[tuple[int, ...], ...] | None
    full: float = 255.0

    def make(self, x: features.Matrix) -> Array:
        """Return (n, channels, height, width) float32."""
        import numpy as np

        return self.levels(x).astype(np.float32) / np.float32(255)

    def levels(self, x: features.Matrix) -> Array:
        """Return the same as bytes, 255 for one."""
        import numpy as np

        column = inputs.pick(x, self.column)
        if self.column in x.stopped:
            raise errors.DataError(f"column {self.column!r} is not there: {x.stopped[self.column]}")
        if not hasattr(column, "load"):
            raise errors.DataError(f"column {self.column!r} holds no images")
        out = np.empty((len(x), len(self.channels or ((),)), *self.size), dtype=np.uint8)
        by_shape: dict[tuple[int, ...], list[int]] = {}
        images = column.load()
        for place, image in enumerate(images):
            by_shape.setdefault(np.asarray(image).shape[:2], []).append(place)
        for shape, places in by_shape.items():
            down, across = overlap(shape[0], self.size[0]), overlap(shape[1], self.size[1]).T
            for start in range(0, len(places), 2048):
                some = places[start : start + 2048]
                stack = np.stack([np.asarray(images[place]) for place in some])
                for channel, plane in enumerate(self._planes(stack)):
                    out[some, channel] = np.rint(np.clip(down @ (plane @ across), 0, 1) * 255)
        return out

    def _planes(self, stack: Array) -> list[Array]:
        import numpy as np

        if self.channels is None:
            return [stack.astype(np.float32) / np.float32(self.full)]
        return [np.isin(stack, values).astype(np.float32) for values in self.channels]

    def settings(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        channels = None if self.channels is None else [list(values) for values in self.channels]
        told = {"column": self.column, "size": list(self.size), "channels": channels, "full": self.full}
        return {"tensor": "image", **told}

    @staticmethod
    def read(settings: Mapping[str, Any]) -> Image:
        """Return it from plain values."""
        channels = settings["channels"]
        held = None if channels is None else tuple(tuple(values) for values in channels)
        height, width = settings["size"]
        return Image(settings["column"], (height, width), held, float(settings["full"]))


def overlap(n: int, size: int) -> Array:
    """Return (size, n) float32: the share of each output cell that each input cell covers; rows sum to one.

    >>> overlap(4, 2).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    import numpy as np

    edges = np.arange(size + 1) * n / size
    low = np.maximum(edges[:-1, None], np.arange(n)[None])
    high = np.minimum(edges[1:, None], np.arange(1, n + 1)[None])
    return np.asarray(np.maximum(high - low, 0) * size / n, dtype=np.float32)


_READERS: dict[str, Callable[[Mapping[str, Any]], Maker]] = {
    "flat": Flat.read,
    "scaled": Scaled.read,
    "sequence": Sequence.read,
    "image": Image.read,
}


def read(settings: Mapping[str, Any]) -> Maker:
    """Return the maker of these settings; raises DataError for one that this version does not know."""
    reader = _READERS.get(settings["tensor"])
    if reader is None:
        raise errors.DataError(
            f"no tensor {settings['tensor']!r} in this version of flyball: upgrade the machine"
        )
    return reader(settings)


def _steps(x: features.Matrix, name: str) -> Array:
    import numpy as np

    column = inputs.pick(x, name)
    if name in x.stopped:
        raise errors.DataError(f"column {name!r} is not there: {x.stopped[name]}")
    if not isinstance(column, np.ndarray) or column.ndim != 3:
        raise errors.DataError(f"column {name!r} is no sequence (rows, steps, channels)")
    return np.asarray(column, dtype=np.float32)


def _numbers(dense: Array, chosen: inputs.Inputs) -> Array:
    """Return the columns that are no category."""
    return dense[:, [place for place, name in enumerate(chosen.names) if name not in chosen.labels]]


def _usual(flat: Array) -> tuple[Floats, Floats]:
    """Return mean and deviation of every column over what is known; 0 and 1 of one that never is or never moves."""
    import numpy as np

    wide = flat.astype(np.float64)
    known = np.isfinite(wide)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, wide, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(known, wide - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean, np.where(scale > 1e-9 * np.maximum(np.abs(mean), 1e-9), scale, 1.0)


def _scaled(values: Array, mean: tuple[float, ...], scale: tuple[float, ...], clip: float) -> Array:
    import numpy as np

    centred = (values.astype(np.float64) - np.array(mean)) / np.array(scale)
    return np.asarray(np.clip(np.nan_to_num(centred, nan=0.0), -clip, clip), dtype=np.float32)
