"""The alerts of a store: raised once each, with what drove them, and everything that was done about them.

Rows of the table `alerts` are only ever added: the first of an alert says what was raised, each later one what
somebody did.  What is decided follows the answers that the store holds, so a loop that is killed between answering and
raising raises the same alerts when it goes on, each once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.feedback import life
from flyball.labels import stage as labels
from flyball.model import because

if TYPE_CHECKING:
    import polars as pl

    from flyball.feedback.stage import Order
    from flyball.model.stage import Predictor
    from flyball.runtime.store import Store
    from flyball.system import System

#: The states of an alert with an order from which what the order found is written down.
ENDED_FROM = ("ordered", "acted", "found", "not found")
#: Where the state of the page's decision is kept, and up to which moment it has decided.
STATE = "deciding"
SCHEMA = {
    "id": "String", "key": "String", "at": "Int64", "number": "Int64", "act": "String", "who": "String",
    "done": "Int64", "seen": "Int64", "until": "Int64", "order": "String", "note": "String", "score": "Float64",
    "rank": "Int64", "release": "String", "because": "String",
}  # fmt: skip


def name(key: str, moment: int) -> str:
    """Return what an alert is called: eight letters that follow from its machine and moment.

    >>> name("A-001", 1735689600000000)
    'b03dc958'
    """
    return hashlib.sha256(f"{key} {moment}".encode()).hexdigest()[:8]


def decide(
    page: System, kept: Store, asked: features.Matrix, scorer: Callable[[str], tuple[Predictor, float]], seen: int
) -> int:  # fmt: skip
    """Decide about every answer of serving releases that was not decided about, and raise; return how many were new.

    `scorer(release)` gives a release's predictor and its frozen threshold.  Answers are taken moment by moment, each
    with the threshold of the release that gave it, through the page's decision, whose state is carried on.
    """
    import numpy as np
    import polars as pl

    if not isinstance(page.labels.kind(), labels.Probability) or not isinstance(
        page.data.clock, data.WallClock
    ):
        return 0
    held = kept.state(STATE)
    state, until, last = held.get("state"), held.get("until", -data.FOREVER), set(held.get("keys", ()))
    answers = kept.frame("answers")
    if not answers.height:
        return 0
    if "role" in answers.columns:
        answers = answers.filter(pl.col("role").fill_null("serving") == "serving")
    if not held:  # what was answered before anything was ever raised is past
        answers = answers.filter(pl.col("at") == pl.col("at").max())
    answers = answers.filter(
        (pl.col("at") > until) | ((pl.col("at") == until) & ~pl.col("key").is_in(list(last)))
    )
    # Where two releases answered one question, the first one was what was acted on.
    answers = answers.unique(["key", "at"], keep="first", maintain_order=True).sort("at", maintain_order=True)
    raised = 0
    state = page.serving.decide.start() if state is None else state
    for (at, release), some in answers.group_by(["at", "release"], maintain_order=True):
        moments = features.Moments.of(some["key"].to_list(), some["at"].to_numpy())
        said = dict(zip(some["key"].to_list(), some["answer"].to_list(), strict=True))
        predictor, threshold = scorer(str(release))
        values = np.array([said[key] for key in moments.names()])
        state, alerts = page.serving.decide.step(state, values, moments, threshold)
        raised += sum(_raise(kept, one, str(release), asked, predictor, seen) for one in alerts)
        last = set(moments.keys) | (last if int(at) == until else set())
        until = int(at)
    if answers.height:
        kept.state(STATE, {"state": state, "until": until, "keys": sorted(last)})
    return raised


def _raise(
    kept: Store, alert: evidence.Alert, release: str, asked: features.Matrix, predictor: Predictor, seen: int
) -> bool:
    """Write an alert down with what drove its answer; say whether it was new."""
    called = name(alert.key, alert.moment)
    row = dict.fromkeys(SCHEMA) | {
        "id": called, "key": alert.key, "at": alert.moment, "number": 0, "act": "raised", "who": "",
        "done": alert.moment, "seen": max(seen, alert.moment), "score": alert.score, "rank": alert.rank,
        "release": release, "because": json.dumps(_because(alert, asked, predictor)),
    }  # fmt: skip
    return kept.append("alerts", _frame([row]), f"alert {called} 0")


def _because(alert: evidence.Alert, asked: features.Matrix, predictor: Predictor) -> Sequence[Any]:
    import numpy as np

    beside = np.flatnonzero(asked.moments.at == alert.moment)
    names = asked.moments.names() if len(beside) == len(asked) else asked.moments[beside].names()
    own = [place for place, key in zip(beside.tolist(), names, strict=True) if key == alert.key]
    return because.because(predictor, asked, own[0], beside.tolist()) if own else ()


def lives(kept: Store, as_of: int | None = None) -> list[life.Life]:
    """Return every alert with what was done about it, as known at the cut, the newest first."""
    import polars as pl

    frame = kept.frame("alerts")
    if not frame.height:
        return []
    if as_of is not None:
        frame = frame.filter(pl.col("seen") <= as_of)
    found: dict[str, life.Life] = {}
    for row in frame.sort("id", "number", maintain_order=True).iter_rows(named=True):
        if row["number"] == 0:
            found[row["id"]] = life.Life(
                row["id"], row["key"], row["at"], row["score"], row["rank"], row["release"],
                tuple((str(c), float(v), float(u), float(d)) for c, v, u, d in json.loads(row["because"])),
                row["seen"],
            )  # fmt: skip
        elif row["id"] in found:
            found[row["id"]] = found[row["id"]].after(_act(row))
    return sorted(found.values(), key=lambda one: (-one.moment, one.rank, one.id))


def _act(row: Mapping[str, Any]) -> evidence.Act:
    return evidence.Act(
        row["id"], row["act"], row["who"], row["done"], row["seen"], row["until"] or 0, row["order"] or "",
        row["note"] or "",
    )  # fmt: skip


def do(
    kept: Store, which: str, act: str, who: str, at: int | None = None, until: int = 0, order: str = "",
    note: str = "", now: int | None = None,
) -> life.Life:  # fmt: skip
    """Write down what somebody did about an alert, named by the start of its id; return its life after that.

    `at` is when it was done, `now` when it is told (both default to this moment).  Raises DeclarationError for an act
    that may not follow, DataError for an alert that there is not, or that somebody else changed meanwhile.
    """
    now = time.time_ns() // 1000 if now is None else now
    found = one(kept, which)
    told = evidence.Act(found.id, act, who, now if at is None else at, now, until, order, note)
    after = found.after(told)
    row = dict.fromkeys(SCHEMA) | {
        "id": found.id, "key": found.key, "at": found.moment, "number": len(after.acts), "act": act, "who": who,
        "done": told.at, "seen": told.seen, "until": until, "order": order, "note": note,
    }  # fmt: skip
    if not kept.append("alerts", _frame([row]), f"alert {found.id} {len(after.acts)}"):
        raise errors.DataError(f"alert {found.id} was changed by somebody else meanwhile: look again")
    kept.audit("alert", {"alert": found.id, "act": act, "who": who, "order": order, "note": note})
    return after


def ended(kept: Store, orders: Sequence[Order], now: int) -> int:
    """Write down what work orders found about the alerts they were opened for; return how many lives went on.

    An order that found a fault changed the machine.  Whoever was killed in between goes on; what is known already is
    not told again, and a correction is.  An order that was done before the alert is about something else.
    """
    about = {alert.order: alert for alert in lives(kept, now) if alert.order}
    changed = 0
    for order in orders:
        alert = about.get(order.number)
        if alert is None or alert.state not in ENDED_FROM or order.at < alert.moment:
            continue
        steps = ["act"] if order.found and alert.acted_at is None else []
        steps += [] if alert.found is order.found else ["found" if order.found else "not-found"]
        for step in steps:
            told = max(now, alert.acts[-1].seen, order.at)
            alert = do(kept, alert.id, step, f"work order {order.number}", order.at, now=told)
        about[order.number] = alert
        changed += bool(steps)
    return changed


def one(kept: Store, which: str) -> life.Life:
    """Return the alert whose id begins so; raises DataError when there is none, or more than one."""
    every = lives(kept)
    found = [alert for alert in every if alert.id.startswith(which)] if which else []
    if len(found) != 1:
        hint = errors.did_you_mean(which, [alert.id for alert in every])
        what = (
            f"no alert {which!r}: {hint}"
            if not found
            else f"{len(found)} alerts begin with {which!r}: give more"
        )
        raise errors.DataError(what)
    return found[0]


def acts(kept: Store) -> data.Rows:
    """Return the acted-on alerts as labels read them: `at` the act, `seen` when it was told, `found` 1, 0 or NaN.

    What was found is a later version of the same act, so that at every cut only what was known then is known.
    """
    rows = list(_acted(lives(kept)))
    found = {"found": [one for *_, one in rows]}
    return data.Rows.of(
        (key for key, *_ in rows),
        [at for _, at, *_ in rows],
        [seen for _, _, seen, _ in rows],
        found,
        ("at",),
    )


def _acted(every: Sequence[life.Life]) -> Iterator[tuple[str, int, int, float]]:
    for alert in every:
        if alert.acted_at is None or alert.acted_seen is None:
            continue
        yield alert.key, alert.acted_at, alert.acted_seen, float("nan")
        for act in alert.acts:
            if act.act in ("found", "not-found"):
                seen = max(act.seen, alert.acted_seen + 1)
                yield alert.key, alert.acted_at, seen, float(act.act == "found")


def digest(rows: data.Rows, as_of: int | None) -> str:
    """Return one digest of what was known of acts at the cut; "" where there were none."""
    known = rows.known(as_of)
    if not len(known):
        return ""
    told = [list(known.keys), known.starts.tolist(), known.at.tolist(), known.floats("found").tolist()]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    import polars as pl

    kinds: dict[str, Any] = {"String": pl.String, "Int64": pl.Int64, "Float64": pl.Float64}
    return pl.DataFrame(rows, schema={column: kinds[kind] for column, kind in SCHEMA.items()}, orient="row")
