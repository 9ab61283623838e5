"""The clocks of single machines: which of them run backwards, at another pace, or beside the clock of the collector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import clocks

if TYPE_CHECKING:
    from flyball.data.stage import Codes

#: A machine with fewer rows is not judged.
ROWS = 10
#: Its pace is another one when it differs so many times from the fleet's; its lag by so many usual deviations.
PACE, LAG = 1.5, 20.0
#: At most so many machines are named.
NAMED = 5


def judge(clock: clocks.Clock, codes: Codes, names: Sequence[str]) -> dict[str, Any]:
    """Return what a clock shows machine by machine, in the order in which rows stand in the files.

    `back` are (machine, steps back, the largest), the worst first; `pace` are (machine, its usual interval); `ahead`
    are (machine, jump, when): a jump ahead that a step back of about its size follows, as a clock makes that was set
    wrong and set right.
    """
    import numpy as np

    keep = clock.there & (codes >= 0)
    order = np.argsort(codes[keep], kind="stable")
    at, who = clock.at[keep][order], codes[keep][order]
    edges = np.flatnonzero(np.diff(who)) + 1
    back, ahead, paces = [], [], {}
    for times, code in zip(
        np.split(at, edges), who[np.concatenate([[0], edges])].tolist() if len(who) else [], strict=False
    ):
        if len(times) < ROWS:
            continue
        step = np.diff(times)
        forward = step[step > 0]
        if len(forward):
            paces[code] = float(np.median(forward))
        falls = np.flatnonzero(step < 0)
        if not len(falls):
            continue
        back.append((names[code], len(falls), clocks.span(float(-step[falls].min())), int(step[falls].min())))
        place = _jump(step, falls)
        if place is not None:
            ahead.append((names[code], clocks.span(float(step[place])), clocks.text(int(times[place]))))
    usual = float(np.median(list(paces.values()))) if paces else 0.0
    pace = [
        (names[code], clocks.span(one)) for code, one in paces.items() if not usual / PACE <= one <= usual * PACE
    ]  # fmt: skip
    return {
        "judged": len(paces), "back": [one[:3] for one in sorted(back, key=lambda one: one[3])],
        "ahead": ahead, "pace": pace,
    }  # fmt: skip


def _jump(step: Any, falls: Any) -> int | None:
    """Return where a clock jumped ahead by about what it later fell back, None for nowhere."""
    import numpy as np

    largest = int(falls[np.argmin(step[falls])])
    size = -float(step[largest])
    before = np.flatnonzero(np.abs(step[:largest] - size) <= 0.1 * size)
    usual = float(np.median(step[step > 0])) if (step > 0).any() else 0.0
    return int(before[-1]) if len(before) and size > 2 * usual else None


def lags(one: clocks.Clock, other: clocks.Clock, codes: Codes, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return (machine, lag) of those whose second clock lies elsewhere against the first than the fleet's.

    By the median of a machine's lags, against the median of all machines and the usual deviation from it.
    """
    import numpy as np

    both = one.there & other.there & (codes >= 0)
    if not both.any():
        return []
    lag, who = (other.at - one.at)[both].astype(np.float64), codes[both]
    order = np.argsort(who, kind="stable")
    edges = np.flatnonzero(np.diff(who[order])) + 1
    found = {
        int(who[order][start]): float(np.median(part))
        for start, part in zip(
            np.concatenate([[0], edges]).tolist(), np.split(lag[order], edges), strict=True
        )
        if len(part) >= ROWS
    }
    if len(found) < 3:
        return []
    medians = np.array(list(found.values()))
    middle = float(np.median(medians))
    usual = max(
        float(np.median(np.abs(medians - middle))),
        float(np.median(np.abs(lag - np.median(lag)))),
        clocks.SECOND,
    )
    return [(names[code], clocks.span(one)) for code, one in found.items() if abs(one - middle) > LAG * usual]
