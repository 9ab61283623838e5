"""Trials of the data themselves: sent twice, late, disordered, corrected, cut, renamed, in another unit."""

from __future__ import annotations

import gzip
import io
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flyball import data, features, units
from flyball.torture.trial import Told, Trial

FLEET = data.Fleet(
    "machine",
    data.WallClock(),
    (
        data.Table(
            "telemetry", columns={"power": "kW", "pulses": "count"}, arrives=units.hours(1), unique=("at",)
        ),
        data.Table("events", columns={"code": "category"}),
    ),
    expect=(data.SameUnit("telemetry.power", "kW"),),
)
FIRST = 1_767_225_600_000_000  # 2026-01-01
DAY, HOUR = int(units.DAY), int(units.hours(1))
NOW = FIRST + 60 * DAY
HEAD = "machine,at,seen,power,pulses"
ASKED = features.AsOf(
    asked=features.Every(units.DAY),
    columns=(
        features.Last("telemetry.power"),
        features.Rolling("telemetry.power", over=units.days(2), by="mean"),
        features.Rolling("telemetry.pulses", over=units.days(1), by="count"),
    ),
)


def rows(seed: int, machines: int = 3, days: int = 10) -> list[tuple[str, int, int, float, int]]:
    """Return rows (machine, at, seen, power, pulses), one every three hours, seen an hour later."""
    rng = random.Random(seed)
    return [
        (f"m{machine}", at, at + HOUR, round(rng.gauss(10, 2), 3), rng.randrange(1000))
        for machine in range(machines) for at in range(FIRST, FIRST + days * DAY, 3 * HOUR)
    ]  # fmt: skip


def text(some: Sequence[Sequence[Any]], head: str = HEAD) -> str:
    """Return rows as a CSV."""
    return "\n".join([head, *(",".join(str(cell) for cell in row) for row in some)]) + "\n"


def store(
    folder: Path, files: Mapping[str, str | bytes], name: str = "store", fleet: data.Fleet = FLEET
) -> Any:
    """Return a store that took files in, one after another, in the order given."""
    from flyball.runtime.store import Store

    kept = Store.open(folder / name, fleet)
    inbox = folder / f"in-{name}"
    for file, content in files.items():
        place = inbox / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        kept.ingest([place], now=NOW)
    shutil.rmtree(inbox, ignore_errors=True)
    return kept


def known(kept: Any, as_of: int | None = None) -> tuple[Any, ...]:
    """Return what is known of telemetry at a cut, row by row; without one all there is, versions too."""
    found = kept.rows("telemetry") if as_of is None else kept.rows("telemetry").known(as_of)
    keys = [found.keys[code] for code in found.segments().tolist()]
    columns = [found.columns[name].tolist() for name in ("power", "pulses")]
    return tuple(zip(keys, found.at.tolist(), found.seen.tolist(), *columns, strict=True))


def asked(kept: Any, as_of: int) -> dict[str, bytes]:
    """Return what a page learns on at a cut: every question and every feature, byte by byte."""
    found = {name: kept.rows(name, as_of=as_of) for name in ("telemetry", "events")}
    moments = ASKED.asked.moments(found, None, as_of)
    x = ASKED.compute(found, moments, {})
    told = {name: column.tobytes() for name, column in x.columns.items()}  # type: ignore[union-attr]
    return {**told, "at": moments.at.tobytes(), "keys": repr(moments.keys).encode()}


def _told(*checks: tuple[bool, str]) -> Told:
    why = next((why for holds, why in checks if not holds), "")
    return Told(not why, 0.0, 0, why)


def resent(seed: int, folder: Path) -> Told:
    """R10: send every file one to three times more, under its own name, another, and packed."""
    rng, every = random.Random(seed), rows(seed)
    parts = {f"telemetry/{n}.csv": text(every[n::4]) for n in range(4)}
    once = store(folder, parts, "once")
    more: dict[str, str | bytes] = dict(parts)
    for number, (name, content) in enumerate(parts.items()):
        for again in range(rng.randrange(1, 4)):
            kind = rng.choice(("same", "named", "packed"))
            to = {"same": name, "named": f"telemetry/again-{number}-{again}.csv"}.get(
                kind, f"telemetry/again-{number}-{again}.csv.gz"
            )
            more[to] = gzip.compress(content.encode(), mtime=again) if kind == "packed" else content
    twice = store(folder, more, "twice")
    return _told(
        (known(once) == known(twice), "rows differ"), (len(known(once)) == len(every), "rows are gone")
    )


