"""The input of the wafer page: Parquet files of tested wafers, from the public WM-811K maps."""

from __future__ import annotations

import io
import itertools
import lzma
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import extras
from flyball.systems import public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyball.data.stage import Array

LABELS, MAPS = "wm811k/labels.npz", "wm811k/maps_flat_u8.npy.xz"
#: So many wafers lie in one file, as a tester would send a week of them.
ROWS = 5_000


def prepare(folder: Path, every: int = 1) -> None:
    """Write the wafers, or each `every`-th of them, as Parquet files; the same bytes on every call.

    A row has `wafer` (its place in the data, as a name), `split` (train, val or test), `label` and `map`: the bytes
    of an .npy array [rows, columns] of uint8, 0 no die, 1 a die that passed, 2 one that failed.

    Source: Wu, Jang and Chen, IEEE Transactions on Semiconductor Manufacturing 28(1), 2015 (not part of Flyball).
    """
    pl = extras.need("polars", "lab", "to write Parquet files")
    folder.mkdir(parents=True, exist_ok=True)
    found = _wafers(every)
    number = 0
    while batch := list(itertools.islice(found, ROWS)):
        kinds = {"wafer": pl.String, "split": pl.String, "label": pl.String, "map": pl.Binary}
        frame = pl.DataFrame(batch, schema=kinds, orient="row")
        file = folder / f"maps-{number:02d}.parquet"
        frame.write_parquet(file, compression="zstd", compression_level=3, statistics=False)
        number += 1


def maps() -> tuple[list[Array], list[str], list[str]]:
    """Return every map [rows, columns], its split (train, val or test) and its label, in the order of the data."""
    import numpy as np

    with np.load(public.file(LABELS), allow_pickle=False) as told:
        shapes, labels, splits = told["shape"], told["label"].tolist(), told["split"].tolist()
    with lzma.open(public.file(MAPS)) as packed:
        flat = np.lib.format.read_array(io.BytesIO(packed.read()), allow_pickle=False)
    ends = np.cumsum(shapes.astype(np.int64).prod(axis=1))
    found = [
        flat[end - h * w : end].reshape(h, w)
        for end, (h, w) in zip(ends.tolist(), shapes.tolist(), strict=True)
    ]
    return found, [split.partition("_")[0] for split in splits], [str(label) for label in labels]


def _wafers(every: int) -> Iterator[tuple[str, str, str, bytes]]:
    import numpy as np

    for number, (values, split, label) in enumerate(zip(*maps(), strict=True)):
        if number % every:
            continue
        sink = io.BytesIO()
        np.save(sink, values, allow_pickle=False)
        yield f"w{number:05d}", split, label, sink.getvalue()
