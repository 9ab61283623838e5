"""What is hurt: a small store that takes in lots of files, messages and states, and says when each is durable."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import data, units

if TYPE_CHECKING:
    from flyball.runtime.store import Store

FLEET = data.Fleet(
    "machine",
    data.WallClock(),
    (
        data.Table(
            "telemetry", columns={"power": "kW", "picture": "image"}, arrives=units.hours(1), unique=("at",)
        ),
        data.Table("events", columns={"code": "category"}),
    ),
)
FIRST = 1_767_225_600_000_000  # 2026-01-01
NOW = FIRST + 40 * int(units.DAY)
MACHINES = 3


def lots(folder: Path, seed: int, many: int) -> None:
    """Write `many` folders of files that a site might drop: rows, bad rows, images."""
    import numpy as np

    rng = np.random.default_rng(seed)
    for number in range(many):
        place = folder / f"lot-{number:03d}" / "telemetry"
        place.mkdir(parents=True)
        day = f"2026-01-{number % 28 + 1:02d}"
        rows = ["machine,at,power,picture"]
        for machine in range(MACHINES):
            np.save(place / f"{machine}.npy", rng.integers(0, 255, (24, 24), dtype=np.uint8))
            rows.append(f"m{machine},{day}T06:00:00,{rng.normal():.6f},{machine}.npy")
        rows.append(f"m0,{day}T07:00:00,broken,")
        (place / f"{day}.csv").write_text("\n".join(rows) + "\n")
        event = f"machine,at,code\nm{number % MACHINES},{day}T05:00:00,SS-{rng.integers(0, 9999):04d}\n"
        (place.parent / "events.csv").write_text(event)


def go(folder: Path, inbox: Path, acknowledge: Callable[[str], None]) -> None:
    """Take in every lot of an inbox, a message with each, and say of each when it is durable."""
    from flyball import durable
    from flyball.runtime.store import Store

    sabotage = os.environ.get("FLYBALL_SABOTAGE", "")  # what a promise looks like that is not kept
    early = sabotage == "acknowledge"
    if sabotage == "fsync":
        durable.sync = lambda path: None
    store = Store.open(folder, FLEET)
    for lot in sorted(inbox.iterdir()):
        if early:
            acknowledge(lot.name)
        store.ingest([lot], now=NOW)
        store.receive(functools.partial(_message, lot=lot), now=NOW)
        store.state("loop", {"lot": lot.name})
        if not early:
            acknowledge(lot.name)


def _message(marks: Any, lot: Path) -> Any:
    import numpy as np
    import polars as pl

    from flyball.data.formats.raw import Raw
    from flyball.runtime import streams

    number = int(lot.name[4:])
    if not marks.has("line", "1", number):
        frame = pl.DataFrame(
            {"machine": ["m9"], "at": [FIRST + number * 1_000_000], "code": [f"live-{number}"]}
        )
        spans = (streams.Span("line", "1", number, number),)
        yield streams.Sent("events", "line", Raw(frame, np.zeros(1, np.int64)), spans)


def content(folder: Path) -> dict[str, Any]:
    """Return what a store holds, lot by lot, and how long it took to open: for comparing with what was acknowledged."""
    from flyball.runtime.store import Store

    begun = time.monotonic()
    store = Store.open(folder, FLEET)
    opened = time.monotonic() - begun
    return {
        "opened_s": opened,
        "lots": _lots(store),
        "digest": _digest(store),
        "state": store.state("loop").get("lot"),
    }


def _lots(store: Store) -> dict[str, int]:
    """Return {lot: what of it is there}: its rows, images, bad rows and message; a whole lot has six."""
    telemetry, events = store.rows("telemetry"), store.rows("events")
    found: dict[str, int] = {}
    pictures = telemetry.columns["picture"].load()  # type: ignore[union-attr]
    for at, picture in zip(telemetry.at.tolist(), pictures, strict=True):
        name = f"lot-{(at - FIRST) // int(units.DAY):03d}"
        found[name] = found.get(name, 0) + int(picture.shape == (24, 24))
    for at, code in zip(events.at.tolist(), events.columns["code"].texts(), strict=True):  # type: ignore[union-attr]
        live = code.startswith("live-")
        name = f"lot-{int(code[5:]) if live else (at - FIRST) // int(units.DAY):03d}"
        found[name] = found.get(name, 0) + (100 if live else 10)
    for name, bad in store.sources().select("name", "quarantined").iter_rows():
        if bad:
            day = int(name[-6:-4]) - 1
            found[f"lot-{day:03d}"] = found.get(f"lot-{day:03d}", 0) + 1000 * bad
    return found


#: What is there of a lot that is whole: three rows with their images, an event, a message, a bad row.
WHOLE = 3 + 10 + 100 + 1000
#: What is there of one whose files are in and whose message is not, which is another commit.
FILES = 3 + 10 + 1000


def _digest(store: Store) -> str:
    """Return one digest of all rows, images and bad rows, whatever the order in which they came."""
    told: list[Any] = [sorted(store.quarantine().items())]
    for table in ("telemetry", "events"):
        rows = store.rows(table)
        columns = [
            column.texts() if isinstance(column, data.Words)
            else [picture.tobytes().hex() for picture in column.load()] if hasattr(column, "load")
            else column.tolist()
            for column in rows.columns.values()
        ]  # fmt: skip
        keys = [rows.keys[code] for code in rows.segments().tolist()]
        told.append(sorted(zip(keys, rows.at.tolist(), rows.seen.tolist(), *columns, strict=True), key=repr))
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()
