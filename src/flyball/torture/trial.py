"""A trial: one way to hurt the system, run from a seed, and what came of it; and the table over many of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flyball import errors

#: How many seeds a tier has.
TIERS = {"seconds": 1, "minutes": 32, "hours": 320}


class Told(NamedTuple):
    """What came of a trial: whether the promise was kept, the time to be back, bytes acknowledged and lost, and why."""

    passed: bool
    recovery_s: float = 0.0
    lost_bytes: int = 0
    why: str = ""


class Trial(NamedTuple):
    """A fault of a row of the list: `run` gets a seed and an empty folder, and everything follows from the seed.

    Of many seeds one in `every` is run: some trials take seconds, and have less to vary.
    """

    row: str
    fault: str
    run: Callable[[int, Path], Told]
    every: int = 1


class Open(NamedTuple):
    """A row that is not tried yet, and why."""

    row: str
    fault: str
    why: str


def held(
    trials: Iterable[Trial], seeds: Sequence[int], progress: Callable[[str, int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Run trials with some seeds each, and return a row for each: how many ran, how many kept the promise.

    A trial that raises has failed; `failed` maps the seeds that failed to why.  `worst_recovery_s` and
    `acknowledged_bytes_lost` are over all seeds.

    >>> rows = held([Trial("R0", "nothing", lambda seed, folder: Told(seed != 2, 0.5, seed))], [1, 2])
    >>> rows[0]["run"], rows[0]["passed"], rows[0]["failed"], rows[0]["acknowledged_bytes_lost"]
    (2, 1, {2: ''}, 3)
    """
    every, rows = list(trials), []
    for number, trial in enumerate(every):
        chosen = seeds[:: trial.every]
        found = {seed: tried(trial, seed) for seed in chosen}
        if progress is not None:
            progress(trial.row, number + 1, len(every))
        rows.append({
            "row": trial.row, "fault": trial.fault, "run": len(found),
            "passed": sum(told.passed for told in found.values()), "seeds": list(chosen),
            "worst_recovery_s": round(max((told.recovery_s for told in found.values()), default=0.0), 3),
            "acknowledged_bytes_lost": sum(told.lost_bytes for told in found.values()),
            "failed": {seed: told.why for seed, told in found.items() if not told.passed},
        })  # fmt: skip
    return rows


def tried(trial: Trial, seed: int) -> Told:
    """Run a trial once in a folder of its own, which is removed."""
    folder = Path(tempfile.mkdtemp(prefix="flyball-torture-"))
    begun = time.monotonic()
    try:
        return trial.run(seed, folder)
    except errors.MissingExtraError:
        raise
    except Exception as error:
        return Told(False, time.monotonic() - begun, 0, f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table as a person reads it."""
    for row in told["rows"]:
        kept = "ok" if row["passed"] == row["run"] else "FAILED"
        yield (
            f"{row['row']:>4} {row['fault']}: {row['passed']} of {row['run']} {kept}, back in "
            f"{row['worst_recovery_s']:.2f} s at worst, {row['acknowledged_bytes_lost']} acknowledged bytes lost"
        )
        for seed, why in row["failed"].items():
            yield f"     seed {seed}: {why or 'the promise was not kept'}"
    for one in told["open"]:
        yield f"{one['row']:>4} {one['fault']}: open, {one['why']}"
