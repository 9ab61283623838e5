"""Values that cross the stages: what was measured, judged, raised, decided, and what happened then.

Why: a gate judges a Measurement that the runtime took, rollout reads Verdicts, feedback joins Outcomes; with
these few values in one place no stage needs to look up at a later one.
"""

from __future__ import annotations

from flyball import part


class Measurement(part.Part):
    """A figure with its 95 % interval: `low` and `high` equal `value` when there is nothing to resample.

    >>> Measurement("average_precision", 0.21, 0.15, 0.28, n=198).name
    'average_precision'
    """

    name: str
    value: float
    low: float
    high: float
    n: int = 0
    unit: str = ""


class Verdict(part.Part):
    """What a gate said: the figure it looked at, the limit it holds, and whether that passed."""

    gate: str
    figure: float
    limit: float
    passed: bool
    why: str = ""


class Alarm(part.Part):
    """The model or its data no longer hold: which detector, over which columns, since when, how sure, from what.

    `at` is when it was raised and `since` when what it tells of began (None: not said), both in microseconds;
    `columns` and `machines` name the culprits, worst first.  `sure` is the chance that as much as this shows up
    anywhere in what the detector watches in one window although nothing happened: a p-value over everything watched,
    small is sure, None is not said.  `cause` is "sensor" (a sensor tells wrong), "data" (what comes in has moved),
    "concept" (what follows from it has), or "" where nobody can tell; `kind` names the pattern, such as "flatline".

    >>> Alarm("drift", 9, 0.4, 0.2, ("jitter",), ("A-001",), since=7, sure=0.001, cause="sensor", kind="unit").since
    7
    """

    detector: str
    at: int
    statistic: float
    limit: float
    columns: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    why: str = ""
    since: int | None = None
    sure: float | None = None
    cause: str = ""
    kind: str = ""


class Alert(part.Part):
    """A decision about one machine at one moment: look at it now."""

    key: str
    moment: int
    score: float
    rank: int
    because: tuple[str, ...] = ()


class Act(part.Part):
    """What somebody did about an alert: who, when (`at`), and when it was told (`seen`); microseconds.

    `act` is a word of `feedback.life.MOVES`; `until` is the end of a snooze, `order` the number of a work order.

    >>> Act("3f2a90c1", "order", "m.jansen", at=5, seen=6, order="WO-1881").order
    'WO-1881'
    """

    alert: str
    act: str
    who: str
    at: int
    seen: int
    until: int = 0
    order: str = ""
    note: str = ""


class Outcome(part.Part):
    """What happened after an answer: the truth, or why it will never be known (censored)."""

    key: str
    moment: int
    answer: float
    truth: float
    state: str = "known"
    until: int = 0


class Exposure(part.Part):
    """What one machine told of one release over one span: counts, never rows.

    `stage` is "shadow", "canary" or "wave"; times are in microseconds.  `slow` counts answers above the latency
    limit, `crashes` unexpected ends of the scorer, `violations` answers outside the declared physics, `disagreed`
    decisions that differ from those of the release that serves on the same row.  `difference` and `squares` are the
    sum and the sum of squares of `outcomes` paired losses, candidate less serving, each within -1 and 1.

    >>> Exposure("s1", "nxe", "ab" * 32, "shadow", 0, 10, answers=5).crashes
    0
    """

    machine: str
    kind: str
    release: str
    stage: str
    since: int
    until: int
    answers: int = 0
    slow: int = 0
    crashes: int = 0
    violations: int = 0
    disagreed: int = 0
    outcomes: int = 0
    difference: float = 0.0
    squares: float = 0.0


class Step(part.Part):
    """What a rollout decided: hold, promote, pause or roll back; at which stage, why, and who is to blame.

    >>> Step("rollback", "canary", "disagreement 0.21 on exe, limit 0.05", kinds=("exe",)).action
    'rollback'
    """

    action: str
    stage: str
    why: str
    figure: float = 0.0
    limit: float = 0.0
    kinds: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
