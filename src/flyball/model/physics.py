"""A gate on what physics allows: answers within bounds, monotone in what can only make it worse, and in balance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence, labels, part
from flyball.features import stage as features
from flyball.model import inputs
from flyball.model.stage import Gate, Measured, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats

#: Rows that are probed, and the values of a column that each of them is asked with.
ROWS, STEPS = 256, 9


class Physics(Gate):
    """Holds when no answer breaks a law by more than `within`, probed on rows that nobody learned from.

    `low` and `high` bound every answer.  `monotone` maps a column, or a pattern, to +1 (the answer never falls when
    it grows) or -1: each row is asked with the column moved through its range, all else as it was.  `conserve` maps
    columns to factors: the answer plus their weighted sum is `total`, whatever comes in (mass, energy, charge).

    What is bounded is the value of a quantity with both ends of its interval, or a probability (of each class); what
    is monotone is the value or the probability, and only a value is conserved.

    >>> measured = {"physics.low 0": evidence.Measurement("physics.low 0", 0.0, 0.0, 0.0, 256)}
    >>> [verdict.passed for verdict in Physics(low=0.0).judge(measured)]
    [True]
    """

    low: float | None = None
    high: float | None = None
    monotone: Mapping[str, int] = part.field(default_factory=part.Frozen)
    conserve: Mapping[str, float] = part.field(default_factory=part.Frozen)
    total: float = 0.0
    within: float = 1e-6

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return a verdict per law: by how much the worst answer breaks it."""
        return tuple(self._verdict(measured, name) for name in self._laws())

    def probe(self, predictor: Predictor, x: features.Matrix) -> Measured:
        """Return by how much the predictor breaks each law at worst, over rows spread through `x`.

        Raises DataError when a column is missing.
        """
        import numpy as np

        rows = x if len(x) <= ROWS else x.take(np.linspace(0, len(x) - 1, ROWS).astype(np.int64))
        answers = predictor.predict(rows)
        found = dict(zip(self._laws(), self._broken(predictor, rows, answers), strict=True))
        return {name: evidence.Measurement(name, by, by, by, len(rows)) for name, by in found.items()}

    def violated(self, x: features.Matrix, answers: Array) -> Array:
        """Return which of the answers lie outside the bounds or out of balance: what a machine can tell of each one."""
        import numpy as np

        worst = np.zeros(len(answers))
        for outside in (self._below(answers), self._above(answers), self._imbalance(x, answers)):
            if outside is not None:
                worst = np.maximum(worst, np.where(np.isnan(outside), np.inf, outside))
        return np.asarray(worst > self.within)

    def _laws(self) -> list[str]:
        names = [] if self.low is None else [f"physics.low {self.low:g}"]
        names += [] if self.high is None else [f"physics.high {self.high:g}"]
        names += [f"physics.monotone {pattern} {sign:+d}" for pattern, sign in self.monotone.items()]
        told = "".join(f"{factor:+g} {column} " for column, factor in self.conserve.items())
        return names + ([f"physics.conserve {told}= {self.total:g}"] if self.conserve else [])

    def _broken(self, predictor: Predictor, x: features.Matrix, answers: Array) -> list[float]:
        told = [one for one in (self._below(answers), self._above(answers)) if one is not None]
        worst = [_worst(one) for one in told]
        worst += [_against(predictor, x, pattern, sign) for pattern, sign in self.monotone.items()]
        balance = self._imbalance(x, answers)
        return worst + ([] if balance is None else [_worst(balance)])

    def _below(self, answers: Array) -> Floats | None:
        return None if self.low is None else _furthest(self.low - answers)

    def _above(self, answers: Array) -> Floats | None:
        return None if self.high is None else _furthest(answers - self.high)

    def _imbalance(self, x: features.Matrix, answers: Array) -> Floats | None:
        import numpy as np

        if not self.conserve:
            return None
        out = _value(answers) - self.total
        for column, factor in self.conserve.items():
            out = out + factor * np.asarray(inputs.pick(x, column), np.float64)
        return np.asarray(np.abs(out))

    def _verdict(self, measured: Measured, name: str) -> evidence.Verdict:
        if name not in measured:
            raise errors.GateError(f"{name} was not measured, {errors.did_you_mean(name, measured)}")
        by = measured[name].value
        passed = not math.isnan(by) and by <= self.within
        why = f"{name.removeprefix('physics.')} is broken by {by:.4g} at worst, at most {self.within:.4g}"
        return evidence.Verdict(repr(self), by, self.within, passed, why)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield laws that say nothing, columns that are not there, and directions that are none."""
        import fnmatch

        if self.low is None and self.high is None and not self.monotone and not self.conserve:
            yield errors.Problem("low", "no law is stated", "give bounds, monotone or conserve")
        if self.low is not None and self.high is not None and self.low > self.high:
            yield errors.Problem("low", f"{self.low:g} lies above {self.high:g}", "exchange the two")
        names = page.features.names()
        for field_ in ("monotone", "conserve"):
            for column in getattr(self, field_):
                if column not in names and not (field_ == "monotone" and fnmatch.filter(names, column)):
                    hint = errors.did_you_mean(column, names)
                    yield errors.Problem(field_, f"no column {column!r} among the features", hint)
        for column, sign in self.monotone.items():
            if sign not in (-1, 1):
                yield errors.Problem("monotone", f"{column!r}: no direction {sign!r}", "+1 or -1")
        kind = page.labels.kind()
        if self.conserve and not isinstance(kind, labels.Quantity):
            what = f"answers of {type(kind).__name__} have no balance"
            yield errors.Problem("conserve", what, "only a quantity is conserved")
        if self.monotone and isinstance(kind, labels.Classes):
            yield errors.Problem("monotone", "classes have no order", "ask it of a probability or a quantity")


def _value(answers: Array) -> Array:
    """Return one number per answer: the probability, or the value of a quantity without its interval."""
    return answers if answers.ndim == 1 else answers[:, 0]


def _furthest(outside: Array) -> Floats:
    """Return by how much each answer lies outside at most, 0 inside."""
    import numpy as np

    return np.asarray(np.maximum(outside.reshape(len(outside), -1).max(axis=1), 0.0))


def _worst(each: Floats) -> float:
    """Return the largest; an answer that is no number breaks every law."""
    import numpy as np

    return float("inf") if np.isnan(each).any() else float(np.max(each, initial=0.0))


def _against(predictor: Predictor, x: features.Matrix, pattern: str, sign: int) -> float:
    """Return the largest step of the answer against the sign when a column moves up through its range."""
    import numpy as np

    worst = 0.0
    for name in inputs.matching(x, (pattern,)):
        column = inputs.pick(x, name)
        if not isinstance(column, np.ndarray) or column.ndim != 1 or not np.isfinite(column).any():
            continue
        known = column[np.isfinite(column)]
        told = []
        for value in np.unique(np.quantile(known, np.linspace(0, 1, STEPS))):
            moved = features.Matrix(x.moments, {**x.columns, name: np.full(len(x), value)}, x.stopped)
            told.append(_value(predictor.predict(moved)))
        if len(told) > 1:
            worst = max(worst, _worst(np.maximum(-sign * np.diff(told, axis=0), 0.0).ravel()))
    return worst
