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
    """The model or its data no longer hold: which detector, over which columns, since when.

    `at` is in microseconds; `columns` and `machines` name the culprits, worst first.
    """

    detector: str
    at: int
    statistic: float
    limit: float
    columns: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    why: str = ""


class Alert(part.Part):
    """A decision about one machine at one moment: look at it now."""

    key: str
    moment: int
    score: float
    rank: int
    because: tuple[str, ...] = ()


class Outcome(part.Part):
    """What happened after an answer: the truth, or why it will never be known (censored)."""

    key: str
    moment: int
    answer: float
    truth: float
    state: str = "known"
    until: int = 0
