"""From the store to what the model learns on: cleaned rows, features per partition, labels at one cut."""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import data, errors, part, units
from flyball.data import context
from flyball.features import arrays
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.runtime import alerts, plan, retention, reviewing

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Ints
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
        part.replace(page.data, retain=None), page.features, plan.code("data", "features", "kernels"),
        plan.versions(("numpy", "polars")),
        tuple(sorted(absent(page, store).items())),
    )  # fmt: skip
    names = sorted(held)
    wall = isinstance(page.data.clock, data.WallClock)
    names = sorted({*names, *_mornings(names, store.horizon())}) if wall else names
    own = {name: plan.key(base, name, tuple(sorted(held.get(name, ())))) for name in names}
    if any(cleaner.fleetwide() for cleaner in page.data.clean):
        every = plan.key(tuple(own.values()))
        own = {name: plan.key(own[name], every) for name in names}
    if not wall:
        return tuple(Partition(name, own[name]) for name in names)
    days = [_day(name) for name in names]
    kept, span = retention.asked(store), lookback(page)
    if span is None and kept is not None:
        own[names[0]] = plan.key(own[names[0]], kept)  # what is looked back on without bound is cut short
    keys = _chained(own, names) if span is None else _within(own, names, days, span)
    parts = [Partition(name, key, *day) for name, key, day in zip(names, keys, days, strict=True)]
    # Of days whose look back is not kept whole, nothing is asked any more; the keys of the others stay.
    return tuple(one for one in parts if kept is None or (one.since or 0) >= kept + (span or 0))


def _mornings(names: list[str], horizon: int | None) -> Iterator[str]:
    """Yield the day after each that has begun by the horizon: what is asked at its first moment looks back only."""
    from datetime import UTC, datetime

    for name in names:
        end = _day(name)[1]
        if horizon is not None and end <= horizon:
            yield datetime.fromtimestamp(end / 1_000_000, UTC).date().isoformat()


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
    """Return every table of the page, cleaned and joined as declared; `names` limits the store's partitions."""
    return {**joined(page, cleaned(page, raw(page, store, since, until, names))), **acted(store)}


def acted(store: Store) -> dict[str, data.Rows]:
    """Return the tables that the store keeps and labels read: alerts that were acted on, and what reviewers said."""
    return {"alerts": alerts.acts(store), "reviews": reviewing.said(store)}


def raw(
    page: System, store: Store, since: int | None = None, until: int | None = None, names: frozenset[str] | None = None
) -> data.Tables:  # fmt: skip
    """Return every table of the page as it came in."""
    return {t.name: store.rows(t.name, since=since, until=until, partitions=names) for t in page.data.tables}


def absent(page: System, store: Store) -> dict[str, str]:
    """Return {"table.column": reason} for every column that some file did not have, and that context took of it."""
    found = store.absent()
    for joined in page.data.context:
        for name in joined.columns:
            if (why := found.get(f"{joined.of}.{name}")) is not None:
                found[f"{joined.to}.{name}"] = why
    return found


def cleaned(page: System, found: data.Tables) -> data.Tables:
    """Return tables as the page's cleaners leave them, each by itself."""
    for cleaner in page.data.clean:
        found = {name: cleaner.clean(name, rows) for name, rows in found.items()}
    return found


def joined(page: System, found: data.Tables) -> data.Tables:
    """Return cleaned tables with the page's context joined to their rows."""
    return context.joined(page.data.context, found)


def orphans(page: System, found: data.Tables, as_of: int | None) -> list[dict[str, Any]]:
    """Return what each context of the page comes to at the cut: its share of orphans, and the counts."""
    told = []
    for part_ in page.data.context:
        finding, counts = part_.judge(found[part_.to], found[part_.of], as_of)
        told.append({**vars(finding), "by": "context", **counts})
        found = context.joined((part_,), found)
    return told


def counted(page: System, store: Store) -> list[data.Finding]:
    """Return what the page's cleaners count in all that came in, each in what those before it left."""
    found, told = raw(page, store) if page.data.clean else {}, []
    for cleaner in page.data.clean:
        told += [finding for name, rows in found.items() for finding in cleaner.found(name, rows)]
        found = {name: cleaner.clean(name, rows) for name, rows in found.items()}
    return told


