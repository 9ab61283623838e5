"""From the store to what the model learns on: cleaned rows, features per partition, labels at one cut."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import data, errors, units
from flyball.features import arrays
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.runtime import plan

if TYPE_CHECKING:
    from flyball.data.stage import Ints
    from flyball.runtime.store import Store
    from flyball.system import System

#: The most days whose features are computed from one read, so that memory stays bounded.
AT_ONCE = 64


@dataclass(frozen=True)
class Partition:
    """One part of the questions: a day, or a group of machines; `key` changes when its result might."""

    name: str
    key: str
    since: int | None = None
    until: int | None = None


def partitions(page: System, store: Store) -> tuple[Partition, ...]:
    """Return the partitions of the page's questions, each with the key of its features.

    With a wall clock a partition is a day and its key holds the days it can look back on; without one it is a
    group of machines.  A cleaner that looks across machines ties every partition to all others.
    """
    held: dict[str, list[tuple[str, str]]] = {}
    for table in page.data.tables:
        for name, digest in store.partitions(table.name).items():
            held.setdefault(name, []).append((table.name, digest))
    base = plan.key(
        page.data, page.features, plan.code("data", "features", "kernels"), plan.versions(("numpy", "polars")),
        tuple(sorted(store.absent().items())),
    )  # fmt: skip
    names = sorted(held)
    own = {name: plan.key(base, name, tuple(sorted(held[name]))) for name in names}
    if any(cleaner.fleetwide() for cleaner in page.data.clean):
        every = plan.key(tuple(own.values()))
        own = {name: plan.key(own[name], every) for name in names}
    if not isinstance(page.data.clock, data.WallClock):
        return tuple(Partition(name, own[name]) for name in names)
    days = [_day(name) for name in names]
    keys = _chained(own, names) if (span := _lookback(page)) is None else _within(own, names, days, span)
    return tuple(Partition(name, key, *day) for name, key, day in zip(names, keys, days, strict=True))


def _chained(own: Mapping[str, str], names: list[str]) -> list[str]:
    """Return a key per day that holds every day up to it, each made from the one before: linear in the days."""
    keys: list[str] = []
    for name in names:
        keys.append(plan.key(own[name], keys[-1] if keys else ""))
    return keys


def _within(own: Mapping[str, str], names: list[str], days: list[tuple[int, int]], span: int) -> list[str]:
    """Return a key per day that holds the days it can look back on."""
    ends = [day[1] for day in days]
    firsts = [bisect.bisect_right(ends, day[0] - span) for day in days]
    return [
        plan.key(tuple(own[name] for name in names[first : place + 1])) for place, first in enumerate(firsts)
    ]


def tables(
    page: System, store: Store, since: int | None, until: int | None, names: frozenset[str] | None
) -> data.Tables:
    """Return every table of the page, cleaned as declared; `names` limits the store's partitions."""
    found = {t.name: store.rows(t.name, since=since, until=until, partitions=names) for t in page.data.tables}
    for cleaner in page.data.clean:
        found = {name: cleaner.clean(name, rows) for name, rows in found.items()}
    return found


def matrix(page: System, store: Store, steps: plan.Plan) -> tuple[features.Matrix, tuple[Partition, ...]]:
    """Return the features of every partition, and the partitions; computes the missing ones only."""
    every = partitions(page, store)
    if not every:
        raise errors.DataError(f"{page.name}: the store holds no rows: give it files with `flyball ingest`")
    missing = [item for item in every if store.step(item.key) is None]
    for number, (item, x) in enumerate(_computed(page, store, missing)):
        steps.progress("features", number, len(missing))
        steps.carry(f"features/{item.name}", item.key, partial(_write, x))
    done = {item.key for item in missing}
    found = []
    for item in every:
        folder = store.step(item.key)
        if item.key not in done:
            steps.note(f"features/{item.name}", item.key, 0.0, True)
        if folder is None:
            raise errors.StoreError(
                f"step {item.key} vanished from the store while the run went on: run again"
            )
        found.append(arrays.read_matrix(folder / "x.npz", store.fetch))
    return arrays.stack(found, store.fetch), every


def _write(x: features.Matrix, folder: Path) -> None:
    arrays.write_matrix(folder / "x.npz", x)


def key_until(every: tuple[Partition, ...], cut: int | None) -> str:
    """Return one key for the partitions that begin by the cut: what arrives for later days does not change it."""
    return plan.key(tuple(p.key for p in every if p.since is None or cut is None or p.since <= cut))


def until(x: features.Matrix, cut: int | None) -> features.Matrix:
    """Return the questions that had been asked at the cut."""
    import numpy as np

    return x if cut is None else x.take(np.flatnonzero(x.moments.at <= cut))


