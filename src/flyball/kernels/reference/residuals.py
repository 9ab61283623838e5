"""Grey images as residuals and back, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

NONE, LEFT, UP, MEAN, CONE = range(5)


def residuals(image: Array, rule: int) -> Array:
    """Return what is left of an image when every pixel is foretold, as bytes; uint16 folded and in two planes."""
    import numpy as np

    left = image - _foretold(image, rule)
    if image.dtype == np.uint8:
        return left.reshape(-1)
    folded = (left << 1) ^ np.where(left & 0x8000, 0xFFFF, 0).astype(np.uint16)
    return np.concatenate([(folded & 0xFF).reshape(-1), (folded >> 8).reshape(-1)]).astype(np.uint8)


def restore(laid: Array, rule: int, image: Array) -> None:
    """Write the image that gave those residuals into `image`."""
    import numpy as np

    size = image.size
    left: Array = laid
    if image.dtype == np.uint16:
        folded = laid[:size].astype(np.uint16) | laid[size:].astype(np.uint16) << 8
        left = (folded >> 1) ^ np.where(folded & 1, 0xFFFF, 0).astype(np.uint16)
    left = left.reshape(image.shape)
    if rule == LEFT:
        np.add.accumulate(left, axis=1, dtype=image.dtype, out=image)
        return
    for row in range(len(image)):
        image[row] = left[row] + _row(image, row, rule)


def count_residuals(image: Array) -> Array:
    """Return how often each byte occurs in the residuals under each rule, plane by plane: (rules, planes, 256).

    Of an image of more than 65,536 pixels a sixteenth of each row is looked at, its place moved by the golden ratio.
    """
    import numpy as np

    width = image.shape[1]
    many = width if image.size <= 65536 else (width + 15) // 16
    first = np.arange(len(image)) * 2654435761 % 2**32 * (width - many + 1) >> 32
    across = np.arange(width) - first[:, None]
    looked = (across >= 0) & (across < many)
    counts = np.zeros((5, image.itemsize, 256), np.int64)
    for rule in range(5):
        planes = residuals(image, rule).reshape(image.itemsize, *image.shape)
        for plane in range(image.itemsize):
            counts[rule, plane] = np.bincount(planes[plane][looked], minlength=256)
    return counts


def halve(residuals: Array) -> tuple[Array, Array]:
    """Return folded residuals of 8 bits as low and high halves, two that lie half of them apart in a byte."""
    import numpy as np

    value = (residuals << 1) ^ np.where(residuals & 0x80, 0xFF, 0).astype(np.uint8)
    one, other = np.append(value, np.zeros(len(value) % 2, np.uint8)).reshape(2, -1)
    return (one & 0x0F) | (other << 4), (one >> 4) | (other & 0xF0)


def rejoin(low: Array, high: Array, size: int) -> Array:
    """Return the residuals whose halves these are."""
    import numpy as np

    value = np.concatenate([(low & 0x0F) | (high << 4), (low >> 4) | (high & 0xF0)])[:size]
    back: Array = (value >> 1) ^ np.where(value & 1, 0xFF, 0).astype(np.uint8)
    return back


def _foretold(image: Array, rule: int) -> Array:
    import numpy as np

    out = np.zeros_like(image)
    if rule == LEFT:
        out[:, 1:] = image[:, :-1]
        return out
    for row in range(len(image)):
        out[row] = _row(image, row, rule)
    return out


def _row(image: Array, row: int, rule: int) -> Array:
    """Return what is foretold for a row from the rows above it."""
    import numpy as np

    if rule == NONE or row == 0:
        return np.zeros(image.shape[1], image.dtype)
    up: Array = image[row - 1]
    if rule == UP or (rule == MEAN and row < 4):
        return up
    if rule == MEAN:
        mean: Array = ((image[row - 4 : row].astype(np.uint32).sum(axis=0) + 2) >> 2).astype(image.dtype)
        return mean
    wide = np.concatenate([up[:1], up, up[-1:]]).astype(np.uint32)
    cone: Array = ((wide[:-2] + 2 * wide[1:-1] + wide[2:] + 2) >> 2).astype(image.dtype)
    return cone