def late(seed: int, folder: Path) -> Told:
    """R11: let rows arrive up to 30 days late: what was known stays, what is known later is right."""
    rng = random.Random(seed)
    every = [
        (key, at, at + (rng.randrange(1, 30) * DAY if rng.random() < 0.2 else HOUR), power, pulses)
        for key, at, _, power, pulses in rows(seed)
    ]
    cut = FIRST + 8 * DAY
    early = [row for row in every if row[2] <= cut]
    before = store(folder, {"telemetry/a.csv": text(early)}, "before")
    after = store(folder, {"telemetry/a.csv": text(early), "telemetry/b.csv": text(every)}, "after")
    end = FIRST + 50 * DAY
    whole = store(folder, {"telemetry/a.csv": text(every)}, "whole")
    return _told(
        (asked(before, cut) == asked(after, cut), "what was known then is another now"),
        (asked(after, end) == asked(whole, end), "what is known at last is not all"),
        (0 < len(known(before, cut)) < len(known(after)) == len(every), "nothing was late"),
    )


def disordered(seed: int, folder: Path) -> Told:
    """R12: shuffle rows within files and the files: windows are those of sorted input."""
    rng, every = random.Random(seed), rows(seed)
    mixed = every[:]
    rng.shuffle(mixed)
    files = [(f"telemetry/{n}.csv", text(mixed[n::5])) for n in range(5)]
    rng.shuffle(files)
    one, other = (
        store(folder, {"telemetry/a.csv": text(every)}, "sorted"),
        store(folder, dict(files), "mixed"),
    )
    end = FIRST + 12 * DAY
    return _told(
        (known(one) == known(other), "rows differ"), (asked(one, end) == asked(other, end), "features differ")
    )


def corrected(seed: int, folder: Path) -> Told:
    """R13: correct values days later: answers as of before stay, and answers after have the new value."""
    rng, every = random.Random(seed), rows(seed)
    chosen = rng.sample(range(len(every)), 12)
    then = FIRST + 15 * DAY
    new = {place: (*every[place][:2], then, every[place][3] + 100, every[place][4]) for place in chosen}
    first = {"telemetry/a.csv": text(every)}
    before = store(folder, first, "before")
    after = store(folder, {**first, "telemetry/b.csv": text(list(new.values()))}, "after")
    right = sorted(new.get(place, row) for place, row in enumerate(every))
    found = [tuple(row) for row in known(after, then)]
    return _told(
        (known(before, then - 1) == known(after, then - 1), "a correction changed what was known before it"),
        (asked(before, then - 1) == asked(after, then - 1), "a correction changed features of before it"),
        (sorted(found) == right, "a corrected value is not the one that holds"),
    )