def matrix(
    page: System, store: Store, steps: plan.Plan, since: int | None = None
) -> tuple[features.Matrix, tuple[Partition, ...]]:
    """Return the features of every partition (that ends after `since`), and those; computes the missing ones only."""
    every = partitions(page, store)
    every = tuple(one for one in every if since is None or one.until is None or one.until > since)
    if not every:
        raise errors.DataError(f"{page.name}: the store holds no rows: give it files with `flyball ingest`")
    missing = [item for item in every if store.step(item.key) is None]
    begun = time.perf_counter()
    for number, (item, x) in enumerate(_computed(page, store, missing)):
        steps.progress("features", number, len(missing))
        steps.carry(f"features/{item.name}", item.key, partial(_write, x), time.perf_counter() - begun)
        begun = time.perf_counter()
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


def learned(
    page: System, store: Store, steps: plan.Plan, x: features.Matrix, upstream: str, as_of: int | None
) -> tuple[features.Matrix, labels.Answers, str]:  # fmt: skip
    """Return the questions that had been asked by the cut, their truth as known then, and a key of what they hold.

    The key is of the content, not of what it was made from: rows that come in later and change nothing of what was
    known at the cut leave it, and so every training at that cut, alone.
    """
    import numpy as np

    beside = acted(store)
    key = plan.key(
        page.labels,
        alerts.digest(beside["alerts"], as_of),
        reviewing.digest(beside["reviews"], as_of),
        page.features.asked,
        page.data,
        upstream,
        as_of,
        plan.code("data", "features", "labels", "runtime/build.py"),
    )

    def label(folder: Path) -> None:
        found = cleaned(page, raw(page, store))
        asked = asked_by(page, found, x.moments, as_of)
        kept = compact(x.take(asked))
        y = page.labels.label({**joined(page, found), **beside}, kept.moments, as_of)
        write_answers(folder / "y.npz", y)
        np.save(folder / "asked.npy", asked)
        (folder / "content").write_text(content(kept, y))

    folder = steps.carry("labels", key, label)
    kept = compact(x.take(np.load(folder / "asked.npy")))
    return kept, read_answers(folder / "y.npz"), (folder / "content").read_text()


def asked_by(page: System, found: data.Tables, moments: features.Moments, cut: int | None) -> Ints:
    """Return which questions had been asked by the cut: a row seen only later may give rise to older questions."""
    import numpy as np

    every = np.arange(len(moments))
    if cut is None:
        return every
    known = {name: rows.known(cut) for name, rows in found.items()}
    then = page.features.asked.moments(known, None, cut + 1)
    place = {name: code for code, name in enumerate(moments.keys)}
    table = np.array([place.get(name, -1) for name in then.keys], dtype=np.int64)
    pairs = np.stack([table[then.codes], then.at]) if len(then) else np.empty((2, 0), np.int64)
    return every[_isin(np.stack([moments.codes.astype(np.int64), moments.at]), pairs)]


def _isin(pairs: Ints, among: Ints) -> Flags:
    """Return which (code, at) pairs are among others."""
    import numpy as np

    both = np.concatenate([pairs, among], axis=1)
    _, number = np.unique(both, axis=1, return_inverse=True)
    n = pairs.shape[1]
    return np.isin(number.reshape(-1)[:n], number.reshape(-1)[n:])


def compact(x: features.Matrix) -> features.Matrix:
    """Return the matrix with the machines and categories that occur in it alone: others only came up later."""
    import numpy as np

    used = np.unique(x.moments.codes)
    codes = np.searchsorted(used, x.moments.codes).astype(np.int32)
    moments = features.Moments(tuple(x.moments.keys[code] for code in used.tolist()), codes, x.moments.at)
    columns = {}
    for name, column in x.columns.items():
        if isinstance(column, data.Words):
            seen = np.unique(column.codes[column.codes >= 0])
            column = column.relabel(tuple(column.labels[code] for code in seen.tolist()))
        columns[name] = column
    return features.Matrix(moments, columns, x.stopped)


