"""How contestants do on machines that were followed: the rows judged on, and the censored ones beside them.

Why: a row whose machine was serviced within the window has no answer, and to leave it out is to judge on machines
that nobody touched.  It was followed for a while, and survival metrics count it for so long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.evidence import Measurement
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import catalogue, metrics

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Ints
    from flyball.system import System


@dataclass(frozen=True, eq=False)
class Followed:
    """Everybody's answers on rows that were followed into their window; `rows` index into the matrix.

    `until` (n,) and `came` (n,) say when each one's event came, or until when it is known not to have.
    """

    rows: Ints
    until: Ints
    came: Flags
    answers: Mapping[str, Array]


def rows(page: System, x: features.Matrix, y: labels.Answers, test: Ints) -> Ints:
    """Return the test rows, and censored rows of their machines and their time; none where no label follows.

    A censored row whose machine was lost from sight before its window opened says nothing and is left out.
    """
    import numpy as np

    window = page.labels.window()
    if window is None or y.until is None or y.came is None or not len(test):
        return np.zeros(0, dtype=np.int64)
    at, codes = x.moments.at, x.moments.codes
    begin, end = at[test].min(), at[test].max()
    censored = ~y.known & np.isin(y.why.codes, _codes(y.why.labels)) & (at >= begin) & (at <= end)
    censored &= np.isin(codes, np.unique(codes[test]))
    chosen = censored | np.isin(np.arange(len(at)), test)
    return np.flatnonzero(chosen & (y.until - at > window[0])).astype(np.int64)


def _codes(reasons: tuple[str, ...]) -> list[int]:
    """Return the reasons for which a question is censored: lost from sight, or acted on."""
    return [code for code, reason in enumerate(reasons) if reason in ("acted", "censored")]


def context(page: System, y: labels.Answers | None, chosen: Ints) -> catalogue.Context:
    """Return what metrics are told beside truth and answers: prices, and how those rows were followed."""
    window = page.labels.window()
    if window is None or y is None or y.until is None or y.came is None:
        return catalogue.Context(page.model.costs)
    return catalogue.Context(page.model.costs, y.until[chosen], y.came[chosen], window)


def judge(
    page: System,
    x: features.Matrix,
    y: labels.Answers,
    test: Ints,
    answer: Mapping[str, Callable[[features.Matrix], Array]],
) -> Followed:
    """Return what everybody answers on the followed rows; none where no metric of the page asks for them."""
    import numpy as np

    asked = any(metrics.find(name, page.labels.kind()).follows for name in page.model.metrics)
    chosen = rows(page, x, y, test) if asked else np.zeros(0, dtype=np.int64)
    if not len(chosen):
        return Followed(chosen, chosen, np.zeros(0, dtype=bool), {})
    assert y.until is not None and y.came is not None
    matrix = x.take(chosen)
    answers = {name: said(matrix) for name, said in answer.items()}
    return Followed(chosen, y.until[chosen], y.came[chosen], answers)


def measure(
    page: System, x: features.Matrix, y: labels.Answers, seen: Followed, resamples: int
) -> dict[str, Measurement]:
    """Return every survival metric of the page with its interval, and the paired differences to the challenger."""
    kind = page.labels.kind()
    out: dict[str, Measurement] = {}
    if not len(seen.rows):
        return out
    moments, beside = x.moments[seen.rows], context(page, y, seen.rows)
    truth = seen.came.astype(float)
    for metric in (name for name in page.model.metrics if metrics.find(name, kind).follows):
        for name, answers in seen.answers.items():
            out[f"{name}.{metric}"] = metrics.interval(
                metric, kind, truth, answers, moments, resamples=resamples, context=beside
            )
        for name, answers in seen.answers.items():
            if name not in ("challenger", "ceiling"):
                against = "" if name == "baseline" else f"{name}."
                out[f"difference.{against}{metric}"] = metrics.paired(
                    metric, kind, truth, seen.answers["challenger"], answers, moments,
                    resamples=resamples, context=beside,
                )  # fmt: skip
    return out
