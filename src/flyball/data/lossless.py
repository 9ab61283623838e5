"""Arrays packed without loss: a small header, then residuals or plain values in one zstd frame.

```
8 bytes   FLYFRAME
1, 1, 1, 1   version (1), rule, dimensions, layout
4 bytes   NumPy's name of the type, padded with zeros ("|u1", "<u2", "<f4")
4 x 4     the shape, little endian, unused ones zero
rest      one zstd frame (RFC 8878) that tells its size; with layout 1 the low halves as they are stand before it
```

Rule 0 is plain values, the others are those of `kernels.RULES`, over uint8 and uint16.  With layout 1 residuals of 8
bits are in halves (`kernels.halve`), of which the frame holds the high ones: where noise fills the low ones, packing
those gains nothing and unpacking them takes half of the time.  An image of three dimensions
is foretold as rows of whole pixels, or plane by plane where its last dimension is no count of channels.  Any tool that
knows zstd reads it: `docs/data.md` has the ten lines of Python.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors, extras

if TYPE_CHECKING:
    from flyball.data.stage import Array

MAGIC = b"FLYFRAME"
HEAD = struct.Struct("<8sBBBB4s4I")
VERSION = 1
#: A last dimension of at most this many is a count of channels.
CHANNELS = 4
KINDS = "buif"
#: Halves may be so much larger than residuals packed whole: unpacking them takes half the time.
HALVED = 1.01
#: As many residuals are packed both ways to tell.
PIECE = 1 << 15


class Head(NamedTuple):
    """What the header tells: the rule that the values were foretold by, their layout, type and shape."""

    rule: str
    halved: bool
    kind: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Return how many bytes the array has when it is unpacked."""
        import numpy as np

        return math.prod(self.shape) * np.dtype(self.kind).itemsize

    @property
    def half(self) -> int:
        """Return how many bytes a half of the residuals has, 0 where there are none."""
        return (self.bytes + 1) // 2 if self.halved else 0


def pack(array: Array, level: int = 1) -> bytes:
    """Return an array of two or three dimensions packed; `unpack` gives back every bit of it.

    >>> import numpy as np
    >>> image = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    >>> len(pack(image)) < 200, np.array_equal(unpack(pack(image)), image)
    (True, True)
    """
    import numpy as np

    from flyball import kernels

    zstandard = extras.need("zstandard", "images", "to keep images")
    plain = np.ascontiguousarray(array)
    if plain.ndim not in (2, 3) or plain.dtype.kind not in KINDS:
        raise errors.DataError(
            f"an image of shape {plain.shape} and type {plain.dtype}: two or three dimensions of numbers expected"
        )
    rule, halved, before = "none", False, b""
    values = plain.reshape(-1).view(np.uint8)
    if plain.dtype in (np.dtype(np.uint8), np.dtype(np.uint16)) and plain.size:
        rows = plain.reshape(flat(plain.shape))
        rule = kernels.choose_rule(rows)
        values = kernels.residuals(rows, rule) if rule != "none" else values
    packing = zstandard.ZstdCompressor(level=level)
    if plain.ndim == 2 and plain.dtype == np.uint8 and (halved := _worth_halving(values, packing)):
        low, values = kernels.halve(values)
        before = low.tobytes()
    shape = [*plain.shape, 0, 0][:4]
    head = HEAD.pack(
        MAGIC, VERSION, kernels.RULES.index(rule), plain.ndim, halved, plain.dtype.str.encode(), *shape
    )
    packed: bytes = packing.compress(values)
    return head + before + packed


def _worth_halving(residuals: Array, packing: Any) -> bool:
    """Say, by a piece of them, whether residuals in halves take hardly more than packed whole."""
    from flyball import kernels

    middle = len(residuals) // 2
    piece = residuals[max(0, middle - PIECE // 2) :][:PIECE]
    low, high = kernels.halve(piece)
    return len(low) + len(packing.compress(high)) <= HALVED * len(packing.compress(piece))


def look(content: bytes) -> Head:
    """Return what the header tells; raises DataError when it is none."""
    import numpy as np

    from flyball import kernels

    if len(content) < HEAD.size:
        raise errors.DataError(f"incomplete image: {len(content)} of at least {HEAD.size} bytes")
    magic, version, rule, dimensions, layout, name, *shape = HEAD.unpack_from(content)
    if (
        magic != MAGIC
        or version != VERSION
        or rule >= len(kernels.RULES)
        or dimensions not in (2, 3)
        or layout > 1
    ):
        raise errors.DataError("no packed image of a version that is known")
    try:
        kind = np.dtype(name.rstrip(b"\0").decode("ascii"))
    except (TypeError, ValueError):
        raise errors.DataError("a packed image of an unknown type") from None
    foretold = kind.str in (("|u1",) if layout else ("|u1", "<u2"))
    if kind.kind not in KINDS or any(shape[dimensions:]) or not (foretold or rule == layout == 0):
        raise errors.DataError(f"a packed image of type {kind} and shape {tuple(shape)}")
    return Head(kernels.RULES[rule], layout == 1, kind.str, tuple(shape[:dimensions]))


def unpack(content: bytes) -> Array:
    """Return the array that was packed; raises DataError when it is damaged or not as its header says.

    No more is unpacked than the header says, whatever the zstd frame holds.
    """
    import numpy as np

    from flyball import kernels

    zstandard = extras.need("zstandard", "images", "to read images")
    head = look(content)
    low, frame = memoryview(content)[HEAD.size :][: head.half], memoryview(content)[HEAD.size + head.half :]
    try:
        if len(low) != head.half or zstandard.frame_content_size(frame) != (head.half or head.bytes):
            raise errors.DataError("a packed image whose content is not of the size that its header tells")
        plain = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise errors.DataError(f"a damaged packed image ({str(error)[:80]})") from None
    if head.halved:
        plain = kernels.rejoin(low, plain, head.bytes)
    if head.rule == "none":
        return np.frombuffer(plain, head.kind).reshape(head.shape)
    return kernels.restore(plain, head.rule, flat(head.shape), head.kind).reshape(head.shape)


def flat(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and columns as which an image is foretold.

    >>> flat((480, 640, 3)), flat((7, 480, 640))
    ((480, 1920), (3360, 640))
    """
    if len(shape) == 2:
        return shape[0], shape[1]
    if shape[2] <= CHANNELS:
        return shape[0], shape[1] * shape[2]
    return shape[0] * shape[1], shape[2]
