"""A place that is watched: from what the command was given to what it says, until somebody ends it."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.cli import given, shown

if TYPE_CHECKING:
    from flyball.data.stage import Fleet


def watch(
    fleet: Fleet, place: str, store: Path, binding: Path | None, *, every: float, seconds: float, live: bool,
    largest: int, lot: int, as_json: bool, once: bool = False,
) -> int:  # fmt: skip
    """Take in what lands in a place until interrupted, or for some seconds; say every lot, and the sum at the end.

    With `once` what is there now is taken in, and that is all.  Returns 3 when the last try was in trouble (or, with
    `once`, something could not be had), else 0.  Raises DeclarationError for a wait that is none and what opening
    the place and the store raises.
    """
    from flyball.data import arrivals, bindings
    from flyball.runtime import databases, landing, messages, objects
    from flyball.runtime.store import Store

    for name, value, least in (("every", every, 0.01), ("largest", largest, 1), ("lot", lot, 1)):
        if not value >= least:
            raise errors.DeclarationError(f"--{name} {value}: give at least {least}")
    limits = arrivals.Limits(file=largest << 20)
    there: landing.Place | None = None
    if place.partition("://")[0] in messages.SCHEMES:
        if once:
            raise errors.DeclarationError(
                f"{place}: messages have no end: give it to --watch, and --for how long"
            )
        messages.Place.read(place)
    elif place.partition(":")[0] in databases.SCHEMES:
        databases.Database(place)
    elif place.startswith(objects.SCHEME):
        there = objects.Bucket(place, store, fleet, limits)
        for _ in there.look():  # what cannot be listed now is said now
            break
    elif not Path(place).is_dir():
        raise errors.DataError(f"no folder {place}: give --watch the folder where the files land")
    else:
        there = landing.Folder(Path(place), but=store)
    site = bindings.read(binding) if binding is not None else None
    watched: landing.Watch | messages.Watch | databases.Watch
    if place.partition(":")[0] in databases.SCHEMES:
        watched = databases.Watch(Store.open(store, fleet), place, site, live)
    elif there is None:
        watched = messages.Watch(Store.open(store, fleet), messages.Place.read(place), site)
    else:
        watched = landing.Watch(
            Store.open(store, fleet), there, site, live=live, limits=limits, lot=lot << 20
        )
    with given.ended() as stop:
        ends = once and not isinstance(watched, messages.Watch)
        for told in watched.all(stop) if ends else watched.go(every, seconds, stop):  # type: ignore[union-attr]
            shown.say(told, as_json, functools.partial(landing.lines, told))
            sys.stdout.flush()
        total: dict[str, Any] = {
            "ended": "interrupted" if stop.is_set() else "done" if once else "time is over",
            **vars(watched.total),
        }
    shown.say(total, as_json, lambda: landing.total_lines(total))
    return 3 if watched.total.trouble or (once and watched.total.waiting) else 0
