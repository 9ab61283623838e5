"""Grey images as what is left when every pixel is foretold from its neighbours: small numbers that pack well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.kernels import backend, reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RULES", "choose_rule", "halve", "rejoin", "residuals", "restore"]

RULES = ("none", "left", "up", "mean", "cone")
"""What foretells a pixel: nothing; the pixel to its left; the one above; the mean of the four above; the three
next above it, weighted 1, 2, 1.  The first row is foretold as zeros, by `mean` the next three as by `up`."""


def residuals(image: NDArray[Any], rule: str) -> NDArray[np.uint8]:
    """Return what is left of an image (rows, columns) of uint8 or uint16 when a rule foretells every pixel.

    The difference is taken modulo 2**8 or 2**16.  The result is bytes, one for each pixel; for uint16 two planes
    behind one another, low bytes first, of the differences folded so that 0, -1, 1, -2 become 0, 1, 2, 3.

    ValueError names the argument that is wrong.

    >>> import numpy as np
    >>> residuals(np.array([[7, 9], [8, 9]], np.uint8), "up").tolist()
    [7, 9, 1, 0]
    """
    import numpy as np

    taken, number = _grey(image), _number(rule)
    if backend.compiled is None:
        return reference.residuals(taken, number)
    out = np.empty(taken.nbytes, np.uint8)
    backend.compiled.residuals(taken, number, out)
    return out


def restore(laid: Any, rule: str, shape: tuple[int, int], kind: Any) -> NDArray[Any]:
    """Return the image of that shape and type whose `residuals` under a rule are these bytes.

    ValueError names the argument that is wrong.

    >>> restore(bytes([7, 9, 1, 0]), "up", (2, 2), "uint8").tolist()
    [[7, 9], [8, 9]]
    """
    import numpy as np

    if np.dtype(kind) not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ValueError(f"kind: {kind} is neither uint8 nor uint16")
    given = np.frombuffer(laid, np.uint8)
    image = np.empty(shape, np.dtype(kind))
    if image.ndim != 2 or len(given) != image.nbytes:
        raise ValueError(f"laid: {len(given)} bytes for an image {shape} of {image.nbytes}")
    if backend.compiled is None:
        reference.restore(given, _number(rule), image)
    else:
        backend.compiled.restore(given, _number(rule), image)
    return image


def choose_rule(image: NDArray[Any]) -> str:
    """Return the rule whose residuals have the least entropy, over a sixteenth of a large image.

    Lines that run down favour `mean`, noise as well; lines that run across `left`; what is smooth `cone`.
    The sum of absolute residuals, as encoders of PNG use it, is misled by images of few grey levels.

    >>> import numpy as np
    >>> choose_rule(np.tile(np.array([3, 90, 4, 80], np.uint8), (8, 1)))
    'up'
    """
    import numpy as np

    taken = _grey(image)
    if backend.compiled is None:
        counts = reference.count_residuals(taken)
    else:
        held = np.zeros(len(RULES) * taken.itemsize * 256, np.int64)
        backend.compiled.count_residuals(taken, held)
        counts = held.reshape(len(RULES), taken.itemsize, 256)
    # Bits = n log2 n - sum of c log2 c, with n the same for all rules.
    known = counts * np.log2(np.maximum(counts, 1))
    return RULES[int(np.argmax(known.sum(axis=(1, 2))))]


def halve(laid: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the low and the high four bits of residuals of 8 bits, folded so that 0, -1, 1, -2 are 0, 1, 2, 3.

    A byte of each holds two residuals, those that lie half of all apart.

    >>> low, high = halve(bytes([1, 255, 16]))
    >>> low.tolist(), high.tolist()
    ([2, 1], [32, 0])
    """
    import numpy as np

    given = np.frombuffer(laid, np.uint8)
    if backend.compiled is None:
        return reference.halve(given)
    low, high = np.empty((2, (len(given) + 1) // 2), np.uint8)
    backend.compiled.halve(given, low, high)
    return low, high


def rejoin(low: Any, high: Any, size: int) -> NDArray[np.uint8]:
    """Return the `size` residuals whose halves these are; ValueError where they are not as long as that needs.

    >>> rejoin(*halve(bytes([1, 255, 16])), 3).tolist()
    [1, 255, 16]
    """
    import numpy as np

    one, other = np.frombuffer(low, np.uint8), np.frombuffer(high, np.uint8)
    if not len(one) == len(other) == (size + 1) // 2:
        raise ValueError(f"low, high: {len(one)} and {len(other)} bytes for {size} residuals")
    if backend.compiled is None:
        return reference.rejoin(one, other, size)
    out = np.empty(size, np.uint8)
    backend.compiled.rejoin(one, other, out)
    return out


def _grey(image: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"image: {image.dtype} {image.shape}, give uint8 or uint16 of two dimensions")
    return np.ascontiguousarray(image)


def _number(rule: str) -> int:
    if rule not in RULES:
        raise ValueError(f"rule: no {rule!r}, known: {', '.join(RULES)}")
    return RULES.index(rule)
