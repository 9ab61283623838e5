"""Trials of clocks: summer time, jumps, 1970, a wrong unit, seconds that do not exist."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from flyball import data
from flyball.torture import rows
from flyball.torture.trial import Told, Trial

ZONE = "Europe/Amsterdam"
#: What a clock without leap seconds shows at 2016-12-31T23:59:60Z: the second after it.
LEAP = 1_483_228_800_000_000


def summer(seed: int, folder: Path) -> Told:
    """Send local times through both changes of the clock: what is not there is refused, what is twice told."""
    minute = random.Random(seed).randrange(60)
    spring = [("m0", f"2025-03-30T0{h}:{minute:02d}:00", 1.0, h) for h in range(5)]
    autumn = [("m0", f"2025-10-26T0{h}:{minute:02d}:00", 1.0, h) for h in range(5)]
    site = data.Binding("north", zone=ZONE)
    kept, told = _sent(folder, spring + autumn, site)
    at = kept.rows("telemetry").at
    gaps = sorted({int(gap) // 3_600_000_000 for gap in at[1:] - at[:-1] if gap < rows.DAY})
    return _told(
        (
            told.quarantined["telemetry"] == {"'at' is no time": 1},
            f"02:{minute:02d} of March is {told.quarantined}",
        ),
        (
            any("1 times in an hour that Europe/Amsterdam has twice" in note for note in told.notes),
            "October is not told",
        ),
        (gaps == [1, 2] and (at[1:] > at[:-1]).all(), f"hours between rows: {gaps}"),
    )


def jumps(seed: int, folder: Path) -> Told:
    """Let a machine's clock jump an hour either way, to 1970, to 2100 and a day ahead: what cannot be is refused."""
    rng = random.Random(seed)
    every = rows.rows(seed, machines=1, days=4)
    wrong = {"1970-01-01T00:00:00": "before 1990", "2100-01-01T00:00:00": "ahead of now", "0": "before 1990"}
    bad = [("m0", when, "2026-01-20T00:00:00", 1.0, 1) for when in wrong]
    jump = rng.choice((-1, 1)) * rows.HOUR
    moved = [
        (key, at + (jump if n >= 16 else 0), seen, *rest) for n, (key, at, seen, *rest) in enumerate(every)
    ]
    told_of = [(key, str(at), str(seen), *rest) for key, at, seen, *rest in moved]
    kept = rows.store(folder, {"telemetry/a.csv": rows.text([*told_of, *bad])})
    found = kept.rows("telemetry")
    reasons = kept.quarantine().get("telemetry", {})
    stays = rows.asked(kept, rows.FIRST + 6 * rows.DAY)
    return _told(
        (sum(reasons.values()) == len(bad), f"{reasons} of {len(bad)}"),
        (all("clock" in why or "no time" in why for why in reasons), f"reasons: {reasons}"),
        ((found.seen >= found.at).all(), "a row was seen before it happened"),
        (len(found) == len({at for _, at, *_ in moved}), "rows are gone"),
        (all(len(column) for column in stays.values()), "no features"),
    )


def units(seed: int, folder: Path) -> Told:
    """Send milliseconds where seconds are declared, and a leap second: refused with what the numbers are taken for."""
    every = rows.rows(seed, machines=1, days=1)
    site = data.Binding("north", epoch="s")
    ms = [(key, at // 1000, power, pulses) for key, at, _, power, pulses in every]
    right = [(key, at // 1_000_000, power, pulses) for key, at, _, power, pulses in every]
    _, told = _sent(folder / "ms", ms, site)
    kept, good = _sent(folder / "s", right, site)
    leap, said = _sent(folder / "leap", [("m0", "2016-12-31T23:59:60", 1.0, 1)], None)
    (why,), after = told.quarantined["telemetry"], leap.rows("telemetry").at.tolist()
    return _told(
        (
            told.good["telemetry"] == 0 and "numbers count 's'" in why,
            f"milliseconds are taken in: {told.good} {why}",
        ),
        (good.good["telemetry"] == len(every) == len(kept.rows("telemetry")), "seconds are not"),
        (sum(said.quarantined["telemetry"].values()) == 1 or after == [LEAP], f"a leap second is {after}"),
    )


def _sent(folder: Path, some: list[Any], site: data.Binding | None) -> tuple[Any, Any]:
    from flyball.runtime.store import Store

    place = folder / "in" / "telemetry"
    place.mkdir(parents=True)
    (place / "a.csv").write_text(rows.text(some, "machine,at,power,pulses"))
    kept = Store.open(folder / "store", rows.FLEET)
    return kept, kept.ingest([folder / "in"], site, now=rows.NOW)


def _told(*checks: tuple[Any, str]) -> Told:
    why = next((why for holds, why in checks if not holds), "")
    return Told(not why, 0.0, 0, why)


TRIALS = (
    Trial("R14", "both changes of summer time", summer),
    Trial("R14", "clocks that jump, stand at 1970 or 2100", jumps),
    Trial("R14", "milliseconds for seconds, a leap second", units),
)
