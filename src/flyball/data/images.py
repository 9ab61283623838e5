"""Images as they come in: a small file next to the table, a member of an archive, or bytes in the cell.

What comes as values (.npy) is kept without loss as values; what comes encoded (PNG, JPEG, TIFF) is kept as it came
and decoded where it is used.  Its budget is judged by its header, before anything is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors, part
from flyball.data import arrivals, lossless, pictures

if TYPE_CHECKING:
    from flyball.data.stage import Array

MAGIC = b"\x93NUMPY"
#: How much may be unpacked whatever the ratio: a blank image packs very well.
FREE = 16 * 2**20
#: What may happen when more images come than can be taken in.
FULL = ("hold", "oldest", "newest")
#: What a member of a shard is called by its form, for whoever opens the shard with other tools.
ENDINGS = {"array": "fly", "png": "png", "jpeg": "jpg", "tiff": "tif"}


class Images(part.Part):
    """What a page says of one image column: the size it is decoded to, and what is too large to be decoded.

    `size` (rows, columns) is given to every image where it is loaded; a JPEG is then decoded at a fraction of its
    size.  An image of more than `pixels`, a file of more than `bytes`, or one that unpacks to more than `ratio` times
    its own bytes (16 MiB are free) is quarantined before it is decoded (Pillow has a limit of its own for encoded
    ones, 179 million pixels).  With `proved` an encoded image is decoded
    once when it arrives, so that all in the store can be; without it its structure and checksums are looked at.
    `full` says what happens when more come than can be taken in: the sender is held up ("hold", nothing is lost), or
    the "oldest" or the "newest" that waits is dropped and counted.

    >>> Images("maps.map", size=(64, 64)).size
    (64, 64)
    """

    column: str
    size: tuple[int, int] | None = None
    pixels: int = 64 * 2**20
    bytes: int = 256 * 2**20
    ratio: int = 200
    proved: bool = True
    full: str = "hold"

    def reads(self) -> tuple[str, ...]:
        """Return the column it is about."""
        return (self.column,)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.size is not None and not (len(self.size) == 2 and all(1 <= n <= 2**15 for n in self.size)):
            yield errors.Problem("size", f"{self.size!r} is no size", "give (rows, columns)")
        for name in ("pixels", "bytes", "ratio"):
            if getattr(self, name) < 1:
                yield errors.Problem(name, f"{getattr(self, name)} lets no image in", "give 1 or more")
        if self.full not in FULL:
            yield errors.Problem("full", f"no way {self.full!r}", errors.did_you_mean(self.full, FULL))
        if page is not None and page.data.columns().get(self.column, "image") != "image":
            yield errors.Problem("column", f"{self.column!r} is no image", "name a column declared as image")

    def judge(self, pixels: int, unpacked: int, packed: int) -> None:
        """Raise DataError for an image that is beyond the budget."""
        if pixels > self.pixels:
            raise errors.DataError(f"an image of {pixels} pixels, at most {self.pixels} are read")
        if packed > self.bytes:
            raise errors.DataError(f"an image of {packed} bytes, at most {self.bytes} are read")
        if unpacked > FREE and unpacked > self.ratio * packed:
            raise errors.DataError(
                f"an image that unpacks to {unpacked // max(packed, 1)} times its size, at most {self.ratio} times"
            )


class Member(NamedTuple):
    """One image as the store keeps it: `content` under its digest, with what is known of it without decoding.

    `digest` is that of the values where the form is "array", so that equal images are one however they came; it is
    that of the bytes where they are kept as they came.
    """

    digest: str
    form: str
    kind: str
    shape: tuple[int, ...]
    content: bytes


def find(cell: str | bytes | None, folder: Path, budget: Images | None = None) -> bytes | None:
    """Return the bytes behind a cell: the cell's own, or those of the file it names below `folder`.

    Raises DataError for a name that leads out of the folder or to no regular file, and for a file that is too large.
    """
    if cell is None or isinstance(cell, bytes):
        return cell
    return arrivals.find(cell, folder, (budget or Images("")).bytes)


def member(content: bytes, budget: Images | None = None) -> Member:
    """Return an image as the store keeps it; raises DataError for what is no whole image within the budget.

    >>> import io, numpy as np
    >>> sink = io.BytesIO(); np.save(sink, np.eye(2, dtype=np.uint8))
    >>> member(sink.getvalue())[1:4]
    ('array', '|u1', (2, 2))
    """
    limits = budget or Images("")
    if content.startswith(MAGIC):
        return packed(_npy(content, limits))
    picture = pictures.look(content)
    limits.judge(picture.pixels, picture.bytes, len(content))
    if limits.proved:
        decoded(content, proof=True)
    shape = (picture.height, picture.width, *([picture.channels] if picture.channels > 1 else []))
    return Member(
        hashlib.sha256(content).hexdigest(), picture.form, f"|u{-(-picture.bits // 8)}", shape, content
    )


def packed(array: Array) -> Member:
    """Return values as the store keeps them."""
    return Member(digest(array), "array", array.dtype.str, array.shape, lossless.pack(array))


def decode(content: bytes, budget: Images | None = None, size: tuple[int, int] | None = None) -> Array:
    """Return an image as an array of two or three dimensions: .npy, packed values, PNG, JPEG or TIFF.

    `size` (rows, columns) scales it.  Raises DataError for anything else, and for one too large, before it is decoded.

    >>> import io, numpy as np
    >>> sink = io.BytesIO(); np.save(sink, np.eye(2, dtype=np.uint8))
    >>> decode(sink.getvalue()).tolist()
    [[1, 0], [0, 1]]
    """
    limits = budget or Images("")
    if content.startswith(MAGIC):
        return scaled(_npy(content, limits), size)
    if content.startswith(lossless.MAGIC):
        head = lossless.look(content)
        limits.judge(math.prod(head.shape), head.bytes, len(content))
        return scaled(lossless.unpack(content), size)
    picture = pictures.look(content)
    limits.judge(picture.pixels, picture.bytes, len(content))
    return decoded(content, size)


def _npy(content: bytes, limits: Images) -> Array:
    import numpy as np

    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, kind = read(file)
    except Exception as error:  # the header is read as Python: it may end in a tokenizer's error as well
        raise errors.DataError(f"a damaged .npy image ({str(error)[:80]})") from None
    size = math.prod(shape) * kind.itemsize
    if len(shape) not in (2, 3) or kind.kind not in lossless.KINDS:
        raise errors.DataError(
            f"an image of shape {shape} and type {kind}: two or three dimensions of numbers expected"
        )
    limits.judge(math.prod(shape), 0, len(content))
    left = content[file.tell() :]
    if len(left) != size:
        raise errors.DataError(f"incomplete image: {len(left)} of {size} bytes")
    return np.frombuffer(left, dtype=kind).reshape(shape, order="F" if fortran else "C")


def decoded(content: bytes, size: tuple[int, int] | None = None, proof: bool = False) -> Array:
    """Return the values of a picture that was judged before, scaled to `size` (rows, columns) if one is given.

    A JPEG that is to be small, or only proved, is decoded at the fraction of its size that is nearest above.
    """
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        raise errors.DataError(
            "no .npy image: pip install 'flyball[images]' to read PNG, JPEG and TIFF"
        ) from None
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "TIFF")) as picture:
            if size is not None or proof:
                rows, columns = size or (1, 1)
                picture.draft(None, (columns, rows))
            if size is None or picture.mode not in ("L", "RGB"):
                return scaled(np.asarray(picture), size)
            return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise errors.DataError(f"no image that can be read ({str(error)[:80]})") from None


def scaled(array: Array, size: tuple[int, int] | None) -> Array:
    """Return an image at a size (rows, columns): averaged where it gets smaller; values of the same type.

    >>> import numpy as np
    >>> scaled(np.array([[0, 2], [4, 6]], np.uint8), (1, 1)).tolist()
    [[3]]
    """
    if size is None or array.shape[:2] == size or not array.size:
        return array
    import numpy as np
    from PIL import Image

    def one(plane: Array) -> Array:
        light = Image.fromarray(plane if plane.dtype == np.uint8 else plane.astype(np.float32))
        small = np.asarray(light.resize((size[1], size[0]), Image.Resampling.BILINEAR))
        whole = plane.dtype.kind in "ui" and plane.dtype != np.uint8
        return (np.rint(small) if whole else small).astype(plane.dtype)

    if array.ndim == 2 or (array.dtype == np.uint8 and array.shape[2] in (3, 4)):
        return one(array)
    return np.stack([one(array[:, :, place]) for place in range(array.shape[2])], axis=2)


def digest(image: Array) -> str:
    """Return the SHA-256 of an image's type, shape and values: equal images are equal however they were packed.

    >>> import numpy as np
    >>> digest(np.zeros((2, 3), np.uint8)) == digest(np.zeros((3, 2), np.uint8))
    False
    """
    import numpy as np

    found = hashlib.sha256(f"{image.dtype.str}{image.shape}".encode())
    found.update(np.ascontiguousarray(image).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
