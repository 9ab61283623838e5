"""How an agent and its scorer talk: frames of a fixed header, a short description and raw arrays, each bounded.

A frame is 24 bytes of header (magic, kind, number, lengths), a JSON description, and a body of raw little-endian
arrays with the texts last.  Every length is held against its limit before anything is read, nothing is ever
unpickled, and the description is the same for every question of one page, so that it is parsed once.
"""

from __future__ import annotations

import enum
import functools
import json
import math
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors
from flyball.data import stage as data
from flyball.features import arrays
from flyball.features import stage as features

if TYPE_CHECKING:
    from flyball.data.stage import Array

MAGIC = b"FBY1"
HEADER = struct.Struct("<4sB3xIIQ")
#: The most bytes of a description, of a body, and of the texts at the end of one.
MOST_DESCRIBED, MOST_BODY, MOST_TEXT = 2**20, 2**28, 2**22
#: The most rows, and columns, of one question.
MOST_ROWS, MOST_COLUMNS = 100_000, 10_000
DTYPES = ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1", "|b1")
_PIECE = 2**16


class Kind(enum.IntEnum):
    """What a frame is: a scorer says ready or refused once, then answers what it is asked."""

    READY = 1
    REFUSED = 2
    ASK = 3
    ANSWER = 4
    FAILED = 5
    CHECK = 6
    CHECKED = 7


class Frame(NamedTuple):
    """One message; `number` joins an answer to its question."""

    kind: Kind
    number: int
    description: bytes = b""
    body: bytes = b""


