"""Images as they come in: a small file next to the table, or its bytes in the cell."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import errors

if TYPE_CHECKING:
    from flyball.data.stage import Array

#: An image of more pixels is refused before it is decoded.
LARGEST_PIXELS = 256 * 2**20
MAGIC = b"\x93NUMPY"
KINDS = "uib f".replace(" ", "")


def find(cell: str | bytes | None, folder: Path) -> bytes | None:
    """Return the bytes behind a cell: the cell's own, or those of the file it names below `folder`.

    Raises DataError for a name that leads out of the folder or to no file.
    """
    if cell is None or isinstance(cell, bytes):
        return cell
    path = folder / cell
    if Path(cell).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise errors.DataError(f"image {cell!r} lies outside the folder of its file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.DataError(f"image {cell!r} cannot be read ({error.strerror})") from None


def decode(content: bytes) -> Array:
    """Return an image as an array: .npy of two or three dimensions, or PNG and JPEG where Pillow is installed.

    Raises DataError for anything else, and for one too large, before it is decoded.

    >>> import io, numpy as np
    >>> sink = io.BytesIO(); np.save(sink, np.eye(2, dtype=np.uint8))
    >>> decode(sink.getvalue()).tolist()
    [[1, 0], [0, 1]]
    """
    return _npy(content) if content.startswith(MAGIC) else _picture(content)


def _npy(content: bytes) -> Array:
    import math

    import numpy as np

    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, kind = read(file)
    except (ValueError, EOFError) as error:
        raise errors.DataError(f"a damaged .npy image ({str(error)[:80]})") from None
    size = math.prod(shape) * kind.itemsize
    if len(shape) not in (2, 3) or kind.kind not in KINDS:
        raise errors.DataError(
            f"an image of shape {shape} and type {kind}: two or three dimensions of numbers expected"
        )
    if math.prod(shape) > LARGEST_PIXELS:
        raise errors.DataError(f"an image of {math.prod(shape)} pixels, at most {LARGEST_PIXELS} are read")
    left = content[file.tell() :]
    if len(left) != size:
        raise errors.DataError(f"incomplete image: {len(left)} of {size} bytes")
    return np.frombuffer(left, dtype=kind).reshape(shape, order="F" if fortran else "C")


def _picture(content: bytes) -> Array:
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        raise errors.DataError("no .npy image: install Pillow to read PNG and JPEG") from None
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            width, height = picture.size
            if width * height > LARGEST_PIXELS:
                raise errors.DataError(
                    f"an image of {width * height} pixels, at most {LARGEST_PIXELS} are read"
                )
            return np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise errors.DataError(f"no image that can be read ({str(error)[:80]})") from None


def digest(image: Array) -> str:
    """Return the SHA-256 of an image's type, shape and values: equal images are equal however they were packed.

    >>> import numpy as np
    >>> digest(np.zeros((2, 3), np.uint8)) == digest(np.zeros((3, 2), np.uint8))
    False
    """
    import numpy as np

    head = f"{image.dtype.str}{image.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(image).tobytes()).hexdigest()
