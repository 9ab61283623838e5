"""Where frames can be kept: the store, plain files, parquet, lance.  Each writes durably and reads all back decoded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks import pictures, sustained
from flyball.data import images
from flyball.runtime.intake import Intake
from flyball.runtime.store import Store


class Keeper(Protocol):
    """Keeps frames: arrays of grey values, or JPEG as bytes."""

    def __init__(self, folder: Path) -> None: ...

    @staticmethod
    def said(form: str) -> str:
        """Return what a table calls it."""

    def write(self, batch: list[Any]) -> None:
        """Write a batch so that it is on the disk."""

    def read(self) -> list[Any]:
        """Return every frame in order, decoded."""


class Ours:
    """The store: exactly once by digest, index committed with each batch, digests verified when it is read.

    As none of the others looks into a JPEG when it comes, neither does it here, beyond its structure.
    """

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder / "store", sustained.FLEET)
        self.intake = Intake(self.store, images.Images("", proved=False), threads=1)
        self.digests: list[Any] = []

    @staticmethod
    def said(form: str) -> str:
        return "the store"

    def write(self, batch: list[Any]) -> None:
        self.digests += self.intake.take(batch).digests

    def read(self) -> list[Any]:
        return self.store.archive.fetch(self.digests).load()


class Files:
    """A file for each frame, forced to the disk one by one, as whoever wants to lose none has to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    @staticmethod
    def said(form: str) -> str:
        return "a PNG (level 1) for each, forced" if form == "grey" else "a file for each, forced"

    def write(self, batch: list[Any]) -> None:
        for frame in batch:
            content = frame if isinstance(frame, bytes) else pictures.png(frame, 1)
            with (self.folder / f"{self.count:06d}").open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.count += 1
        _force(self.folder)

    def read(self) -> list[Any]:
        return [pictures.opened(path.read_bytes()) for path in sorted(self.folder.iterdir())]


class Parquet:
    """A parquet file for each batch, written by polars: bytes of values packed by zstd, or JPEG as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count, self.side = folder, 0, 0

    @staticmethod
    def said(form: str) -> str:
        return "parquet, zstd 1, a file for each 64" if form == "grey" else "parquet, a file for each 64"

    def write(self, batch: list[Any]) -> None:
        import polars as pl

        grey = not isinstance(batch[0], bytes)
        self.side = len(batch[0]) if grey else 0
        frame = pl.DataFrame({"frame": [one.tobytes() if grey else one for one in batch]})
        path = self.folder / f"{self.count:06d}.parquet"
        packing: Any = "zstd" if grey else "uncompressed"
        frame.write_parquet(path, compression=packing, compression_level=1 if grey else None)
        _force(path)
        _force(self.folder)
        self.count += 1

    def read(self) -> list[Any]:
        import polars as pl

        out: list[Any] = []
        for path in sorted(self.folder.iterdir()):
            out += [_values(one, self.side) for one in pl.read_parquet(path)["frame"]]
        return out


class Lance:
    """A lance data set, an append for each batch; its files are forced afterwards, as it does not force them itself."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.side, self.known = folder / "set.lance", 0, set[Path]()

    @staticmethod
    def said(form: str) -> str:
        return "lance, an append for each 64"

    def write(self, batch: list[Any]) -> None:
        import lance  # type: ignore[import-not-found]
        import pyarrow as pa  # type: ignore[import-not-found]

        self.side = 0 if isinstance(batch[0], bytes) else len(batch[0])
        column = pa.array([one.tobytes() if self.side else one for one in batch], pa.large_binary())
        mode = "append" if self.known else "create"
        lance.write_dataset(pa.table({"frame": column}), str(self.folder), mode=mode)
        for path in set(self.folder.rglob("*")) - self.known:
            _force(path)
            self.known.add(path)

    def read(self) -> list[Any]:
        import lance

        column = lance.dataset(str(self.folder)).to_table()["frame"]
        return [_values(one.as_py(), self.side) for one in column]


def _values(content: bytes, side: int) -> Any:
    return np.frombuffer(content, np.uint8).reshape(side, side) if side else pictures.opened(content)


def _force(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
