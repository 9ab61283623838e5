"""A small page, its files, and everything of a store that can be compared."""

import gzip
import io
import shutil

import numpy as np
import polars as pl
import pytest

from flyball import data, durable, units
from flyball.runtime.store import Store

FLEET = data.Fleet(
    key="machine",
    clock=data.WallClock(),
    tables=(
        data.Table(
            "telemetry", columns={"power": "kW", "pulses": "count"}, arrives=units.hours(1), unique=("at",)
        ),
        data.Table("events", columns={"code": "category"}, arrives=units.hours(1)),
        data.Table("maps", columns={"map": "image", "kind": "category"}),
    ),
)
NOW = 1_767_225_600_000_000  # 2026-01-01


@pytest.fixture
def fleet():
    return FLEET


@pytest.fixture
def inbox(tmp_path):
    """Files of three formats with good rows, bad rows, a cut file and images."""
    folder = tmp_path / "inbox"
    for name in ("telemetry", "maps"):
        (folder / name).mkdir(parents=True)
    lines = [
        f"m{m},2025-01-0{d}T0{h}:00:00,{m + h / 4},{d * h}" for d in (1, 2) for h in range(6) for m in (1, 2)
    ]
    text = "machine,at,power,pulses\n" + "\n".join(lines) + "\n"
    (folder / "telemetry" / "2025-01-01.csv").write_text(text + "m1,2025-01-03,much,1\n,2025-01-03,1,1\n")
    packed = gzip.compress(text.replace("2025-01", "2025-02").encode(), mtime=0)
    (folder / "telemetry" / "2025-02-01.csv.gz").write_bytes(packed[:-20])
    events = {"machine": ["m1", "m2", "m1"], "at": [NOW - 5, NOW - 4, 17], "code": ["A", None, "B"]}
    pl.DataFrame(events).write_parquet(folder / "events-1.parquet")
    for number in range(3):
        np.save(folder / "maps" / f"{number}.npy", np.full((4, 5), number, np.uint8))
    rows = [f'{{"machine": "m{n}", "at": "2025-03-01", "map": "{n}.npy", "kind": "ring"}}' for n in range(4)]
    (folder / "maps" / "march.jsonl").write_text("\n".join(rows) + "\nno json\n")
    return folder


def told_of(store):
    """Everything a store tells of what came in."""
    out = {"quarantine": store.quarantine(), "absent": store.absent(), "horizon": store.horizon()}
    for table in FLEET.tables:
        rows = store.rows(table.name)
        columns = {}
        for name, column in rows.columns.items():
            plain = column.texts() if isinstance(column, data.Words) else None
            if hasattr(column, "load"):
                plain = [(image.shape, image.tobytes()) for image in column.load()]
            columns[name] = column.tobytes() if plain is None else plain
        out[table.name] = (rows.keys, rows.starts.tolist(), rows.at.tolist(), rows.seen.tolist(), columns)
        out[f"{table.name}.partitions"] = store.partitions(table.name)
    return out


@pytest.fixture
def content():
    return told_of


@pytest.fixture
def undisturbed(tmp_path, inbox):
    """What a store tells that took the inbox in with nothing going wrong."""
    store = Store.open(tmp_path / "undisturbed", FLEET)
    store.ingest([inbox], now=NOW)
    return told_of(store)


@pytest.fixture
def now():
    return NOW


class Disk:
    """A disk on which only what was forced survives: the worst that a power cut may leave.

    A file has the content it had when it was forced last, a folder the entries it had then.  Handles are held, so
    that no inode is used twice.
    """

    def __init__(self, root):
        self.root, self.files, self.folders, self.handles = root, {}, {root.stat().st_ino: {}}, []

    def forced(self, path):
        import os

        self.handles.append(os.open(path, os.O_RDONLY))
        inode = path.stat().st_ino
        if path.is_dir():
            self.folders[inode] = {
                entry.name: (entry.stat().st_ino, entry.is_dir()) for entry in path.iterdir()
            }
        else:
            self.files[inode] = path.read_bytes()

    def after_the_cut(self, target):
        shutil.rmtree(target, ignore_errors=True)
        self._restore(self.root.stat().st_ino, target)
        return target

    def _restore(self, inode, target):
        target.mkdir(parents=True)
        for name, (inner, is_folder) in self.folders.get(inode, {}).items():
            if is_folder:
                self._restore(inner, target / name)
            else:
                (target / name).write_bytes(self.files.get(inner, b""))

    def close(self):
        import os

        for handle in self.handles:
            os.close(handle)


@pytest.fixture
def disk():
    made = []

    def make(root):
        root.mkdir(exist_ok=True)
        made.append(Disk(root))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def faults_are_ours(monkeypatch):
    """No hook stays behind, and no real fsync: what it would have kept is modelled here, and takes most of the time."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    yield
    durable.hook = None


@pytest.fixture
def npy():
    """The bytes of an array as .npy."""

    def pack(array):
        sink = io.BytesIO()
        np.save(sink, array)
        return sink.getvalue()

    return pack