class Channel:
    """One end of a stream of frames; one thread may send while another receives."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._held = bytearray()

    def send(self, kind: Kind, number: int, description: bytes = b"", body: Sequence[Any] = ()) -> None:
        """Send a frame whole, waiting for the reader where it is behind; raises OSError when nobody reads."""
        self.send_all([packed(kind, number, description, body)])

    def send_all(self, frames: Iterable[bytes]) -> None:
        """Send frames that were packed before, in one go."""
        self.end.sendall(b"".join(frames))

    def receive(self) -> Frame | None:
        """Return the next frame, or None when the other end closed between two frames.

        Raises DataError for what is no frame, is larger than a frame may be, or ends in its middle.
        """
        if not self._fill(HEADER.size):
            return None
        magic, kind, number, described, body = HEADER.unpack_from(self._held)
        if magic != MAGIC or kind not in Kind._value2member_map_:
            raise errors.DataError("no frame of this version: start agent and scorer from one installation")
        if described > MOST_DESCRIBED or body > MOST_BODY:
            raise errors.DataError(
                f"a frame of {described} + {body} bytes: at most {MOST_DESCRIBED} + {MOST_BODY}"
            )
        whole = HEADER.size + described + body
        self._fill(whole)
        with memoryview(self._held) as held:
            head = HEADER.size + described
            frame = Frame(Kind(kind), number, bytes(held[HEADER.size : head]), bytes(held[head:whole]))
        del self._held[:whole]
        return frame

    def more(self) -> bool:
        """Say whether a whole further frame is here already."""
        if len(self._held) < HEADER.size:
            return False
        *_, described, body = HEADER.unpack_from(self._held)
        return len(self._held) >= HEADER.size + int(described) + int(body)

    def _fill(self, size: int) -> bool:
        while len(self._held) < size:
            # What is claimed is not set aside before it comes: memory follows what was really sent.
            piece = self.end.recv(max(_PIECE, min(size - len(self._held), 2**20)))
            if not piece:
                if self._held:
                    raise errors.DataError(f"the stream ends at byte {len(self._held)} of a frame of {size}")
                return False
            self._held += piece
        return True


def packed(kind: Kind, number: int, description: bytes = b"", body: Sequence[Any] = ()) -> bytes:
    """Return a frame as it is sent.

    >>> len(packed(Kind.CHECK, 1))
    24
    """
    whole = b"".join(body)
    if len(description) > MOST_DESCRIBED or len(whole) > MOST_BODY:
        raise errors.DataError(
            f"{len(description)} + {len(whole)} bytes are more than one frame holds: ask for fewer rows at once"
        )
    return HEADER.pack(MAGIC, kind, number, len(description), len(whole)) + description + whole


def told(value: Mapping[str, Any]) -> bytes:
    """Return a small object as a description."""
    return json.dumps(value, separators=(",", ":")).encode()


def heard(description: bytes) -> dict[str, Any]:
    """Return the object of a description; raises DataError when it is none."""
    try:
        found = json.loads(description)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise errors.DataError("a description that is no JSON object")
    return found


def write_answer(answer: Array) -> tuple[bytes, list[bytes]]:
    """Return the description and body of one array."""
    import numpy as np

    whole = np.ascontiguousarray(answer)
    return told({"dtype": whole.dtype.str, "shape": whole.shape}), [whole.tobytes()]


def read_answer(frame: Frame) -> Array:
    """Return the array of a frame; raises DataError when it is not what its description says."""
    found = heard(frame.description)
    kind = _typed([found.get("dtype"), found.get("shape")])
    return _Body(frame.body).take(*kind)


def write_matrix(x: features.Matrix) -> tuple[bytes, list[bytes]]:
    """Return the description and body of a matrix; late columns travel decoded.

    Raises DataError for more rows or columns than one question may have.
    """
    import numpy as np

    if len(x) > MOST_ROWS or len(x.columns) > MOST_COLUMNS:
        raise errors.DataError(
            f"{len(x)} rows of {len(x.columns)} columns: at most {MOST_ROWS} rows of {MOST_COLUMNS}, ask in pieces"
        )
    columns: list[Any] = []
    texts: list[Sequence[str]] = [x.moments.keys]
    numbers: list[Array] = []
    rest: list[Array] = [
        np.asarray(x.moments.codes, dtype=np.int32), np.asarray(x.moments.at, dtype=np.int64)
    ]  # fmt: skip
    for name, column in x.columns.items():
        if isinstance(column, data.Words):
            columns.append([name, "words"])
            texts.append(column.labels)
            rest.append(np.asarray(column.codes, dtype=np.int32))
        elif isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype == np.float64:
            columns.append([name, "number"])
            numbers.append(column)
        elif isinstance(column, np.ndarray):
            columns.append([name, "array", _little(column).dtype.str, column.shape])
            rest.append(_little(column))
        else:
            items = [_little(item) for item in column.load()]
            columns.append([name, "items", [[item.dtype.str, item.shape] for item in items]])
            rest += items
    described = {"rows": len(x), "columns": columns, "stopped": dict(x.stopped)}
    block = [np.concatenate(numbers).tobytes()] if numbers else []
    body = block + [_padded(one.tobytes()) for one in rest]
    return told(described), [*body, json.dumps(texts).encode()]


def read_matrix(frame: Frame) -> features.Matrix:
    """Return the matrix of a frame; raises DataError when it is not what its description says."""
    import numpy as np

    rows, columns, stopped = _plan(frame.description)
    body = _Body(frame.body)
    many = sum(kind == "number" for _, kind, _ in columns)
    block = iter(body.take("<f8", (many, rows)))
    codes, at = body.take("<i4", (rows,)), body.take("<i8", (rows,))
    found: dict[str, Any] = {}
    worded: list[str] = []
    for name, kind, shapes in columns:
        if kind == "number":
            found[name] = next(block)
        elif kind == "items":
            found[name] = arrays.Loaded([body.take(*one) for one in shapes])
        else:
            found[name] = body.take(*shapes[0])
            worded += [name] if kind == "words" else []
    texts = body.texts(1 + len(worded))
    for labels, name in zip(texts[1:], worded, strict=True):
        if rows and not -1 <= int(np.min(found[name])) <= int(np.max(found[name])) < len(labels):
            raise errors.DataError(f"column {name!r} names words that are not there")
        found[name] = data.Words(found[name], labels)
    if rows and not 0 <= int(np.min(codes)) <= int(np.max(codes)) < len(texts[0]):
        raise errors.DataError("moments name machines that are not there")
    return features.Matrix(features.Moments(texts[0], codes, at), found, stopped)


class _Body:
    """The body of a frame, taken piece by piece; what is claimed beyond its end is refused."""

    def __init__(self, body: bytes) -> None:
        self.body, self.at = body, 0

    def take(self, dtype: str, shape: tuple[int, ...]) -> Array:
        import numpy as np

        count = math.prod(shape)
        size = count * np.dtype(dtype).itemsize
        if size > len(self.body) - self.at:
            raise errors.DataError("an array is longer than its frame")
        found = np.frombuffer(self.body, dtype, count, self.at).reshape(shape)
        self.at += size + -size % 8
        return found

    def texts(self, many: int) -> list[tuple[str, ...]]:
        rest = self.body[self.at :]
        try:
            found = json.loads(rest) if len(rest) <= MOST_TEXT else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list) or len(found) != many or not all(map(_are_texts, found)):
            raise errors.DataError("the texts of a frame are not what its description says")
        return [tuple(one) for one in found]


@functools.lru_cache(maxsize=64)
def _plan(description: bytes) -> tuple[int, list[tuple[str, str, list[Any]]], dict[str, str]]:
    found = heard(description)
    rows, columns, stopped = found.get("rows"), found.get("columns"), found.get("stopped")
    if type(rows) is not int or not 0 <= rows <= MOST_ROWS:
        raise errors.DataError(f"{rows!r} rows: at most {MOST_ROWS}")
    if not isinstance(columns, list) or len(columns) > MOST_COLUMNS or not isinstance(stopped, dict):
        raise errors.DataError(f"no list of at most {MOST_COLUMNS} columns")
    if not _are_texts(list(stopped.values())):
        raise errors.DataError("a stopped column without a reason")
    return rows, [_column(one, rows) for one in columns], stopped


def _column(told_: Any, rows: int) -> tuple[str, str, list[Any]]:
    """Return name, kind and the arrays of a described column."""
    if not isinstance(told_, list) or len(told_) < 2 or not _are_texts(told_[:2]):
        raise errors.DataError("a column without a name and a kind")
    name, kind, *rest = told_
    if kind == "number" and not rest:
        return name, kind, []
    if kind == "words" and not rest:
        return name, kind, [("<i4", (rows,))]
    if kind == "array" and len(rest) == 2:
        found = _typed(rest)
        if found[1][:1] == (rows,):
            return name, kind, [found]
    if kind == "items" and len(rest) == 1 and isinstance(rest[0], list) and len(rest[0]) == rows:
        return name, kind, [_typed(one) for one in rest[0]]
    raise errors.DataError(f"column {name!r} is not described as a column is")


def _typed(told_: Any) -> tuple[str, tuple[int, ...]]:
    dtype, shape = told_ if isinstance(told_, list) and len(told_) == 2 else (None, None)
    right = (
        isinstance(shape, list)
        and len(shape) <= 8
        and all(type(n) is int and 0 <= n <= MOST_BODY for n in shape)
    )
    if dtype not in DTYPES or not right:
        raise errors.DataError(f"an array of dtype {dtype!r} and shape {shape!r}")
    return str(dtype), tuple(shape)  # type: ignore[arg-type]


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(one, str) for one in values)


def _little(array: Any) -> Array:
    import numpy as np

    found = np.ascontiguousarray(array)
    found = found.astype(found.dtype.newbyteorder("<"), copy=False)
    if found.dtype.str not in DTYPES:
        raise errors.DataError(f"an array of dtype {found.dtype}: numbers and truth values alone travel")
    return found.reshape(np.shape(array))


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 8)