def content(x: features.Matrix, y: labels.Answers) -> str:
    """Return the SHA-256 of what is learned on: questions, columns and truth."""
    import hashlib

    import numpy as np

    digest = hashlib.sha256(repr((x.moments.keys, sorted(x.stopped), y.why.labels)).encode())
    arrays_: list[Array] = [x.moments.codes, x.moments.at, y.value, y.known, y.why.codes]
    arrays_ += [] if y.weight is None else [y.weight]
    for name, column in x.columns.items():
        digest.update(name.encode())
        if isinstance(column, data.Words):
            digest.update(repr(column.labels).encode())
            arrays_.append(column.codes)
        elif isinstance(column, np.ndarray):
            arrays_.append(column)
        else:
            digest.update(repr(column.digests).encode())  # type: ignore[attr-defined]
    for array in arrays_:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _computed(
    page: System, store: Store, missing: Sequence[Partition]
) -> Iterator[tuple[Partition, features.Matrix]]:
    """Yield the features of some partitions, computed from as few reads of the store as the look back allows."""
    if not missing:
        return
    wall = missing[0].since is not None
    # A look back without bound needs all earlier rows whatever is missing: then one read serves all.
    at_once = len(missing) if not wall or lookback(page) is None else AT_ONCE
    for begin in range(0, len(missing), at_once):
        batch = missing[begin : begin + at_once]
        yield from _by_day(page, store, batch) if wall else _by_machine(page, store, batch)


def _by_day(
    page: System, store: Store, batch: Sequence[Partition]
) -> Iterator[tuple[Partition, features.Matrix]]:
    import numpy as np

    begins = np.array([item.since for item in batch], dtype=np.int64)
    ends = np.array([item.until for item in batch], dtype=np.int64)
    span = lookback(page)
    found = cleaned(page, raw(page, store, None if span is None else int(begins[0]) - span, int(ends[-1])))
    moments = page.features.asked.moments(found, int(begins[0]), int(ends[-1]))
    day = np.searchsorted(begins, moments.at, side="right") - 1
    day[moments.at >= ends[day]] = -1
    yield from _parted(page, store, batch, found, moments, day)


def _by_machine(
    page: System, store: Store, batch: Sequence[Partition]
) -> Iterator[tuple[Partition, features.Matrix]]:
    import numpy as np

    fleetwide = any(cleaner.fleetwide() for cleaner in page.data.clean)
    names = None if fleetwide else frozenset(item.name for item in batch)
    found = cleaned(page, raw(page, store, names=names))
    moments = page.features.asked.moments(found)
    place = {item.name: number for number, item in enumerate(batch)}
    group = np.array([place.get(store.partition_of(name), -1) for name in moments.keys], dtype=np.int64)
    yield from _parted(page, store, batch, found, moments, group[moments.codes])


def _parted(
    page: System, store: Store, batch: Sequence[Partition], found: data.Tables, moments: features.Moments, group: Ints
) -> Iterator[tuple[Partition, features.Matrix]]:  # fmt: skip
    """Yield the rows of one matrix by partition: `group` (n,) is the place in the batch of each, -1 for none.

    Context is joined only now: late context makes another version of a row, and asks no further question.
    """
    import numpy as np

    x = page.features.compute(joined(page, found), moments, absent(page, store))
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(len(batch) + 1))
    for number, item in enumerate(batch):
        yield item, x.take(order[bounds[number] : bounds[number + 1]])


def lookback(page: System) -> int | None:
    """Return how far back (microseconds) the features of a moment may need rows, None for all the way."""
    span = page.features.lookback()
    if span is None:
        return None
    margin = max((cleaner.lookback() for cleaner in page.data.clean), default=0)
    margin += sum(int(joined.within) for joined in page.data.context)
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
    for name in ("weight", "until", "came"):
        if getattr(y, name) is not None:
            members[name] = getattr(y, name)
    with file.open("wb") as sink:
        np.savez(sink, **members)  # type: ignore[arg-type]


def read_answers(file: Path) -> labels.Answers:
    """Read answers back."""
    import numpy as np

    with np.load(file, allow_pickle=False) as found:
        why = data.Words(found["why"], tuple(found["labels"].tolist()))
        more = (found[name] if name in found.files else None for name in ("weight", "until", "came"))
        return labels.Answers(found["value"], found["known"], why, *more)