def changed(seed: int, folder: Path) -> Told:
    """R15: add, drop, rename a column, send another unit or type: each is told, and stops no more than it must."""
    rng, every = random.Random(seed), rows(seed)
    head, half = HEAD.split(","), len(every) // 2
    first = {"telemetry/a.csv": text(every)}
    extra = store(folder, {"telemetry/b.csv": text([(*r, 7) for r in every], f"{HEAD},spare")}, "extra")
    gone = store(
        folder, {"telemetry/b.csv": text([r[:3] + r[4:] for r in every], "machine,at,seen,pulses")}, "gone"
    )
    renamed = store(
        folder,
        {"telemetry/b.csv": text(every, HEAD.replace("power", rng.choice(("Power", "powr", "pwr"))))},
        "renamed",
    )
    typed = store(
        folder,
        {
            "telemetry/b.csv": text(
                [(*r[:3], f"{r[3]} kW" if n % 2 else r[3], r[4]) for n, r in enumerate(every)]
            )
        },
        "typed",
    )
    days = sorted({row[1] // DAY for row in every})
    unit = [(*r[:3], r[3] * (1000 if r[1] // DAY >= days[len(days) // 2] else 1), r[4]) for r in every]
    jumped = store(folder, {"telemetry/b.csv": text(unit)}, "jumped")
    plain = store(folder, first, "plain")
    check = FLEET.expect[0]
    (alarm,) = check.judge("telemetry", jumped.rows("telemetry"))
    (quiet,) = check.judge("telemetry", plain.rows("telemetry"))
    return _told(
        (len(head) == 5 and half > 0, "no rows"),
        (extra.sources()["extra"][0] == '["spare"]' and known(extra) == known(plain), "a new column is not noted"),
        ("no column 'power'" in gone.absent().get("telemetry.power", ""), "a missing column is not told"),
        ("did you mean" in renamed.absent().get("telemetry.power", ""), "a renamed column is not told"),
        (typed.quarantine()["telemetry"] == {"power: no number": len(every) // 2}, "another type is not told"),
        (not alarm.passed and "as if kW came as W" in alarm.why and quiet.passed, "another unit is not told"),
    )  # fmt: skip


def cut(seed: int, folder: Path) -> Told:
    """R16: cut a file of each kind at every 64th byte (from one that the seed chooses), and flip bits in it."""
    rng = random.Random(seed)
    every = rows(seed, machines=2, days=3)
    truth = set(known(store(folder, {"telemetry/a.csv": text(every)}, "whole")))
    for kind, content in _forms(every).items():
        for place in range(rng.randrange(64), len(content), 64):
            why = _read(folder, kind, content[:place], truth, place)
            if why:
                return Told(False, 0.0, 0, f"{kind} cut at byte {place}: {why}")
        for _ in range(12):
            place = rng.randrange(len(content))
            flipped = content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
            why = _read(folder, kind, flipped, truth if kind.endswith("gz") else None, None)
            if why:
                return Told(False, 0.0, 0, f"{kind} with a bit of byte {place} flipped: {why}")
    return Told(True)


def _forms(every: Sequence[Any]) -> dict[str, bytes]:
    import json
    import tarfile
    import zipfile

    import polars as pl

    plain = text(every).encode()
    names = HEAD.split(",")
    parquet, packed, tar = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pl.DataFrame(list(every), schema=names, orient="row").write_parquet(parquet)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("telemetry/a.csv", plain)
    with tarfile.open(fileobj=tar, mode="w:gz") as bundle:
        told = tarfile.TarInfo("telemetry/a.csv")
        told.size = len(plain)
        bundle.addfile(told, io.BytesIO(plain))
    lines = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in every)
    return {
        "csv": plain, "csv.gz": gzip.compress(plain, mtime=0), "jsonl": lines.encode(), "parquet": parquet.getvalue(),
        "zip": packed.getvalue(), "tar.gz": tar.getvalue(),
    }  # fmt: skip


def _read(folder: Path, kind: str, content: bytes, truth: set[Any] | None, place: int | None) -> str:
    """Return what is wrong with how a damaged file is taken in: rows that were never written, or gone in silence."""
    from flyball.runtime.store import Store

    shutil.rmtree(folder / "one", ignore_errors=True)
    file = folder / "one" / "in" / "telemetry" / f"a.{kind}"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    kept = Store.open(folder / "one" / "store", FLEET)
    told = kept.ingest([folder / "one" / "in"], now=NOW)
    found = set(known(kept))
    if truth is not None and not found <= truth:
        return f"{len(found - truth)} rows were never written"
    said = (
        bool(told.notes)
        or any(told.quarantined.values())
        or any(told.duplicates.values())
        or bool(told.unclaimed)
    )
    if (
        truth is not None
        and found < truth
        and content
        and not said
        and not (place is not None and _at_a_line(kind, content))
    ):
        return f"{len(truth - found)} of {len(truth)} rows are gone in silence"
    return ""


def _at_a_line(kind: str, content: bytes) -> bool:
    """Say whether a text ends with a whole record: then nothing tells that there was more."""
    return kind in ("csv", "jsonl") and content.endswith((b"\n", b"}"))


TRIALS = (
    Trial("R10", "every file sent one to three times more", resent),
    Trial("R11", "rows up to 30 days late", late),
    Trial("R12", "rows and files out of order", disordered),
    Trial("R13", "corrected values", corrected),
    Trial("R15", "columns new, missing, renamed, in another unit or type", changed),
    Trial("R16", "files cut at every 64th byte, bits flipped", cut, 8),
)
