"""The queue of reviewers: each run puts the questions in it that are worth most, and takes in what was said of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.feedback import review as reviews
from flyball.labels import stage as labels
from flyball.runtime import contest as contests

if TYPE_CHECKING:
    import polars as pl

    from flyball.runtime.store import Store
    from flyball.system import System

QUEUE = {
    "id": "String", "key": "String", "at": "Int64", "why": "String", "value": "Float64", "answer": "Float64",
    "queued": "Int64",
}  # fmt: skip
SAID = {"id": "String", "key": "String", "at": "Int64", "seen": "Int64", "label": "Float64", "who": "String"}
#: Rows that were learned from, of which the usual is told, at most.
USUAL = 5000


def name(key: str, moment: int) -> str:
    """Return what a question is called: eight letters that follow from its machine and moment.

    >>> name("A-001", 1735689600000000)
    'b03dc958'
    """
    return hashlib.sha256(f"{key} {moment}".encode()).hexdigest()[:8]


def fill(
    page: System, kept: Store, held: contests.Held, x: features.Matrix, asked: features.Matrix, threshold: float,
    now: int,
) -> int:  # fmt: skip
    """Put the questions of most value into the queue, within the day's budget; return how many were new.

    What serves and what shadows it answered about, and labels that were learned from and look wrong, are looked at;
    what is in the queue already, or was reviewed, is not put there again.
    """
    review = page.feedback.asks()
    if review is None:
        return 0
    queue = kept.frame("queue")
    today = now // int(units.DAY)
    spent = sum(one // int(units.DAY) == today for one in queue["queued"].to_list()) if queue.height else 0
    known = set(queue["id"].to_list()) if queue.height else set()
    rows = [row for row in _candidates(page, kept, held, x, asked, threshold) if row["id"] not in known]
    values = {by: _column(rows, by) for by in review.by}
    chosen = review.choose(values, review.per_day - spent) if rows else ()
    picked = []
    for one in chosen:
        row = {column: rows[one.place][column] for column in ("id", "key", "at", "answer")}
        picked.append({**row, "why": one.why, "value": one.value, "queued": now})
    if not picked:
        return 0
    told = f"queue {today} {[one['id'] for one in picked]}"
    return len(picked) if kept.append("queue", _frame(picked, QUEUE), told) else 0


def _column(rows: Sequence[Mapping[str, Any]], by: str) -> Any:
    import numpy as np

    return np.array([row.get(by, np.nan) for row in rows], dtype=np.float64)


def _candidates(
    page: System,
    kept: Store,
    held: contests.Held,
    x: features.Matrix,
    asked: features.Matrix,
    threshold: float,
) -> list[dict[str, Any]]:
    """Return questions with what each is worth by every reason that can be told of it."""
    import numpy as np
    import polars as pl

    out: dict[Any, dict[str, Any]] = {}
    found = contests.suspected(page, held)
    if found is not None:
        moments = x.moments[held.rolling.rows]
        names, said = moments.names(), held.rolling.answers["challenger"]
        for place in np.flatnonzero(found.suspect).tolist():
            key, at = names[place], int(moments.at[place])
            answer = float(said[place] if said.ndim == 1 else said[place].max())
            one = {
                "id": name(key, at),
                "key": key,
                "at": at,
                "answer": answer,
                "suspect": float(found.doubt[place]),
            }
            out[one["id"]] = one
    answers = kept.frame("answers")
    if answers.height and len(asked) and isinstance(page.labels.kind(), labels.Probability):
        newest = answers.filter(pl.col("at") == answers["at"].max())
        serving = newest.filter(pl.col("role").fill_null("serving") == "serving").unique("key", keep="last")
        serving = serving if serving.height else newest.unique("key", keep="last")
        serving = serving.sort("key")
        value = serving["answer"].to_numpy()
        worth = {"uncertain": reviews.uncertain(value, threshold)}
        if (apart := _apart(held, asked, newest, serving)) is not None:
            worth["disagreeing"] = apart
        worth["rare"] = _rare(x, held, asked, serving["key"].to_list(), int(newest["at"][0]))
        for place, key in enumerate(serving["key"].to_list()):
            at = int(newest["at"][0])
            one = {"id": name(key, at), "key": key, "at": at, "answer": float(value[place])}
            out[one["id"]] = {**one, **{by: float(each[place]) for by, each in worth.items()}}
    return list(out.values())


def _apart(held: contests.Held, asked: features.Matrix, newest: pl.DataFrame, serving: pl.DataFrame) -> Any:
    """Return how far apart the answers to the newest questions are: of what shadows, else of the contest's two."""
    import numpy as np
    import polars as pl

    keys, at = serving["key"].to_list(), int(newest["at"][0])
    beside = newest.filter(pl.col("role") == "shadow").unique("key", keep="last")
    both = serving.join(beside, on="key", how="inner", suffix="_shadow", maintain_order="left")
    two = [both[name].to_numpy() for name in ("answer", "answer_shadow")]
    if both.height == serving.height and both.height and (two[0] != two[1]).any():
        return reviews.disagreeing(two)
    if (places := _places(asked, keys, at)) is None:
        return None
    rows = asked.take(np.array(places))
    return reviews.disagreeing([held.predictors[name].predict(rows) for name in ("baseline", "challenger")])


