"""Alarmed windows as episodes: what goes on is one alarm, and what the whole fleet shows is one, not forty.

An episode is a run of alarmed windows of one machine, or of the fleet.  Machines belong to the fleet's where the fleet
as a whole alarmed, or where `SEVERAL` of them (and a tenth of those in sight) alarmed over the same column at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from flyball import evidence
from flyball.monitoring import bins, causes, stage

#: So many machines with the same column at once are no coincidence, if they are this share of all too.
SEVERAL, SHARE = 3, 0.1
#: An alarm names no more machines than this, worst first.
NAMED = 40


@dataclasses.dataclass
class _Episode:
    """Rows of one run of alarmed windows, and the end of the last one."""

    rows: list[stage.Watched]
    until: int

    def machines(self) -> set[str]:
        """Return whom its rows name."""
        return {name for row in self.rows for name in row.machines}


def alarms(watched: Sequence[stage.Watched], machines: int = 0) -> list[evidence.Alarm]:
    """Return one alarm per episode, oldest first, its columns and machines worst first; `machines` are in sight.

    `at` is when it was first raised, `since` when what raised it began.

    >>> row = stage.Watched("x", 0, 7, 9, 6.0, 5.0, {}, True, "m1", ("m1",), began=4, cause="sensor", kind="flatline")
    >>> later = dataclasses.replace(row, since=7, until=14, began=8)
    >>> [(one.at, one.since, one.machines) for one in alarms([row, later])]
    [(7, 4, ('m1',))]
    """
    done: list[_Episode] = []
    alone: dict[str, _Episode] = {}
    fleet: list[_Episode] = []
    for (since, until), rows in _by_window(watched):
        together, single = _parted(rows, machines)
        fleet = [one for one in fleet if one.until >= since]
        for group in _joined(together, fleet):
            before = _open(group, fleet)
            if before is None:
                before = _Episode([], until)
                done.append(before)
                fleet.append(before)
            before.rows += group
            before.until = until
        current: dict[str, _Episode] = {}
        for name, found in single.items():
            before = alone.get(name)
            if before is None or before.until < since:
                before = _Episode([], until)
                done.append(before)
            before.rows += found
            before.until = until
            current[name] = before
        # A machine that goes on alone when the fleet is well again goes on with the fleet's episode.
        for one in fleet:
            if one.until == until:
                for name in one.machines():
                    current.setdefault(name, one)
        alone = current
    return [_alarm(one.rows) for one in done]


def _joined(rows: Sequence[stage.Watched], fleet: Sequence[_Episode]) -> list[list[stage.Watched]]:
    """Return the fleet's rows of a window by the episode they go on with; what is new stands together."""
    found: dict[int, list[stage.Watched]] = {}
    for row in rows:
        place = next((n for n, one in enumerate(fleet) if row.column in {old.column for old in one.rows}), -1)
        found.setdefault(place, []).append(row)
    return list(found.values())


def _open(rows: Sequence[stage.Watched], fleet: Sequence[_Episode]) -> _Episode | None:
    """Return the fleet's episode that rows go on with: it has one of their columns, or most of their machines."""
    columns, machines = {row.column for row in rows}, {name for row in rows for name in row.machines}
    for one in fleet:
        theirs = one.machines()
        if columns & {row.column for row in one.rows}:
            return one
        if 2 * len(machines & theirs) > min(len(machines), len(theirs)):
            return one
    return None


def _by_window(
    watched: Iterable[stage.Watched],
) -> list[tuple[tuple[int, int], list[stage.Watched]]]:
    found: dict[tuple[int, int], list[stage.Watched]] = {}
    for one in watched:
        if one.alarm:
            found.setdefault((one.since, one.until), []).append(one)
    return sorted(found.items(), key=lambda item: item[0][1])


def _parted(
    rows: Sequence[stage.Watched], machines: int
) -> tuple[list[stage.Watched], dict[str, list[stage.Watched]]]:
    """Return the rows of the fleet's episode, and those of machines alone."""
    who: dict[str, set[str]] = {}
    for row in rows:
        if row.machine:
            who.setdefault(row.column, set()).add(row.machine)
    least = max(SEVERAL, SHARE * machines)
    shared = {column for column, names in who.items() if len(names) >= least}
    shared |= {bins.bare(row.column) for row in rows if not row.machine}
    shared |= {row.column for row in rows if not row.machine}
    joined = {row.machine for row in rows if row.machine and row.column in shared}
    together = [row for row in rows if not row.machine or row.machine in joined]
    alone: dict[str, list[stage.Watched]] = {}
    for row in rows:
        if row.machine and row.machine not in joined:
            alone.setdefault(row.machine, []).append(row)
    return together, alone


def _alarm(rows: Sequence[stage.Watched]) -> evidence.Alarm:
    first = min(rows, key=lambda row: row.until).until
    start = [row for row in rows if row.until == first]
    worst = sorted(start, key=lambda row: (-_excess(row), row.column))
    ordered = worst + sorted((row for row in rows if row.until != first), key=lambda row: -_excess(row))
    head = worst[0]
    columns = tuple(dict.fromkeys(name for row in ordered for name in row.columns or (row.column,)))
    machines = tuple(dict.fromkeys(name for row in worst for name in row.machines))[:NAMED]
    said = [row.sure for row in worst if row.sure is not None]
    several = len(machines) > 1 or not head.machine
    cause = head.cause
    if several and head.cause:
        cause = causes.cause(head.kind, len(columns), len(machines)) if machines else causes.DATA
    return evidence.Alarm(
        "drift", first, head.statistic, head.limit, columns, machines, why=_why(worst, machines),
        since=min((row.began for row in worst if row.began is not None), default=head.since),
        sure=min(said) if said else None, cause=cause, kind=head.kind,
    )  # fmt: skip


def _why(worst: Sequence[stage.Watched], machines: Sequence[str]) -> str:
    parts = []
    for row in worst[:3]:
        where = f" on {row.machine}" if row.machine and len(machines) > 1 else ""
        if row.machine or row.statistic != row.shown.get("psi", row.statistic):
            parts.append(f"{row.column}{where} {row.statistic:.3g} from its baseline, limit {row.limit:.3g}")
        else:
            parts.append(f"{row.column} PSI {row.statistic:.3f} > {row.limit:.3f}")
    kind = f"{worst[0].kind}: " if worst[0].kind else ""
    return kind + ", ".join(parts)


def _excess(row: stage.Watched) -> float:
    return row.statistic / row.limit if row.limit > 0 else 0.0
