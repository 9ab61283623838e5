"""What a person gives a command besides its files: a moment, and the wish that it ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from flyball import errors


def moment(text: str | None, option: str, whole_day: bool = False) -> int | None:
    """Return a date or time (UTC unless it says otherwise) as microseconds; None for none.

    A bare date is its beginning; with `whole_day` its end, so that the day itself is known.  DeclarationError names
    the option.

    >>> moment("1970-01-01T00:01", "--at"), moment("1970-01-01", "--as-of", whole_day=True)
    (60000000, 86399999999)
    """
    from datetime import UTC, datetime, timedelta

    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise errors.DeclarationError(
            f"{option} {text!r} is no time: give one like 2026-03-01 or 2026-03-01T06:00"
        ) from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if whole_day and len(text) <= 10:
        when += timedelta(days=1) - timedelta(microseconds=1)
    return round(when.timestamp() * 1e6)


@contextlib.contextmanager
def ended() -> Iterator[threading.Event]:
    """Give what is set when the process is asked to end: what is under way is finished; asked twice, it is not."""
    stop = threading.Event()

    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        # Not here: what this interrupted may be the very wait that holds the event's lock.
        threading.Thread(target=stop.set).start()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
