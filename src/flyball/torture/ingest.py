"""All trials of taking data in, and the rows of the list that are not tried yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flyball import errors
from flyball.torture import clocks, hostile, lasting, leaking, load, rows, storage
from flyball.torture.trial import Open, held

TRIALS = (
    *storage.TRIALS, *lasting.TRIALS, *rows.TRIALS, *clocks.TRIALS, *hostile.TRIALS, *load.TRIALS, *leaking.TRIALS,
)  # fmt: skip
OPEN = (
    Open("R4", "disk full during an update", "updates of a site come with its agent"),
    Open("R17", "malformed STDF", "the format is not read yet"),
    Open("R18", "malformed KLARF", "the format is not read yet"),
    Open("R19", "malformed SECS-II, HSMS", "the protocol is not spoken yet"),
)


def table(
    seeds: Sequence[int], only: Sequence[str] = (), progress: Callable[[str, int, int], None] | None = None
) -> dict[str, Any]:
    """Run the trials of some rows (all: none named) with some seeds; return {"rows": [...], "open": [...]}.

    Raises DeclarationError for a row that is not tried.
    """
    known = list(dict.fromkeys(trial.row for trial in TRIALS))
    for row in only:
        if row not in known:
            late = next((f"{row} ({one.fault}) is open: {one.why}" for one in OPEN if one.row == row), "")
            raise errors.DeclarationError(late or f"no row {row!r}, " + errors.did_you_mean(row, known))
    chosen = [trial for trial in TRIALS if not only or trial.row in only]
    opened = [one._asdict() for one in OPEN if not only or one.row in only]
    return {"rows": held(chosen, seeds, progress), "open": opened}
