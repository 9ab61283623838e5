"""Stage 4, model: who answers.  A learner is fitted into a new immutable predictor; a contest decides who ships."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence, part
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model.costs import Costs

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints


@dataclass(frozen=True)
class Packed:
    """A predictor as it travels: the runner that can carry it, plain settings, and self-contained files.

    `runner` is one of "rule", "onnxruntime", "chain", ...; `settings` is JSON; `files` maps a name to its bytes;
    `inner` holds packed predictors inside this one (the steps of a chain, the members of a blend).  No pickle.
    """

    runner: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    inner: tuple[Packed, ...] = ()


class Predictor:
    """Abstract: what fitting returns.  Immutable; imports no training library to predict once unpacked."""

    def predict(self, x: features.Matrix) -> Array:
        """Return the answers, shaped as the kind says: (n,), (n, k) or (n, 3), float64."""
        raise NotImplementedError

    def pack(self) -> Packed:
        """Return the predictor as plain settings and files, the same bytes on every call."""
        raise NotImplementedError

    def influence(self) -> Mapping[str, float]:
        """Return how much each column counts, in any unit, larger is more; empty when it cannot say."""
        return {}


class Learner(part.Part):
    """Abstract: fits a predictor on known answers.  Same rows and seed, same predictor."""

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        raise NotImplementedError

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return a predictor fitted on rows whose answer is known (the caller passes only those)."""
        raise NotImplementedError

    def assumes(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> str:
        """Return what a fit on these rows assumes beyond what they say, with its figures; "" for nothing."""
        return ""


class Transform:
    """Abstract: a fitted step of a chain; turns a matrix into another, row by row."""

    def apply(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix as the next step sees it."""
        raise NotImplementedError

    def pack(self) -> Packed:
        """Return the step as plain settings and files."""
        raise NotImplementedError


class Step(part.Part):
    """Abstract: a step of a chain that learns from training rows only (normalisation, encodings)."""

    def fit(self, x: features.Matrix, y: labels.Answers, seed: int) -> Transform:
        """Return the fitted step."""
        raise NotImplementedError

    def fit_apply(
        self, x: features.Matrix, y: labels.Answers, seed: int
    ) -> tuple[Transform, features.Matrix]:
        """Return the fitted step and the training rows as the next step may learn from them.

        A step that looks at the answers gives out-of-fold values here, so that no row tells its own answer.
        """
        fitted = self.fit(x, y, seed)
        return fitted, fitted.apply(x)


@dataclass(frozen=True, eq=False)
class Fold:
    """Row numbers to learn from and to be judged on; they share no row, and no machine where split by machine."""

    train: Ints
    test: Ints


class Split(part.Part):
    """Abstract: parts rows into what is learned from and what is judged, never mixing later with earlier."""

    def split(self, moments: features.Moments, tables: data.Tables) -> tuple[Fold, ...]:
        """Return the folds over the rows of `moments` (one for a test split)."""
        raise NotImplementedError


class Compressor(part.Part):
    """Abstract: makes a smaller or faster variant of a predictor, or says why it cannot."""

    def compress(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        """Return the variant; None when this kind of model has none.  Calibration rows are training rows."""
        raise NotImplementedError

    def wants(self) -> int | None:
        """Return how many calibration rows it is given at most; None: all that the model may learn from."""
        return 1000

    def title(self) -> str:
        """Return what the variant is called, a plain file name."""
        return type(self).__name__


#: What was measured, by name: "challenger.average_precision", "difference.average_precision" (challenger minus
#: baseline, paired), "difference.<peer>.<metric>", "rolling.difference...." (over the choose folds), "p99_ms",
#: "resident_bytes", "size_bytes", "cold_start_s", "cpu_s" (of one answer), "agreement" (largest difference to the
#: source model), and what a gate measures of the predictor itself ("physics....").
Measured = Mapping[str, evidence.Measurement]


class Gate(part.Part):
    """Abstract: judges measurements that the runtime took; the verdict is a value."""

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return the verdicts (one per figure it looks at); raises GateError when a figure was not measured."""
        raise NotImplementedError

    def probe(self, predictor: Predictor, x: features.Matrix) -> Measured:
        """Return what this gate needs to know of a predictor beyond what is always measured; most need nothing.

        `x` holds rows that nobody learned from; the runtime calls this for each variant before it is judged.
        """
        return {}


class Ship(part.Part):
    """Abstract: what goes into the release once the contest is won."""


class Refit(Ship):
    """Ship the winner fitted again on every known row; the release says so."""


class AsTested(Ship):
    """Ship exactly the predictor that the test split judged."""


class Contest(part.Part):
    """Who answers: a baseline, a challenger that must beat it, how they are chosen, tested, gated and shipped.

    `choose` (inner folds) tunes everything, threshold included; `test` is read once and reported.  `peers` are
    further learners reported beside the two, on the same rows.  `metrics` are names of `model.metrics`; the first
    one decides.  `slices` names a category column of the features: every metric is told for each of its values as
    well, "FD001.rmse"; of several columns each value is told with its column, "site=A.rmse".  `costs` are the prices
    by which net savings are counted.
    """

    baseline: Learner
    challenger: Learner
    choose: Split
    test: Split
    metrics: tuple[str, ...]
    gates: tuple[Gate, ...] = ()
    compress: tuple[Compressor, ...] = ()
    ship: Ship = Refit()
    peers: Mapping[str, Learner] = part.field(default_factory=part.Frozen)
    seed: int = 0
    slices: str | tuple[str, ...] | None = None
    costs: Costs | None = None

    def sliced(self) -> tuple[str, ...]:
        """Return the columns by whose values the figures are told, none where there is no such column."""
        return (self.slices,) if isinstance(self.slices, str) else tuple(self.slices or ())

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        kind = page.labels.kind()
        for column in self.sliced():
            if column not in page.features.names():
                hint = errors.did_you_mean(column, page.features.names())
                yield errors.Problem("slices", f"no column {column!r} among the features", hint)
        for name, learner in (
            ("baseline", self.baseline),
            ("challenger", self.challenger),
            *self.peers.items(),
        ):
            if not isinstance(kind, learner.accepts()):
                can = ", ".join(sorted(accepted.__name__ for accepted in learner.accepts()))
                what = f"{type(learner).__name__} cannot answer with {type(kind).__name__}"
                yield errors.Problem(name, what, f"it answers with {can}")
            yield from _unnamed(name, learner, page)
        if not self.metrics:
            yield errors.Problem(
                "metrics", "no metric, nobody could win", "name at least one of model.metrics"
            )
        # Metrics are prepared from the values of this stage, so they cannot be imported before it is there.
        from flyball.model import metrics

        yield from metrics.problems(
            self.metrics, kind, self.costs is not None, page.labels.window() is not None
        )


def _unnamed(place: str, learner: Learner, page: Any) -> Iterator[errors.Problem]:
    """Yield the columns a learner names, by name or pattern, of which the page's features have none.

    A learner inside another one is given other columns than the page's, and is not looked at.
    """
    import fnmatch

    names = page.features.names()
    for field_ in ("columns", "monotone"):
        for pattern in getattr(learner, field_, None) or ():
            if pattern not in names and not fnmatch.filter(names, pattern):
                hint = errors.did_you_mean(pattern, names)
                yield errors.Problem(f"{place}.{field_}", f"no column {pattern!r} among the features", hint)
