"""Files that no machine may take in: code in the coat of a model, and graphs whose weights lie elsewhere."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

#: Set by a payload that was executed.
EXECUTED: list[str] = []


def ran(name: str) -> None:
    """Note that a payload was executed: no trial may ever see this."""
    EXECUTED.append(name)


class Bomb:
    """Says so when somebody unpickles it."""

    def __reduce__(self) -> tuple[object, ...]:
        return (ran, ("pickle",))


def code() -> dict[str, bytes]:
    """Return files that run code when the library they are made for reads them (pickle, joblib, torch, npy, keras)."""
    import numpy as np

    objects, archive = io.BytesIO(), io.BytesIO()
    np.save(objects, np.array([Bomb()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(archive, "w") as torch:
        torch.writestr("model/data.pkl", pickle.dumps(Bomb()))
    arrays = io.BytesIO()
    with zipfile.ZipFile(arrays, "w") as npz:
        npz.writestr("x.npy", objects.getvalue())
    return {
        "model.pkl": pickle.dumps(Bomb()), "model.joblib": pickle.dumps(Bomb(), 4), "model.pt": archive.getvalue(),
        "weights.npz": arrays.getvalue(), "weights.npy": objects.getvalue(), "model.onnx": pickle.dumps(Bomb(), 2),
        "packed.json": pickle.dumps(Bomb(), 0), "weights.bin": archive.getvalue(), "model.h5": b"\x89HDF\r\n\x1a\n",
        "model.keras": archive.getvalue(), "page.txt": pickle.dumps(Bomb(), 5), "lib.so": b"\x7fELF\x02\x01\x01",
    }  # fmt: skip


def outside(where: str) -> bytes:
    """Return an ONNX graph of one node whose weights lie in the file `where`, as bytes of the format itself."""
    entry = _field(13, _field(1, b"location") + _field(2, where.encode()))
    tensor = _number(1, 2) + _number(2, 1) + _field(8, b"w") + entry + _number(14, 1)
    node = _field(1, b"x") + _field(1, b"w") + _field(2, b"y") + _field(4, b"MatMul")
    graph = _field(1, node) + _field(2, b"g") + _field(5, tensor)
    return _number(1, 8) + _field(7, graph) + _field(8, _number(2, 13))


def placed(folder: Path, how: str) -> None:
    """Put a graph with outside weights into a folder, the weights lying there as `how` says."""
    secret = folder.parent / "secret.bin"
    secret.write_bytes(b"\0" * 4096)
    names = {"parent": "../secret.bin", "absolute": str(secret)}
    (folder / "model.onnx").write_bytes(outside(names.get(how, "weights.bin")))
    place = folder / "weights.bin"
    if how == "symlink":
        place.symlink_to(secret)
    elif how == "hard link":
        os.link(secret, place)
    elif how == "sparse":
        with place.open("wb") as file:
            file.truncate(2**20)


#: How weights may lie outside of a graph.
PLACES = ("parent", "absolute", "symlink", "hard link", "sparse")


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)
