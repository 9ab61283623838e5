"""The life of an alert: raised, acknowledged, snoozed, ordered, acted on, found or not, closed.

Why: what people did about an alert decides what its outcome means.  A machine that was repaired because of it says
nothing about what would have happened, so acts are kept like data: who, when, never changed, and only in an order
that makes sense.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flyball import errors, evidence

#: Act -> (the states from which it may be done, the state after it).
MOVES: dict[str, tuple[tuple[str, ...], str]] = {
    "ack": (("open", "snoozed"), "acknowledged"),
    "snooze": (("open", "acknowledged", "snoozed", "ordered"), "snoozed"),
    "order": (("open", "acknowledged", "snoozed", "ordered"), "ordered"),
    "act": (("open", "acknowledged", "snoozed", "ordered"), "acted"),
    "found": (("acknowledged", "ordered", "acted", "not found"), "found"),
    "not-found": (("acknowledged", "ordered", "acted", "found"), "not found"),
    "close": (("open", "acknowledged", "snoozed", "ordered", "acted", "found", "not found"), "closed"),
}


@dataclass(frozen=True)
class Life:
    """An alert and everything that was done about it, in order.

    `id` tells it apart; `release` is the model that raised it, `because` what drove its answer then: (feature, value,
    the fleet's median, change of the answer).  `acted_at` is when somebody changed the machine (None: nobody did),
    `found` whether there was a fault (None: nobody said), each with when that was told.

    >>> raised = Life("3f2a90c1", "m1", moment=10, score=0.9, rank=1, release="ab")
    >>> raised.after(evidence.Act("3f2a90c1", "act", "m.jansen", at=12, seen=15)).state
    'acted'
    >>> raised.after(evidence.Act("3f2a90c1", "found", "m.jansen", at=12, seen=15))
    Traceback (most recent call last):
    flyball.errors.DeclarationError: alert 3f2a90c1 is open: it cannot be 'found', only ack, snooze, order, act, close
    """

    id: str
    key: str
    moment: int
    score: float
    rank: int
    release: str = ""
    because: tuple[tuple[str, float, float, float], ...] = ()
    raised: int = 0
    state: str = "open"
    until: int = 0
    order: str = ""
    acted_at: int | None = None
    acted_seen: int | None = None
    found: bool | None = None
    found_seen: int | None = None
    acts: tuple[evidence.Act, ...] = ()

    def after(self, act: evidence.Act) -> Life:
        """Return the life with an act more.

        Raises DeclarationError for an act that there is not, that may not follow, or that lies before what it is about.
        """
        if act.act not in MOVES:
            raise errors.DeclarationError(f"no act {act.act!r}: {errors.did_you_mean(act.act, MOVES)}")
        came_from, state = MOVES[act.act]
        if self.state not in came_from:
            can = ", ".join(name for name, (states, _) in MOVES.items() if self.state in states)
            raise errors.DeclarationError(
                f"alert {self.id} is {self.state}: it cannot be {act.act!r}"
                + (f", only {can}" if can else "")
            )
        last = self.acts[-1].seen if self.acts else self.raised
        if act.at < self.moment or act.seen < max(last, act.at):
            raise errors.DeclarationError(
                f"alert {self.id}: {act.act!r} lies before what it is about: give the time at which it was done"
            )
        if act.act == "snooze" and act.until <= act.seen:
            raise errors.DeclarationError(
                f"alert {self.id}: snoozed until a time that is over: give a later one"
            )
        if act.act == "order" and not act.order:
            raise errors.DeclarationError(f"alert {self.id}: a work order without its number")
        changed = replace(
            self, state=state, acts=(*self.acts, act), until=act.until, order=act.order or self.order
        )
        if act.act == "act":
            return replace(changed, acted_at=act.at, acted_seen=act.seen)
        if act.act in ("found", "not-found"):
            return replace(changed, found=act.act == "found", found_seen=act.seen)
        return changed

    def now(self, at: int) -> str:
        """Return the state at a moment: a snooze that is over is open again."""
        return "open" if self.state == "snoozed" and self.until <= at else self.state


def lived(raised: Life, acts: Iterable[evidence.Act]) -> Life:
    """Return an alert after some acts, in their order."""
    for act in acts:
        raised = raised.after(act)
    return raised
