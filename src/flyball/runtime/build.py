"""From the store to what the model learns on: cleaned rows, features per partition, labels at one cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import data, errors, units
from flyball.features import arrays
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.runtime import plan

if TYPE_CHECKING:
    from flyball.runtime.store import Store
    from flyball.system import System

#: The most partitions whose features are computed in one go, so that memory stays bounded.
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
    found = {table.name: store.partitions(table.name) for table in page.data.tables}
    fleetwide = any(cleaner.fleetwide() for cleaner in page.data.clean)
    base = plan.key(
        page.data, page.features, plan.code("data", "features", "kernels"), plan.versions(("numpy", "polars")),
        tuple(sorted(store.absent().items())),
    )  # fmt: skip
    wall = isinstance(page.data.clock, data.WallClock)
    span = _lookback(page) if wall else None
    out = []
    for name in sorted({part for parts in found.values() for part in parts}):
        since, until = _day(name) if wall else (None, None)
        digests = []
        for table, parts in sorted(found.items()):
            for other, digest in sorted(parts.items()):
                if fleetwide or other == name or (wall and _reaches(other, name, span)):
                    digests.append((table, other, digest))
        out.append(Partition(name, plan.key(base, name, tuple(digests)), since, until))
    return tuple(out)


def tables(page: System, store: Store, since: int | None, until: int | None, names: frozenset[str] | None) -> data.Tables:
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
    for begin in range(0, len(missing), AT_ONCE):
        batch = missing[begin : begin + AT_ONCE]
        steps.progress("features", begin, len(missing))
        for item, x in _computed(page, store, batch):
            steps.carry(f"features/{item.name}", item.key, lambda folder, x=x: arrays.write_matrix(folder / "x.npz", x))  # type: ignore[misc]
    done = {item.key for item in missing}
    found = []
    for item in every:
        folder = store.step(item.key)
        if item.key not in done:
            steps.note(f"features/{item.name}", item.key, 0.0, True)
        if folder is None:
            raise errors.StoreError(f"step {item.key} vanished from the store while the run went on: run again")
        found.append(arrays.read_matrix(folder / "x.npz", store.fetch))
    return arrays.stack(found, store.fetch), every


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


def _computed(page: System, store: Store, batch: list[Partition]) -> list[tuple[Partition, features.Matrix]]:
    """Compute some partitions from one read of the store."""
    import numpy as np

    wall = batch[0].since is not None
    fleetwide = any(cleaner.fleetwide() for cleaner in page.data.clean)
    since = until = None
    if wall:
        span = _lookback(page)
        first = min(item.since for item in batch if item.since is not None)
        since = None if span is None else first - span
        until = max(item.until for item in batch if item.until is not None)
    names = None if wall or fleetwide else frozenset(item.name for item in batch)
    found = tables(page, store, since, until, names)
    absent = store.absent()
    out = []
    if wall:
        asked_from = min(item.since for item in batch if item.since is not None)
        moments = page.features.asked.moments(found, asked_from, until)
        x = page.features.compute(found, moments, absent)
        for item in batch:
            inside = (moments.at >= (item.since or 0)) & (moments.at < (item.until or 0))
            out.append((item, x.take(np.flatnonzero(inside))))
    else:
        moments = page.features.asked.moments(found)
        x = page.features.compute(found, moments, absent)
        group = np.array([store.partition_of(name) for name in moments.keys], dtype=str)
        for item in batch:
            inside = group[moments.codes] == item.name
            out.append((item, x.take(np.flatnonzero(inside))))
    return out


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


def _reaches(earlier: str, day: str, span: int | None) -> bool:
    """Say whether a day's features can look back on rows of another day."""
    return earlier < day and (span is None or _day(earlier)[1] > _day(day)[0] - span)


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

    members = {"value": y.value, "known": y.known, "why": y.why.codes, "labels": np.array(y.why.labels, dtype=str)}
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
