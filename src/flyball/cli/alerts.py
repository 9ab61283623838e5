"""`flyball alerts`: what was raised, and what people did about it."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from flyball import errors
from flyball.cli import given, shown

app = typer.Typer(help="List alerts, and say what was done about one: ack, snooze, order, act, found, close.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
StoreAt = Annotated[Path, typer.Option("--store", help="The folder that holds everything.")]
Which = Annotated[str, typer.Argument(help="The alert: the start of its id.", metavar="ALERT")]
Who = Annotated[str | None, typer.Option(help="Who says so; else the user of this machine.")]
At = Annotated[str | None, typer.Option(help="When it was done (UTC); else now.")]
Note = Annotated[str, typer.Option(help="A word about it, kept with the act.")]
HERE = Path("var")


@app.callback(invoke_without_command=True)
def listed(
    context: typer.Context,
    store: StoreAt = HERE,
    machine: Annotated[str | None, typer.Option(help="Only alerts about this machine.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Closed ones and those that are snoozed, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the alerts that are open, the newest first: why each was raised, and what was done."""
    from flyball.runtime import alerts, look

    if context.invoked_subcommand is not None:
        return
    now = time.time_ns() // 1000
    found = [one for one in alerts.lives(look.opened(store)) if machine in (None, one.key)]
    chosen = found if every else [one for one in found if one.now(now) not in ("closed", "snoozed")]
    told = {"store": str(store), "alerts": [told_of(one, now) for one in chosen], "all": len(found)}
    shown.say(told, as_json, lambda: lines(told))


@app.command()
def ack(which: Which, store: StoreAt = HERE, who: Who = None, note: Note = "", as_json: Json = False) -> None:
    """Say that somebody has seen it."""
    _do(store, which, "ack", who, None, as_json, note=note)


@app.command()
def snooze(
    which: Which,
    until: Annotated[str, typer.Option(help="A date or time (UTC) until which it is not shown.")],
    store: StoreAt = HERE, who: Who = None, note: Note = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Let it rest until a time."""
    _do(store, which, "snooze", who, None, as_json, until=given.moment(until, "--until") or 0, note=note)


@app.command()
def order(
    which: Which,
    number: Annotated[str, typer.Argument(help="The number of the work order.")],
    store: StoreAt = HERE, who: Who = None, at: At = None, note: Note = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Note the work order that was opened for it."""
    _do(store, which, "order", who, at, as_json, order=number, note=note)


def _told_later(act: str, what: str) -> None:
    """Add a command that says what was done or seen, at a time that may lie back."""

    def command(
        which: Which,
        store: StoreAt = HERE,
        who: Who = None,
        at: At = None,
        note: Note = "",
        as_json: Json = False,
    ) -> None:
        _do(store, which, act, who, at, as_json, note=note)

    app.command(name=act, help=what)(command)


_told_later("act", "Say that the machine was changed because of it: from then on its label is censored.")
_told_later("found", "Say that there was a fault.")
_told_later("not-found", "Say that somebody looked and there was none.")


@app.command()
def close(
    which: Which, store: StoreAt = HERE, who: Who = None, note: Note = "", as_json: Json = False
) -> None:
    """End it."""
    _do(store, which, "close", who, None, as_json, note=note)


def _do(
    store: Path, which: str, act: str, who: str | None, at: str | None, as_json: bool, until: int = 0,
    order: str = "", note: str = "",
) -> None:  # fmt: skip
    from flyball.runtime import alerts, look

    name = who or user()
    done = alerts.do(look.opened(store), which, act, name, given.moment(at, "--at"), until, order, note)
    told = told_of(done, done.acts[-1].seen)
    shown.say(told, as_json, lambda: iter([f"alert {done.id} of {done.key}: {done.state}, by {name}"]))


def told_of(one: Any, now: int) -> dict[str, Any]:
    """Return an alert as JSON."""
    return {
        "id": one.id, "machine": one.key, "moment": one.moment, "score": one.score, "rank": one.rank,
        "release": one.release, "state": one.now(now), "until": one.until, "order": one.order,
        "acted_at": one.acted_at, "found": one.found,
        "because": [
            {"feature": column, "value": value, "usual": usual, "change": change}
            for column, value, usual, change in one.because
        ],
        "acts": [
            {"act": done.act, "who": done.who, "at": done.at, "seen": done.seen, "note": done.note} for done in one.acts
        ],
    }  # fmt: skip


def lines(told: dict[str, Any]) -> Iterator[str]:
    """Yield alerts as a person reads them."""
    from flyball.runtime import look

    yield f"{told['store']}: {len(told['alerts'])} of {told['all']} alert(s)"
    for one in told["alerts"]:
        order = f", work order {one['order']}" if one["order"] else ""
        yield f"  {one['id']} {look.when(one['moment'])} {one['machine']}: {one['score']:.3g}, {one['state']}{order}"
        for why in one["because"][:3]:
            yield f"    {why['feature']}: {why['value']:.4g}, usual {why['usual']:.4g} ({why['change']:+.2f})"
        for done in one["acts"]:
            note = f": {done['note']}" if done["note"] else ""
            yield f"    {look.when(done['seen'])} {done['act']} by {done['who']}{note}"


def user() -> str:
    """Return who runs this command; raises DeclarationError where nobody is named."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise errors.DeclarationError("nobody is named here: give --who") from None
