"""Linear models: logistic regression for a probability, ridge for a quantity, in plain numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays, inputs, onnx
from flyball.model.stage import Learner, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats


class Logistic(Learner):
    """Logistic regression with an L2 penalty, by iteratively reweighted least squares (McCullagh and Nelder 1989).

    Columns are standardised by the training rows; what is missing stands at their mean.  Categories enter one by one.

    >>> Logistic(l2=1.0).accepts()
    (<class 'flyball.labels.stage.Probability'>,)
    """

    l2: float = 1.0
    columns: tuple[str, ...] | None = None

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Probability,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the fitted coefficients."""
        prepared, chosen, mean, scale = _standardised(x, self.columns)
        slopes, start = logistic(prepared, y.value, y.weight, self.l2)
        return Linear("probability", chosen, mean, scale, slopes, start)


class Ridge(Learner):
    """Least squares with an L2 penalty (Hoerl and Kennard 1970), prepared as `Logistic` prepares.

    >>> Ridge().accepts()
    (<class 'flyball.labels.stage.Quantity'>,)
    """

    l2: float = 1.0
    columns: tuple[str, ...] | None = None

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Quantity,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the fitted coefficients."""
        import numpy as np

        assert isinstance(kind, labels.Quantity)
        prepared, chosen, mean, scale = _standardised(x, self.columns)
        heavy = np.ones(len(y)) if y.weight is None else np.asarray(y.weight, dtype=np.float64)
        start = float(np.average(y.value, weights=heavy))
        centre = np.average(prepared, axis=0, weights=heavy)
        around = prepared - centre
        gram = around.T @ (around * heavy[:, None]) + self.l2 * np.eye(prepared.shape[1])
        solved = np.linalg.solve(gram, around.T @ (heavy * (y.value - start)))
        slopes: Floats = np.asarray(solved, dtype=np.float64)
        bounds = (kind.low, kind.high)
        return Linear("quantity", chosen, mean, scale, slopes, start - float(centre @ slopes), bounds)


class Linear(Predictor):
    """Coefficients over standardised columns."""

    def __init__(
        self, kind: str, chosen: inputs.Inputs, mean: Floats, scale: Floats, slopes: Floats, start: float,
        bounds: tuple[float | None, float | None] = (None, None),
    ) -> None:  # fmt: skip
        self.kind, self.chosen, self.mean, self.scale = kind, chosen, mean, scale
        self.slopes, self.start, self.bounds = slopes, start, bounds

    def predict(self, x: features.Matrix) -> Array:
        """Return the answers, (n,) or (n, 3)."""
        line = _prepared(_widened(x, self.chosen), self.mean, self.scale) @ self.slopes + self.start
        return sigmoid(line) if self.kind == "probability" else onnx.as_quantity(line, *self.bounds)

    def influence(self) -> Mapping[str, float]:
        """Return the size of every column's coefficients, per standard deviation."""
        out: dict[str, float] = {}
        for name, slope in zip(_wide_names(self.chosen), self.slopes.tolist(), strict=True):
            out[name] = out.get(name, 0.0) + abs(slope)
        return out

    def pack(self) -> Packed:
        """Return the coefficients."""
        settings = {
            "kind": self.kind,
            "start": self.start,
            "bounds": list(self.bounds),
            **self.chosen.settings(),
        }
        held = {"mean.npy": self.mean, "scale.npy": self.scale, "slopes.npy": self.slopes}
        return Packed("linear", settings, {name: arrays.dump(array) for name, array in held.items()})

    @staticmethod
    def unpack(packed: Packed) -> Linear:
        """Return the predictor that was packed."""
        told = packed.settings
        mean, scale, slopes = (
            arrays.load(packed.files[name]) for name in ("mean.npy", "scale.npy", "slopes.npy")
        )
        low, high = told["bounds"]
        return Linear(
            told["kind"], inputs.Inputs.read(told), mean, scale, slopes, float(told["start"]), (low, high)
        )


