"""The Open Inference Protocol, version 2: what a request asks of a release, and the answer as it is sent back.

A request has one tensor for each column of the release (`shape` [n], or [n, ...] for sequences and images; categories
are BYTES), or, where all columns are numbers, one tensor `x` of shape [n, d] in their order.  `key` (BYTES, the
machine) and `at` (INT64, microseconds UTC) may come along.  What is missing is null in JSON, and NaN or an empty text
in gRPC.  Every size is held against its cap before memory is spent on it, and refusals have few words.

Source: kserve/open-inference-protocol, `specification/protocol/inference_rest.md`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball.data import stage as data
from flyball.features import arrays
from flyball.features import stage as features
from flyball.site.endpoint_tensors import NAMES, Caps, Tensor, numbers, refuse

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints


class Question(NamedTuple):
    """A request that can be answered: its rows in the order of machines, and where each stood in the request."""

    matrix: features.Matrix
    order: Ints | None


class Input(NamedTuple):
    """A column as a request must give it: `kind` is number, array, words or items."""

    kind: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Schema:
    """What a release is asked with: its columns in order, read from its golden vectors."""

    digest: str
    inputs: Mapping[str, Input]

    @staticmethod
    def of(folder: Path, digest: str) -> Schema:
        """Read the schema of a verified release folder."""
        import numpy as np

        x = arrays.read_matrix(folder / "golden.npz")
        inputs: dict[str, Input] = {}
        for name, column in x.columns.items():
            if isinstance(column, data.Words):
                inputs[name] = Input("words", "BYTES", ())
            elif isinstance(column, np.ndarray):
                kind = "number" if column.ndim == 1 and column.dtype == np.float64 else "array"
                inputs[name] = Input(kind, NAMES[column.dtype.str], column.shape[1:])
            else:
                items = column.load()
                largest = tuple(max(sizes) for sizes in zip(*(item.shape for item in items), strict=True))
                inputs[name] = Input("items", NAMES[items[0].dtype.str], largest)
        return Schema(digest, inputs)

    @property
    def version(self) -> str:
        """The release as a client sees it."""
        return self.digest[:12]

    def described(self) -> list[dict[str, Any]]:
        """Return the inputs as the model's metadata tells them."""
        return [
            {"name": name, "datatype": one.datatype, "shape": [-1, *one.shape]}
            for name, one in self.inputs.items()
        ]


def question(given: Sequence[Tensor], schema: Schema, caps: Caps) -> Question:
    """Return what the tensors ask of a release, or refuse them in few words."""
    import numpy as np

    found = {one.name: one for one in given}
    if len(found) != len(given):
        refuse("a tensor is given twice")
    if sum(len(one.values) for one in given) > caps.values:
        refuse(f"more than {caps.values} values: ask in pieces")
    key = found.pop("key") if "key" in found and "key" not in schema.inputs else None
    at = found.pop("at") if "at" in found and "at" not in schema.inputs else None
    if set(found) == {"x"} and "x" not in schema.inputs:
        columns = _together(found["x"], schema)
        rows = found["x"].shape[0]
    else:
        for name in schema.inputs:
            if name not in found:
                refuse(f"input {name!r} is missing")
        if len(found) != len(schema.inputs):
            refuse("an input that the model does not have")
        rows = next(iter(found.values())).shape[0]
        columns = {name: _column(found[name], want, rows, caps) for name, want in schema.inputs.items()}
    when = np.full(rows, time.time_ns() // 1000) if at is None else _plain(at, rows, "at")
    words = _worded(key, rows, caps) if key is not None else None
    if words is None:
        moments = features.Moments(("",), np.zeros(rows, dtype=np.int32), when)
    else:
        moments = features.Moments(words.labels, words.codes, when)
    x = features.Matrix(moments, columns)
    order = np.lexsort((when, moments.codes))
    if np.array_equal(order, np.arange(rows)):
        return Question(x, None)
    return Question(x.take(order), order)


def _together(one: Tensor, schema: Schema) -> dict[str, data.Column]:
    """Return the columns of a tensor that holds them all side by side."""
    if any(want.kind != "number" for want in schema.inputs.values()):
        refuse("input 'x' stands for numbers alone, and the model has other columns: name each")
    if len(one.shape) != 2 or one.shape[1] != len(schema.inputs):
        refuse(f"input 'x' is not of shape [n, {len(schema.inputs)}]")
    import numpy as np

    block = numbers(one.values, one.datatype, one.name).reshape(one.shape)
    return dict(zip(schema.inputs, np.ascontiguousarray(block.T), strict=True))


def _column(one: Tensor, want: Input, rows: int, caps: Caps) -> data.Column:
    if one.shape[0] != rows:
        refuse("the tensors differ in their number of rows")
    if want.kind == "words":
        return _worded(one, rows, caps)
    if want.kind == "items":
        fits = len(one.shape) == 1 + len(want.shape) and all(
            0 < size <= most for size, most in zip(one.shape[1:], want.shape, strict=True)
        )
        if not fits:
            refuse(f"input {one.name!r} is not of a shape up to {[-1, *want.shape]}")
        return arrays.Loaded(
            list(numbers(one.values, one.datatype, one.name, want.datatype).reshape(one.shape))
        )
    if want.kind == "number" and one.shape == (rows, 1):
        one = one._replace(shape=(rows,))
    if one.shape[1:] != want.shape:
        refuse(f"input {one.name!r} is not of shape {[-1, *want.shape]}")
    return numbers(one.values, one.datatype, one.name, want.datatype).reshape(one.shape)


def _worded(one: Tensor, rows: int, caps: Caps) -> data.Words:
    if one.datatype != "BYTES" or one.shape not in ((rows,), (rows, 1)):
        refuse(f"input {one.name!r} is not BYTES of shape [n]")
    if any(type(text) is not str and text is not None for text in one.values):
        refuse(f"input {one.name!r} holds what is no text")
    if any(len(text) > caps.text for text in one.values if text is not None):
        refuse(f"input {one.name!r} holds a text of more than {caps.text} characters")
    return data.Words.of(one.values)


def _plain(one: Tensor, rows: int, name: str) -> Ints:
    if one.datatype != "INT64" or one.shape not in ((rows,), (rows, 1)):
        refuse(f"input {name!r} is not INT64 of shape [n]")
    return numbers(one.values, "INT64", name, "INT64")


def restored(answer: Array, order: Ints | None) -> Array:
    """Return the answers in the order of the request's rows."""
    import numpy as np

    if order is None:
        return answer
    out = np.empty_like(answer)
    out[order] = answer
    return out
