"""Files in: claimed by their table, read, judged, and taken into the store as one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import data, durable, errors
from flyball.data import arrivals, bindings
from flyball.data.formats.raw import PLAIN
from flyball.runtime import claims, unpacking
from flyball.runtime.claims import Landed
from flyball.runtime.receipt import Receipt
from flyball.runtime.taking import Taking

if TYPE_CHECKING:
    from flyball.runtime.store import Store

Progress = Callable[[str, int, int], None]


def ingest(
    store: Store, paths: Iterable[Path | str], binding: data.Binding | data.Bindings | None = None,
    progress: Progress | None = None, now: int | None = None, live: bool = False,
    limits: arrivals.Limits = PLAIN,
) -> Receipt:  # fmt: skip
    """Take in all files below some paths as one commit and return what came of them; durable when this returns.

    A file whose content is known changes nothing.  `now` (microseconds; the clock's time by default) is when they
    came; with `live` the rows of a wall-clock page were seen then, otherwise they are history and `seen` is `at`
    plus the table's lag, marked assumed.  Raises DataError for a path that is not there and for a binding that does
    not fit, StoreError when the store cannot be written.
    """
    return take(store, claims.found([Path(path) for path in paths]), binding, progress, now, live, limits)


def take(
    store: Store, files: Iterable[Landed], binding: data.Binding | data.Bindings | None = None,
    progress: Progress | None = None, now: int | None = None, live: bool = False,
    limits: arrivals.Limits = PLAIN, patient: bool = False,
) -> Receipt:  # fmt: skip
    """Take in some files, in their order, as `ingest` does those below its paths.

    Whoever is `patient` offers again what changes while it is read, cannot be read now, or has no binding for its
    day: such a file is named as waiting, and the others are taken in.
    """
    import time

    came = time.time_ns() // 1000 if now is None else now
    sites = bindings.several(binding)
    receipt = Receipt(notes=sites.check(store.fleet))
    claimed = []
    for table, file in claims.claimed(store.fleet, files, receipt):
        try:
            claimed.append((table, file, sites.of(Path(file.name), came) if table is not None else None))
        except errors.DataError as error:
            if not patient:
                raise
            receipt.waiting[file.name] = str(error)
    with store.writing(), durable.guard(f"take files into {store.folder}"):
        taking = Taking(store, receipt, came, live, limits, patient)
        try:
            for done, (table, file, site) in enumerate(claimed):
                if table is None:
                    unpacking.unpack(taking, file, sites)
                else:
                    _read(taking, table, file, site)
                if progress is not None:
                    progress("ingest", done + 1, len(claimed))
            taking.commit()
        except BaseException:
            taking.drop()
            raise
    return receipt


def _read(taking: Taking, table: data.Table, file: claims.Landed, binding: data.Binding | None) -> None:
    """Read a file and take it in; what must not be read is refused, what cannot be read now may wait."""
    if file.refused:
        return taking.refuse(table, file.name, file.refused, "")
    path, name = file.path.resolve() if file.follow else file.path, file.name
    try:
        content = arrivals.read(path, taking.limits.file, file.seen)
    except arrivals.RefusedError as refused:
        if taking.patient and isinstance(refused, arrivals.ChangingError):
            taking.receipt.waiting[name] = str(refused)
        else:
            taking.refuse(table, name, str(refused), taking.judging(table, binding)[1])
    except errors.DataError as error:
        if not taking.patient:
            raise errors.DataError(f"{path}: {error}: nothing was taken in, run again") from None
        taking.receipt.waiting[name] = str(error)
    else:
        taking.add(table, path, name, content, binding)