def answers(
    page: System, store: Store, steps: plan.Plan, x: features.Matrix, upstream: str, as_of: int | None
) -> tuple[labels.Answers, str]:
    """Return the truth of every question as known at the cut, and its key."""
    key = plan.key(page.labels, page.data, upstream, as_of, plan.code("data", "labels"))

    def label(folder: Path) -> None:
        found = page.labels.label(tables(page, store, None, None, None), x.moments, as_of)
        write_answers(folder / "y.npz", found)

    return read_answers(steps.carry("labels", key, label) / "y.npz"), key


def _computed(
    page: System, store: Store, missing: Sequence[Partition]
) -> Iterator[tuple[Partition, features.Matrix]]:
    """Yield the features of some partitions, computed from as few reads of the store as the look back allows."""
    if not missing:
        return
    wall = missing[0].since is not None
    # A look back without bound needs all earlier rows whatever is missing: then one read serves all.
    at_once = len(missing) if not wall or _lookback(page) is None else AT_ONCE
    for begin in range(0, len(missing), at_once):
        batch = missing[begin : begin + at_once]
        yield from _by_day(page, store, batch) if wall else _by_machine(page, store, batch)


def _by_day(
    page: System, store: Store, batch: Sequence[Partition]
) -> Iterator[tuple[Partition, features.Matrix]]:
    import numpy as np

    begins = np.array([item.since for item in batch], dtype=np.int64)
    ends = np.array([item.until for item in batch], dtype=np.int64)
    span = _lookback(page)
    found = tables(page, store, None if span is None else int(begins[0]) - span, int(ends[-1]), None)
    moments = page.features.asked.moments(found, int(begins[0]), int(ends[-1]))
    day = np.searchsorted(begins, moments.at, side="right") - 1
    day[moments.at >= ends[day]] = -1
    yield from _parted(page, store, batch, found, moments, day)


def _by_machine(
    page: System, store: Store, batch: Sequence[Partition]
) -> Iterator[tuple[Partition, features.Matrix]]:
    import numpy as np

    fleetwide = any(cleaner.fleetwide() for cleaner in page.data.clean)
    found = tables(page, store, None, None, None if fleetwide else frozenset(item.name for item in batch))
    moments = page.features.asked.moments(found)
    place = {item.name: number for number, item in enumerate(batch)}
    group = np.array([place.get(store.partition_of(name), -1) for name in moments.keys], dtype=np.int64)
    yield from _parted(page, store, batch, found, moments, group[moments.codes])


def _parted(
    page: System, store: Store, batch: Sequence[Partition], found: data.Tables, moments: features.Moments, group: Ints
) -> Iterator[tuple[Partition, features.Matrix]]:  # fmt: skip
    """Yield the rows of one matrix by partition: `group` (n,) is the place in the batch of each, -1 for none."""
    import numpy as np

    x = page.features.compute(found, moments, store.absent())
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(batch) + 1))
    for number, item in enumerate(batch):
        yield item, x.take(order[bounds[number] : bounds[number + 1]])


def _lookback(page: System) -> int | None:
    span = page.features.lookback()
    if span is None:
        return None
    margin = max((cleaner.lookback() for cleaner in page.data.clean), default=0)
    disorder = max((int(table.arrives) for table in page.data.tables), default=0)
    return span + margin + disorder + int(units.DAY)


def _day(name: str) -> tuple[int, int]:
    from datetime import UTC, datetime

    begin = int(datetime.fromisoformat(name).replace(tzinfo=UTC).timestamp()) * 1_000_000
    return begin, begin + int(units.DAY)


def settled(x: features.Matrix, y: labels.Answers) -> Mapping[str, int]:
    """Return how many questions have a known answer, and why the others have none."""
    import numpy as np

    out = {"known": int(y.known.sum())}
    for code, label in enumerate(y.why.labels):
        count = int(np.sum(~y.known & (y.why.codes == code)))
        if count:
            out[label] = count
    return out


def write_answers(file: Path, y: labels.Answers) -> None:
    """Write answers as one .npz."""
    import numpy as np

    members = {
        "value": y.value,
        "known": y.known,
        "why": y.why.codes,
        "labels": np.array(y.why.labels, dtype=str),
    }
    if y.weight is not None:
        members["weight"] = y.weight
    with file.open("wb") as sink:
        np.savez(sink, **members)  # type: ignore[arg-type]


def read_answers(file: Path) -> labels.Answers:
    """Read answers back."""
    import numpy as np

    with np.load(file, allow_pickle=False) as found:
        why = data.Words(found["why"], tuple(found["labels"].tolist()))
        weight = found["weight"] if "weight" in found.files else None
        return labels.Answers(found["value"], found["known"], why, weight)