def sigmoid(line: Any) -> Floats:
    """Return 1 / (1 + exp(-line)) without overflow.

    >>> sigmoid([-1e9, 0.0, 1e9]).tolist()
    [0.0, 0.5, 1.0]
    """
    import numpy as np

    away = np.exp(-np.abs(np.asarray(line, dtype=np.float64)))
    return np.where(np.asarray(line) >= 0, 1 / (1 + away), away / (1 + away))


def logistic(prepared: Any, truth: Any, weight: Any, l2: float, rounds: int = 100) -> tuple[Floats, float]:
    """Return (slopes (d,), start) that minimise the weighted log loss plus l2/2 times the squared slopes.

    Newton's method with halved steps where a full one would not help; the start is not penalised.
    """
    import numpy as np

    design = np.column_stack([np.asarray(prepared, dtype=np.float64), np.ones(len(prepared))])
    heavy = np.ones(len(design)) if weight is None else np.asarray(weight, dtype=np.float64)
    y = (np.asarray(truth) > 0.5).astype(np.float64)
    penalty = np.append(np.full(design.shape[1] - 1, float(l2)), 1e-9)

    def loss(beta: Floats) -> float:
        line = design @ beta
        return float(heavy @ (np.logaddexp(0.0, line) - y * line) + 0.5 * penalty @ beta**2)

    beta = np.zeros(design.shape[1])
    rate = np.clip(np.average(y, weights=heavy), 1e-6, 1 - 1e-6)
    beta[-1] = np.log(rate / (1 - rate))
    best = loss(beta)
    for _ in range(rounds):
        p = sigmoid(design @ beta)
        slope = design.T @ (heavy * (p - y)) + penalty * beta
        bend = design.T @ (design * (heavy * np.maximum(p * (1 - p), 1e-9))[:, None]) + np.diag(penalty)
        step = np.linalg.lstsq(bend, slope, rcond=None)[0]
        size, now = 1.0, loss(beta - step)
        while now > best and size > 1e-6:
            size /= 2
            now = loss(beta - size * step)
        if best - now <= 1e-10 * (abs(best) + 1e-10):
            break
        beta, best = beta - size * step, now
    return beta[:-1], float(beta[-1])


def _widened(x: features.Matrix, chosen: inputs.Inputs) -> Floats:
    """Return (n, d) float64, a category as one column per label."""
    import numpy as np

    dense = chosen.dense(x).astype(np.float64)
    wide = []
    for place, name in enumerate(chosen.names):
        column = dense[:, place]
        if name in chosen.labels:
            wide += [(column == code).astype(np.float64) for code in range(len(chosen.labels[name]))]
        else:
            wide.append(np.where(np.isfinite(column), column, np.nan))
    return np.stack(wide, axis=1) if wide else np.zeros((len(x), 0))


def _wide_names(chosen: inputs.Inputs) -> list[str]:
    return [name for name in chosen.names for _ in chosen.labels.get(name, (name,))]


def _standardised(
    x: features.Matrix, columns: tuple[str, ...] | None
) -> tuple[Floats, inputs.Inputs, Floats, Floats]:
    import numpy as np

    chosen = inputs.Inputs.of(x, columns)
    wide = _widened(x, chosen)
    known = ~np.isnan(wide)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, wide, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(known, wide - mean, 0.0) ** 2).sum(axis=0) / count)
    scale[scale <= 1e-12 * np.maximum(np.abs(mean), 1e-300)] = 1.0
    return _prepared(wide, mean, scale), chosen, mean, scale


def _prepared(wide: Floats, mean: Floats, scale: Floats) -> Floats:
    """Standardise; missing to the mean, and nothing further out than twenty deviations."""
    import numpy as np

    return np.clip(np.where(np.isnan(wide), 0.0, (wide - mean) / scale), -20.0, 20.0)
