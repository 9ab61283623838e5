"""Tensors as they come in a request, each size held against its cap before memory is spent on it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from flyball import errors

if TYPE_CHECKING:
    from flyball.data.stage import Array

#: Datatypes of the protocol and those of NumPy.
DATATYPES = {
    "BOOL": "|b1", "UINT8": "|u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "|i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "BYTES": "",
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DATATYPES.items()}


@dataclass(frozen=True)
class Caps:
    """The most that one request may hold; more is refused before it is read or unpacked."""

    body: int = 2**20
    rows: int = 1024
    tensors: int = 1024
    values: int = 2**16
    nesting: int = 8
    text: int = 256
    #: Seconds in which the body of a request must be here, and an answer there.
    body_s: float = 5.0
    answer_s: float = 5.0
    #: Requests that are answered at one time; one more is told to come back.
    together: int = 128


class RefusedError(errors.DataError):
    """The request is refused: `status` is that of HTTP, the words are for whoever sent it."""

    def __init__(self, status: int, words: str) -> None:
        self.status, self.words = status, words
        super().__init__(words)


class Tensor(NamedTuple):
    """One tensor as it came, from JSON or gRPC: its values flat, in row-major order."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Sequence[Any]


def refuse(words: str, status: int = 400) -> NoReturn:
    """Refuse a request."""
    raise RefusedError(status, words)


def parsed(body: bytes, caps: Caps) -> dict[str, Any]:
    """Return the object of a JSON body; what is too much of anything is refused before it is unpacked."""
    if len(body) > caps.body:
        refuse(f"more than {caps.body} bytes", 413)
    # Counted in the bytes, at the speed of memory: a parser would make an object of each first.
    if body.count(b"[") + body.count(b"{") > 4 * caps.tensors + caps.rows:
        refuse("too many arrays and objects")
    if (
        body.count(b",") > caps.values + 8 * caps.tensors
        or body.count(b'"') > 2 * caps.values + 32 * caps.tensors
    ):
        refuse("too many values")
    try:
        found = _DECODER.decode(body.decode())
    except RefusedError:
        raise
    except (ValueError, RecursionError):
        refuse("no JSON")
    if not isinstance(found, dict):
        refuse("no JSON object")
    return found


def _no_number(name: str) -> NoReturn:
    refuse(f"{name} is no JSON; null is a value that is missing")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def tensors(request: Mapping[str, Any], caps: Caps) -> list[Tensor]:
    """Return the tensors of a request that came as JSON."""
    if not isinstance(request.get("parameters", {}), dict):
        refuse("parameters is no object")
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= caps.tensors:
        refuse(f"inputs is no list of 1 to {caps.tensors} tensors")
    wanted = request.get("outputs", [])
    if not isinstance(wanted, list) or len(wanted) > 1 or any(_named(one) != "answer" for one in wanted):
        refuse("outputs may name 'answer' alone")
    return [_tensor(one, caps) for one in inputs]


def text_of(request: Mapping[str, Any], caps: Caps) -> str | None:
    """Return the id that the answer carries back."""
    found = request.get("id")
    if found is not None and (not isinstance(found, str) or len(found) > caps.text):
        refuse(f"id is no text of at most {caps.text} characters")
    return found


def _named(one: Any) -> Any:
    return one.get("name") if isinstance(one, dict) else None


def _tensor(one: Any, caps: Caps) -> Tensor:
    if not isinstance(one, dict):
        refuse("a tensor is no object")
    name, datatype, shape, values = (one.get(key) for key in ("name", "datatype", "shape", "data"))
    if not isinstance(name, str) or len(name) > caps.text:
        refuse(f"a tensor without a name of at most {caps.text} characters")
    if not isinstance(shape, list) or not isinstance(values, list) or not isinstance(datatype, str):
        refuse("a tensor without datatype, shape and data")
    sizes = checked(shape, datatype, caps)
    depth = 1
    while values and type(values[0]) is list:  # the protocol allows nested data as well as flat
        depth += 1
        if depth > len(sizes) or any(type(part) is not list for part in values):
            refuse("data is not of its shape")
        values = list(itertools.chain.from_iterable(values))
    if len(values) != math.prod(sizes):
        refuse("data is not of its shape")
    return Tensor(name, datatype, sizes, values)


def checked(shape: Sequence[Any], datatype: str, caps: Caps) -> tuple[int, ...]:
    """Return a shape that is one, with no more rows and values than a request may have."""
    if datatype not in DATATYPES:
        refuse("no such datatype")
    if not 1 <= len(shape) <= caps.nesting or not all(
        type(size) is int and 0 <= size < 2**63 for size in shape
    ):
        refuse("no such shape")
    if shape[0] > caps.rows:
        refuse(f"more than {caps.rows} rows: ask in pieces")
    if math.prod(shape) > caps.values:
        refuse(f"more than {caps.values} values: ask in pieces")
    return tuple(shape)


def numbers(values: Sequence[Any], datatype: str, name: str, want: str = "FP64") -> Array:
    """Return plain numbers as an array of the wanted datatype; a value that is missing is NaN."""
    import numpy as np

    if datatype == "BYTES":
        refuse(f"input {name!r} is not of numbers")
    floats = datatype.startswith("FP")
    if isinstance(values, np.ndarray):
        found = values
    else:
        kinds = set(map(type, values))
        allowed = {bool} if datatype == "BOOL" else {int, float, type(None)} if floats else {int}
        if not kinds <= allowed:
            refuse(f"input {name!r} holds what is no {datatype}")
        if type(None) in kinds:
            values = [math.nan if value is None else value for value in values]
        try:
            found = np.array(values, dtype=DATATYPES[datatype])
        except OverflowError:
            refuse(f"input {name!r} holds what is no {datatype}")
    if floats and bool(np.isinf(found).any()):
        refuse(f"input {name!r} holds what is not finite")
    if not want.startswith("FP") and floats:
        refuse(f"input {name!r} is not {want}")
    with np.errstate(over="ignore"):
        out = found.astype(DATATYPES[want])
    if not (want.startswith("FP") or bool((out == found).all())) or bool(np.isinf(out).any()):
        refuse(f"input {name!r} holds what is no {want}")
    return out
