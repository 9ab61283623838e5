"""How a matrix lies in a file: plain .npy members, no pickle, read back equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data import stage as data
from flyball.features import stage as features

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Makes a late column again from its digests.
Fetch = Callable[[Sequence[str]], data.Late]


class Loaded:
    """A late column whose arrays are already here (golden vectors, a request)."""

    def __init__(self, arrays: Sequence[npt.NDArray[Any]]) -> None:
        self.arrays = list(arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, index: Any) -> Loaded:
        import numpy as np

        return Loaded(
            [self.arrays[place] for place in np.arange(len(self.arrays))[index].reshape(-1).tolist()]
        )

    def load(self) -> list[npt.NDArray[Any]]:
        """Return the arrays."""
        return self.arrays


def write_matrix(file: Path, x: features.Matrix, decode: bool = False) -> None:
    """Write a matrix as one .npz: moments, then a member per column.

    A late column is written as its digests, or, with `decode`, as its arrays: then the file stands alone.
    """
    import numpy as np

    members: dict[str, npt.NDArray[Any]] = {
        "moments.keys": np.array(x.moments.keys, dtype=str),
        "moments.codes": x.moments.codes,
        "moments.at": x.moments.at,
    }
    for place, (name, column) in enumerate(x.columns.items()):
        if isinstance(column, data.Words):
            members[f"words:{place}:{name}"] = column.codes
            members[f"labels:{place}:{name}"] = np.array(column.labels, dtype=str)
        elif isinstance(column, np.ndarray):
            members[f"array:{place}:{name}"] = column
        elif decode:
            members[f"loaded:{place}:{name}"] = np.array(len(column))
            members |= {f"item{number}:{place}:{name}": array for number, array in enumerate(column.load())}
        else:
            members[f"late:{place}:{name}"] = np.array(column.digests, dtype=str)  # type: ignore[attr-defined]
    for name, reason in x.stopped.items():
        members[f"stopped:0:{name}"] = np.array(reason, dtype=str)
    with file.open("wb") as sink:
        np.savez(sink, **members)  # type: ignore[arg-type]


def read_matrix(file: Path, fetch: Fetch | None = None) -> features.Matrix:
    """Read a matrix back; `fetch` turns digests into a late column (needed only where one was not decoded)."""
    import numpy as np

    with np.load(file, allow_pickle=False) as found:
        members = {name: found[name] for name in found.files}
    columns: dict[str, data.Column] = {}
    stopped: dict[str, str] = {}
    for member, values in members.items():
        kind, _, rest = member.partition(":")
        place, _, name = rest.partition(":")
        if kind == "array":
            columns[name] = values
        elif kind == "words":
            columns[name] = data.Words(values, tuple(members[f"labels:{place}:{name}"].tolist()))
        elif kind == "loaded":
            columns[name] = Loaded([members[f"item{number}:{place}:{name}"] for number in range(int(values))])
        elif kind == "late" and fetch is not None:
            columns[name] = fetch(values.tolist())
        elif kind == "stopped":
            stopped[name] = str(values)
    keys = tuple(members["moments.keys"].tolist())
    moments = features.Moments(keys, members["moments.codes"], members["moments.at"])
    return features.Matrix(moments, columns, stopped)


def stack(parts: Sequence[features.Matrix], fetch: Fetch) -> features.Matrix:
    """Put matrices of one page together, sorted by machine, then moment.

    A column that is stopped in any part is stopped in the whole: half a column would be an invented one.
    """
    import numpy as np

    keys = tuple(sorted({name for x in parts for name in x.moments.keys}))
    place = {name: code for code, name in enumerate(keys)}
    codes = np.concatenate([_recode(x.moments, place) for x in parts])
    at = np.concatenate([x.moments.at for x in parts])
    order = np.lexsort((at, codes))
    moments = features.Moments(keys, codes[order], at[order])
    stopped = {name: reason for x in parts for name, reason in x.stopped.items()}
    names = [name for name in parts[0].columns if name not in stopped]
    columns = {name: _joined([x.columns[name] for x in parts], fetch)[order] for name in names}
    return features.Matrix(moments, columns, stopped)


def _recode(moments: features.Moments, place: Mapping[str, int]) -> npt.NDArray[np.int32]:
    import numpy as np

    table = np.array([place[name] for name in moments.keys], dtype=np.int32)
    return table[moments.codes] if len(table) else moments.codes


def _joined(columns: Sequence[Any], fetch: Fetch) -> Any:
    import numpy as np

    first = columns[0]
    if isinstance(first, data.Words):
        labels_ = tuple(sorted({label for column in columns for label in column.labels}))
        codes = [column.relabel(labels_).codes for column in columns]
        return data.Words(np.concatenate(codes), labels_)
    if isinstance(first, np.ndarray):
        return np.concatenate(columns)
    return fetch([digest for column in columns for digest in column.digests])