def _places(asked: features.Matrix, keys: Sequence[str], at: int) -> list[int] | None:
    """Return the rows in which some machines are asked at a moment; None where one of them is not."""
    import numpy as np

    places = np.flatnonzero(asked.moments.at == at)
    found = dict(zip(asked.moments[places].names(), places.tolist(), strict=True))
    there = [found.get(key, -1) for key in keys]
    return there if there and min(there) >= 0 else None


def _rare(
    x: features.Matrix, held: contests.Held, asked: features.Matrix, keys: Sequence[str], at: int
) -> Any:
    import numpy as np

    plain = [
        name for name, column in x.columns.items() if isinstance(column, np.ndarray) and column.ndim == 1
    ]
    rows = held.trained if len(held.trained) <= USUAL else held.trained[:: len(held.trained) // USUAL + 1]
    there = _places(asked, keys, at)
    if not plain or not len(rows) or there is None:
        return np.full(len(keys), np.nan)
    return reviews.rare(asked.take(np.array(there)).dense(plain), x.take(rows).dense(plain))


def waiting(kept: Store) -> list[dict[str, Any]]:
    """Return the questions that nobody answered yet, suspected labels first, then in the order in which they came."""
    queue = kept.frame("queue")
    if not queue.height:
        return []
    said = kept.frame("reviews")
    done: dict[str, int] = {}
    for one in said["id"].to_list() if said.height else []:
        done[one] = done.get(one, 0) + 1
    rows = [{**row, "said": done.get(row["id"], 0)} for row in queue.iter_rows(named=True)]
    return sorted(
        (row for row in rows if not row["said"]), key=lambda row: (row["why"] != "suspect", row["queued"])
    )


def say(
    page: System, kept: Store, told: Iterable[tuple[str, str, str]], now: int | None = None
) -> int:  # fmt: skip
    """Take in what reviewers said: (question, label, who); return how many labels were new.

    A question is named by the start of its id; a label is yes, no, 1, 0 or the name of a class.  All of them are taken
    or, where one is wrong, none.  Raises DataError for a question that is not in the queue, or a label that is none.
    """
    now = time.time_ns() // 1000 if now is None else now
    queue = {row["id"]: row for row in kept.frame("queue").iter_rows(named=True)}
    rows = []
    for which, label, who in told:
        found = [one for one in queue if one.startswith(which)] if which else []
        if len(found) != 1:
            hint = errors.did_you_mean(which, queue)
            many = f"{len(found)} questions begin with {which!r}: give more of it"
            raise errors.DataError(many if found else f"no question {which!r} in the queue: {hint}")
        if not who:
            raise errors.DataError(f"question {which}: nobody is named who said {label!r}")
        row = queue[found[0]]
        value = _label(page.labels.kind(), label)
        rows.append(
            {"id": row["id"], "key": row["key"], "at": row["at"], "seen": now, "label": value, "who": who}
        )
    last = {(row["id"], row["who"]): row["label"] for row in kept.frame("reviews").iter_rows(named=True)}
    rows = [row for row in rows if last.get((row["id"], row["who"])) != row["label"]]
    if not rows:
        return 0
    once = f"reviews {kept.frame('reviews').height} {[(row['id'], row['who'], row['label']) for row in rows]}"
    kept.append("reviews", _frame(rows, SAID), once)
    kept.audit("reviewed", {"labels": len(rows), "who": sorted({str(row["who"]) for row in rows})})
    return len(rows)


def _label(kind: labels.Kind, text: str) -> float:
    """Return a label as a number: 0 or 1, or the place of a class."""
    if isinstance(kind, labels.Classes):
        if text in kind.names:
            return float(kind.names.index(text))
        raise errors.DataError(f"no class {text!r}: {errors.did_you_mean(text, kind.names)}")
    found = {"1": 1.0, "yes": 1.0, "true": 1.0, "0": 0.0, "no": 0.0, "false": 0.0}.get(text.strip().lower())
    if found is None:
        raise errors.DataError(f"no label {text!r}: say yes or no")
    return found


def said(kept: Store) -> data.Rows:
    """Return what reviewers said as labels and outcomes read it: the last word of each is the one that holds."""
    frame = kept.frame("reviews")
    if not frame.height:
        return data.Rows.of([], [], [], {"label": [], "who": data.Words.of([])}, ("at", "who"))
    columns = {"label": frame["label"].to_numpy(), "who": data.Words.of(frame["who"].to_list())}
    at, seen = frame["at"].to_numpy(), frame["seen"].to_numpy()
    return data.Rows.of(frame["key"].to_list(), at, seen, columns, ("at", "who"))


def digest(rows: data.Rows, as_of: int | None) -> str:
    """Return one digest of what was said by the cut; "" for nothing."""
    known = rows.known(as_of)
    if not len(known):
        return ""
    who, label = known.words("who").texts(), known.floats("label").tolist()
    told = repr((known.keys, known.starts.tolist(), known.at.tolist(), label, who))
    return hashlib.sha256(told.encode()).hexdigest()


def _frame(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, str]) -> pl.DataFrame:
    import polars as pl

    kinds: dict[str, Any] = {"String": pl.String, "Int64": pl.Int64, "Float64": pl.Float64}
    return pl.DataFrame(rows, schema={column: kinds[kind] for column, kind in schema.items()}, orient="row")
