"""Arrays packed without loss: a small header, then residuals or plain values in one zstd frame.

```
8 bytes   FLYFRAME
1, 1, 1, 1   version (1), rule, dimensions, zero
4 bytes   NumPy's name of the type, padded with zeros ("|u1", "<u2", "<f4")
4 x 4     the shape, little endian, unused ones zero
rest      one zstd frame (RFC 8878) that tells its size
```

Rule 0 is plain values, the others are those of `kernels.RULES`, over uint8 and uint16.  An image of three dimensions
is foretold as rows of whole pixels, or plane by plane where its last dimension is no count of channels.  Any tool that
knows zstd reads it: `docs/data.md` has the ten lines of Python.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

from flyball import errors, extras

if TYPE_CHECKING:
    from flyball.data.stage import Array

MAGIC = b"FLYFRAME"
HEAD = struct.Struct("<8sBBBB4s4I")
VERSION = 1
#: A last dimension of at most this many is a count of channels.
CHANNELS = 4
KINDS = "buif"


class Head(NamedTuple):
    """What the header tells: the rule that the values were foretold by, their type and shape."""

    rule: str
    kind: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Return how many bytes the array has when it is unpacked."""
        import numpy as np

        return math.prod(self.shape) * np.dtype(self.kind).itemsize


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
    rule, values = "none", plain.reshape(-1).view(np.uint8)
    if plain.dtype in (np.dtype(np.uint8), np.dtype(np.uint16)) and plain.size:
        rows = plain.reshape(flat(plain.shape))
        rule = kernels.choose_rule(rows)
        values = kernels.residuals(rows, rule) if rule != "none" else values
    shape = [*plain.shape, 0, 0][:4]
    head = HEAD.pack(
        MAGIC, VERSION, kernels.RULES.index(rule), plain.ndim, 0, plain.dtype.str.encode(), *shape
    )
    packed: bytes = zstandard.ZstdCompressor(level=level).compress(values)
    return head + packed


def look(content: bytes) -> Head:
    """Return what the header tells; raises DataError when it is none."""
    import numpy as np

    from flyball import kernels

    if len(content) < HEAD.size:
        raise errors.DataError(f"incomplete image: {len(content)} of at least {HEAD.size} bytes")
    magic, version, rule, dimensions, zero, name, *shape = HEAD.unpack_from(content)
    if magic != MAGIC or version != VERSION or rule >= len(kernels.RULES) or dimensions not in (2, 3) or zero:
        raise errors.DataError("no packed image of a version that is known")
    try:
        kind = np.dtype(name.rstrip(b"\0").decode("ascii"))
    except (TypeError, ValueError):
        raise errors.DataError("a packed image of an unknown type") from None
    if kind.kind not in KINDS or any(shape[dimensions:]) or (rule and kind.str not in ("|u1", "<u2")):
        raise errors.DataError(f"a packed image of type {kind} and shape {tuple(shape)}")
    return Head(kernels.RULES[rule], kind.str, tuple(shape[:dimensions]))


def unpack(content: bytes) -> Array:
    """Return the array that was packed; raises DataError when it is damaged or not as its header says.

    No more is unpacked than the header says, whatever the zstd frame holds.
    """
    import numpy as np

    from flyball import kernels

    zstandard = extras.need("zstandard", "images", "to read images")
    head = look(content)
    frame = memoryview(content)[HEAD.size :]
    try:
        if zstandard.frame_content_size(frame) != head.bytes:
            raise errors.DataError("a packed image whose content is not of the size that its header tells")
        plain = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise errors.DataError(f"a damaged packed image ({str(error)[:80]})") from None
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
