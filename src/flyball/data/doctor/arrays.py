"""Arrays as NumPy writes them (.npz, .npy, packed or plain): columns that belong to the same rows, stacks of images.

Arrays of one folder whose first dimension is equal are one table.  Images lie in a stack [n, rows, columns], or one
after another in a flat array, if a column of shapes [n, 2] says where each ends.  Nothing pickled is opened.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from flyball import errors
from flyball.data.doctor import folder, members

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Array

#: An array of more bytes, unpacked, is refused; all of a folder together keep at most as many.
LARGEST = 512 * 2**20
#: A second dimension of at most this many is so many columns.
WIDE = 256


@dataclass(eq=False)
class Group:
    """Arrays of one folder that belong to the same n rows: columns by name, and the images, one per row, if any."""

    name: str
    rows: int
    frame: pl.DataFrame
    images: Sequence[Array] = ()
    imaged: str = ""
    files: list[str] = field(default_factory=list)


def read(files: Sequence[folder.File], most: int = LARGEST) -> tuple[list[Group], list[tuple[str, str]]]:
    """Return the groups of some arrays, and (name, reason) of what could not be read."""
    unread: list[tuple[str, str]] = []
    by_folder: dict[str, dict[str, Array]] = {}
    for file in files:
        above = file.name.rpartition("/")[0]
        try:
            for name, array in _arrays(file, most):
                most -= array.nbytes
                by_folder.setdefault(above, {})[name] = array
        except errors.DataError as error:
            unread.append((file.name, str(error)))
        except Exception as error:  # NumPy's header may end in any, a tokenizer's too
            unread.append((file.name, f"damaged ({(str(error).splitlines() or ['?'])[0][:100]})"))
    groups: list[Group] = []
    for above, arrays in sorted(by_folder.items()):
        groups += _grouped(above, arrays)
    return groups, unread


def _arrays(file: folder.File, most: int) -> Iterator[tuple[str, Array]]:
    """Yield (file:array or file, array) of one file; raises DataError for what is too large or no plain array."""
    content = members.content(file, LARGEST)
    stem = file.name.rpartition("/")[2]
    if file.ending == ".npz":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for told in packed.infolist():
                with packed.open(told) as member:
                    array = _array(member, most, f"{told.filename!r} in {stem}")
                most -= array.nbytes
                yield f"{stem}:{told.filename.removesuffix('.npy')}", array
        return
    plain = io.BytesIO(content)
    if file.ending == ".npy.xz":
        with lzma.LZMAFile(plain, format=lzma.FORMAT_XZ) as unpacked:
            yield stem, _array(unpacked, most, stem)
    elif file.ending == ".npy.gz":
        with gzip.GzipFile(fileobj=plain) as inflated:
            yield stem, _array(cast(IO[bytes], inflated), most, stem)
    else:
        yield stem, _array(plain, most, stem)


def _array(file: IO[bytes], most: int, name: str) -> Array:
    """Read one array; how much it takes is told by its header, before any of it is unpacked."""
    import math

    import numpy as np

    version = np.lib.format.read_magic(cast(Any, file))
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)  # fmt: skip
    if read_header is None:
        raise errors.DataError(f"{name}: an array of version {version} is not read")
    shape, fortran, kind = read_header(cast(Any, file))
    size = math.prod(shape) * kind.itemsize
    if kind.hasobject:
        raise errors.DataError(f"{name} holds pickled objects, which are never opened: write plain arrays")
    if size > most:
        raise errors.DataError(f"{name} unpacks to {size} bytes, at most {most} are read")
    content = b""
    pieces = []
    left = size
    while left and (content := file.read(min(left, 2**24))):
        pieces.append(content)
        left -= len(content)
    if left:
        raise errors.DataError(f"{name} is incomplete: {size - left} of {size} bytes")
    flat = np.frombuffer(b"".join(pieces), dtype=kind)
    found: Array = flat.reshape(shape, order="F" if fortran else "C")
    return found


def _grouped(above: str, arrays: Mapping[str, Array]) -> list[Group]:
    """Return the arrays of a folder as tables: by the file of one stack of images, else by equal length."""
    lengths: dict[int, dict[str, Array]] = {}
    flat: dict[str, Array] = {}
    for name, array in arrays.items():
        if array.ndim == 0:
            continue
        is_pixels = array.dtype.itemsize == 1 and array.dtype.kind in "ui"
        if array.ndim == 1 and is_pixels and any(_fit(array, other) for other in arrays.values()):
            flat[name] = array
        else:
            lengths.setdefault(len(array), {})[name] = array
    groups = []
    for rows, inside in sorted(lengths.items(), key=lambda pair: -pair[0]):
        group = _group(above, rows, inside)
        for name, array in flat.items():
            shapes = next((other for other in inside.values() if _fit(array, other)), None)
            if shapes is not None and not group.imaged:
                group.images, group.imaged = _cut(array, shapes), name
                group.files.append(name)
        groups.append(group)
    # What is as long as a list of classes is no table of its own.
    largest = max((group.rows for group in groups), default=0)
    return [group for group in groups if group.rows * 20 >= largest or group.imaged]


def _group(above: str, rows: int, inside: Mapping[str, Array]) -> Group:
    import polars as pl

    columns: dict[str, Any] = {}
    images: Sequence[Array] = ()
    imaged = ""
    for name, array in inside.items():
        plain = name.rpartition(":")[2].partition(".")[0]
        if array.ndim >= 3:
            if not imaged:
                images, imaged = list(array), name
            continue
        if array.ndim == 2:
            few = array.shape[1] <= WIDE and array.dtype.kind in "biuf"
            columns |= {f"{plain}_{at}": array[:, at] for at in range(array.shape[1])} if few else {}
        elif array.dtype.kind in "biufUM":
            columns[plain] = array
        elif array.dtype.kind == "S":
            columns[plain] = [value.decode("utf-8", "replace") for value in array.tolist()]
    frame = pl.DataFrame({name: pl.Series(name, values) for name, values in columns.items()})
    stem = next(iter(inside)).partition(":")[0].partition(".")[0]
    return Group(above.rpartition("/")[2] or stem, rows, frame, images, imaged, sorted(inside))


def _fit(flat: Array, shapes: Array) -> bool:
    """Say whether a column of shapes [n, 2] cuts a flat array into n images without a rest."""
    import numpy as np

    if shapes.ndim != 2 or shapes.shape[1] != 2 or shapes.dtype.kind not in "iu" or not len(shapes):
        return False
    return int(shapes.astype(np.int64).prod(axis=1).sum()) == len(flat) and int(shapes.min()) > 0


def _cut(flat: Array, shapes: Array) -> list[Array]:
    import numpy as np

    ends = np.cumsum(shapes.astype(np.int64).prod(axis=1)).tolist()
    return [
        flat[end - rows * width : end].reshape(rows, width)
        for end, (rows, width) in zip(ends, shapes.tolist(), strict=True)
    ]
