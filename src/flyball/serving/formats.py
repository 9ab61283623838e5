"""Which files a release may hold: those that are read as data and nothing else, told by suffix and by content.

Why: a scanner that looks for bad pickles misses most ways to hide one (Zhao et al. 2025: 19 of 22 load paths), so
none is looked for.  A file whose kind is not on the list is refused, and each kind is looked at before any library
reads it: arrays of numbers, never of objects; ONNX graphs that hold their own weights, never those of another file.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from flyball import errors

#: How pickles, PyTorch archives and Keras files begin, whatever their name says.
_CODE = {
    b"\x80\x02": "a pickle", b"\x80\x03": "a pickle", b"\x80\x04": "a pickle", b"\x80\x05": "a pickle",
    b"\x89HDF": "an HDF5 file, which may hold code",
}  # fmt: skip
#: How an ensemble of `kernels.Trees` begins.
_TREES = b"flyball trees 1\n"
#: How a sketch of `monitoring.sketches` begins; its digest follows.
_SKETCH = b"flyball sketch 1\n"
#: A text is read whole to be looked at; none in a release is larger.
_LARGEST_TEXT = 2**28


def check(file: Path) -> None:
    """Raise FormatError when a file is of a kind that no release may hold.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = (Path(place) / "model.pkl").write_bytes(b"")
    ...     check(Path(place) / "model.pkl")
    Traceback (most recent call last):
    flyball.errors.FormatError: model.pkl: files of this kind have no place in a release: refuse it
    """
    with file.open("rb") as content:
        start = content.read(4)
    for magic, what in _CODE.items():
        if start.startswith(magic):
            raise errors.FormatError(f"{file.name}: {what}: it could run code when read: refuse it")
    look = _KINDS.get(file.suffix)
    if look is None:
        raise errors.FormatError(f"{file.name}: files of this kind have no place in a release: refuse it")
    try:
        look(file)
    except (ValueError, KeyError, EOFError, OSError, RecursionError, zipfile.BadZipFile) as error:
        raise errors.FormatError(
            f"{file.name}: not what its name says ({type(error).__name__}: {error}): refuse it"
        ) from None


def _json(file: Path) -> None:
    json.loads(_text(file))


def _text(file: Path) -> str:
    if file.stat().st_size > _LARGEST_TEXT:
        raise errors.FormatError(f"{file.name}: more than {_LARGEST_TEXT} bytes of text: refuse it")
    text = file.read_text(encoding="utf-8")
    if "\0" in text:
        raise ValueError("a text with zeros")
    return text


def _module(file: Path) -> None:
    import ast

    ast.parse(_text(file))


def _weights(file: Path) -> None:
    """Weights beside an OpenVINO graph: bytes that nothing but the runner reads, signed as all else."""
    if zipfile.is_zipfile(file):
        raise ValueError("an archive")


def _trees(file: Path) -> None:
    """Look at an ensemble of our own tree scorer: its mark, and a note in JSON as long as it says."""
    content = file.read_bytes()
    start = len(_TREES) + 4
    long = int.from_bytes(content[len(_TREES) : start], "little")
    if not content.startswith(_TREES) or start + long > len(content):
        raise ValueError("no trees of this version")
    json.loads(content[start : start + long])


def _sketch(file: Path) -> None:
    """Look at a sketch of columns: its mark, and that the digest it carries is that of what follows."""
    content, start = file.read_bytes(), len(_SKETCH) + 32
    if (
        not content.startswith(_SKETCH)
        or hashlib.sha256(content[start:]).digest() != content[len(_SKETCH) : start]
    ):
        raise ValueError("no sketch of this version, or a damaged one")


def _xml(file: Path) -> None:
    """Look at an OpenVINO graph: no entities, which could grow without bound or read other files."""
    text = _text(file)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("declares entities")


def _arrays(file: Path) -> None:
    """Look at the header of every array: plain numbers or texts, no objects, no more than the archive says."""
    with zipfile.ZipFile(file) as archive:
        for told in archive.infolist():
            if not told.filename.endswith(".npy") or "/" in told.filename or told.file_size > 2**31:
                raise ValueError(f"{told.filename!a} is no array of a release")
            with archive.open(told) as content:
                _array(content.read(2**16))


def _lone(file: Path) -> None:
    """Look at the header of one array in a file of its own: what the predictors of `model` pack their numbers in."""
    with file.open("rb") as content:
        _array(content.read(2**16))


def _array(start: bytes) -> None:
    import ast

    if start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise ValueError("no NumPy array")
    wide = 2 if start[6] == 1 else 4
    long = int.from_bytes(start[8 : 8 + wide], "little")
    header = ast.literal_eval(start[8 + wide : 8 + wide + long].decode("utf-8"))
    if not isinstance(header["descr"], str) or "O" in header["descr"]:
        raise ValueError("an array of objects, which could run code when read")


#: Where a message of ONNX holds others: {message: {field: message}}, after onnx.proto of ONNX 1.20.
_ONNX: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
#: TensorProto: `external_data` and `data_location`.
_EXTERNAL, _LOCATION, _DEEPEST = 13, 14, 64


def _onnx(file: Path) -> None:
    """Refuse a graph any of whose tensors lies in another file, wherever that file would be."""
    content = file.read_bytes()
    if not any(field == 7 for field, _, _ in _fields(memoryview(content))):
        raise ValueError("no graph")
    _walk(memoryview(content), "model", file, 0)


def _walk(content: memoryview, message: str, file: Path, deep: int) -> None:
    if deep > _DEEPEST:
        raise ValueError(f"nested deeper than {_DEEPEST} levels")
    inner = _ONNX[message]
    for field, value, number in _fields(content):
        if message == "tensor" and (field == _EXTERNAL or (field == _LOCATION and number != 0)):
            raise errors.FormatError(
                f"{file.name}: a tensor of this graph lies in another file (external data): refuse it, "
                "or export the model as one file"
            )
        if field in inner and value is not None:
            _walk(value, inner[field], file, deep + 1)


def _fields(content: memoryview) -> Iterator[tuple[int, memoryview | None, int]]:
    """Yield (field, bytes or None, number) of a protobuf message; raises ValueError where it is none."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        field, wire = key >> 3, key & 7
        if wire == 0:
            number, at = _varint(content, at)
            yield field, None, number
            continue
        if wire == 2:
            size, at = _varint(content, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"no protobuf: wire type {wire}")
        if field == 0 or at + size > len(content):
            raise ValueError("no protobuf: a field runs past the end")
        yield field, content[at : at + size] if wire == 2 else None, 0
        at += size


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(content) or shift > 63:
            raise ValueError("no protobuf: a number without an end")
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


_KINDS: Mapping[str, Callable[[Path], object]] = {
    ".json": _json, ".txt": _text, ".md": _text, ".py": _module, ".npy": _lone, ".npz": _arrays, ".onnx": _onnx,
    ".xml": _xml, ".bin": _weights, ".trees": _trees, ".sketch": _sketch,
}  # fmt: skip
