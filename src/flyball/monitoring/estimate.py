"""How good the answers are before anybody knows the truth: from what they say themselves, or from a model of losses.

A probability that is calibrated says how often it is wrong: the expected loss, confusion matrix and average precision
follow from the answers alone (confidence-based estimation).  Whether it is calibrated is tried on the test rows, half
of the machines at a time; where isotonic regression says it better, that is taken in between.  A quantity says nothing
of the kind: there a small model of the loss, fitted on the test rows, tells it (direct loss estimation).

Both hold while the truth follows from what comes in as it did.  They see that the rows have become harder; they do not
see that the concept has changed: so they are checked as soon as outcomes arrive.

Source: NannyML's CBPE and DLE (Białek et al., Estimating Model Performance Under Covariate Shift Without Labels, 2024);
Zadrozny and Elkan, KDD 2002, for isotonic calibration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball import extras
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import trees

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats
    from flyball.model.stage import Predictor

CLIP = 1e-6
#: A curve of more points than this is thinned.
POINTS = 200


def calibration(kind: labels.Kind, answers: Array, truth: Any, machine: Array) -> dict[str, Any]:
    """Return {"curves": one (said, happened) per class}, or {} when the answers are as good as they are.

    `answers` (n,) or (n, k), `truth` (n,), `machine` (n,) numbers.

    >>> import numpy as np
    >>> said = np.tile([0.2, 0.6], 200)
    >>> came = np.tile([0.0] * 9 + [1.0], 40)  # what is said of the second half is far too much
    >>> found = calibration(labels.Probability(), said, came, np.arange(400) // 4)
    >>> bool(calibrated(labels.Probability(), found, np.array([0.6]))[0] < 0.3)
    True
    """
    import numpy as np

    if not isinstance(kind, (labels.Probability, labels.Classes)) or not len(answers):
        return {}
    said, happened = _columns(kind, answers), _happened(kind, truth)
    curves = []
    better = 0.0
    half = machine % 2 == 0
    for column, came in zip(said.T, happened.T, strict=True):
        for rows in (half, ~half):
            if 0 < rows.sum() < len(rows) and 0 < came[rows].sum() < rows.sum():
                curve = _isotonic(column[rows], came[rows])
                other = ~rows
                better += _log_loss(column[other], came[other]) - _log_loss(
                    _through(curve, column[other]), came[other]
                )
        curves.append(_isotonic(column, came))
    return {"curves": curves} if better > 0 and np.isfinite(better) else {}


def calibrated(kind: labels.Kind, kept: Mapping[str, Any], answers: Array) -> Floats:
    """Return the chances behind some answers, (n,) or (n, k)."""
    import numpy as np

    told = np.asarray(answers, dtype=np.float64)
    if not kept:
        return told
    chance = np.stack(
        [
            _through(curve, column)
            for curve, column in zip(kept["curves"], _columns(kind, told).T, strict=True)
        ],
        axis=1,
    )
    if isinstance(kind, labels.Probability):
        return np.asarray(chance[:, 0])
    return np.asarray(np.maximum(chance, CLIP) / np.maximum(chance, CLIP).sum(axis=1, keepdims=True))


def losses(kind: labels.Kind, answers: Array, chance: Floats) -> dict[str, Floats]:
    """Return the loss that each answer is to be expected to have, by name, (n,) each.

    For Classes `answers` (n,) are the places of the named classes, `chance` (n, k).

    >>> import numpy as np
    >>> {name: float(one[0]) for name, one in losses(labels.Probability(), np.array([0.9]), np.array([0.9])).items()}
    {'log_loss': 0.3250829733914482, 'squared_error': 0.09, 'error': 0.1}
    """
    import numpy as np

    if isinstance(kind, labels.Probability):
        said = np.clip(np.asarray(answers, dtype=np.float64), CLIP, 1 - CLIP)
        return {
            "log_loss": -(chance * np.log(said) + (1 - chance) * np.log(1 - said)),
            "squared_error": np.round(chance * (1 - answers) ** 2 + (1 - chance) * answers**2, 12),
            "error": np.round(np.where(said >= 0.5, 1 - chance, chance), 12),
        }
    if isinstance(kind, labels.Classes):
        named = np.asarray(answers).astype(np.int64)
        return {"error": 1 - chance[np.arange(len(chance)), named]}
    return {}


def figures(answers: Array, chance: Floats, threshold: float) -> dict[str, float]:
    """Return what is to be expected over all rows of a probability: ranking, and the confusion at a threshold.

    A row counts as a hit with its chance; that another row at a higher score is one, too, is independent of it.

    >>> import numpy as np
    >>> sure = figures(np.array([0.9, 0.8, 0.1]), np.array([1.0, 1.0, 0.0]), 0.5)
    >>> sure["average_precision"], sure["roc_auc"], sure["true_positives"], sure["false_positives"]
    (1.0, 1.0, 2.0, 0.0)
    """
    import numpy as np

    order = np.argsort(-np.asarray(answers), kind="stable")
    hit = np.asarray(chance, dtype=np.float64)[order]
    before = np.cumsum(hit) - hit
    rank = np.arange(1, len(hit) + 1)
    positive, miss = float(hit.sum()), 1 - hit
    above = np.asarray(answers)[order] >= threshold
    # A positive beats the negatives behind it.
    behind = miss.sum() - np.cumsum(miss)
    pairs = positive * float(miss.sum()) - float((hit * miss).sum())
    return {
        "average_precision": float((hit * (1 + before) / rank).sum()) / positive
        if positive > 0
        else float("nan"),
        "roc_auc": float((hit * behind).sum()) / pairs if pairs > 0 else float("nan"),
        "true_positives": float(hit[above].sum()),
        "false_positives": float(miss[above].sum()),
        "false_negatives": float(hit[~above].sum()),
        "true_negatives": float(miss[~above].sum()),
    }


def loss_model(x: features.Matrix, answers: Array, lost: Floats, seed: int) -> Predictor:
    """Return a small model of the losses of a quantity, fitted on rows whose truth is known."""
    learner = trees.BoostedTrees(trees=60, leaves=7, rate=0.1, min_rows=max(20, min(50, len(lost) // 20)))
    truth = labels.Answers.given(lost)
    return learner.fit(seen(x, answers), truth, labels.Quantity(), seed)


def told(model: Predictor, x: features.Matrix, answers: Array) -> Floats:
    """Return the loss that a model of losses expects of every row; never below zero."""
    import numpy as np

    found = np.asarray(model.predict(seen(x, answers)), dtype=np.float64)
    return np.maximum(found[:, 0] if found.ndim > 1 else found, 0.0)


def seen(x: features.Matrix, answers: Array | None) -> features.Matrix:
    """Return the plain numeric columns, and the answers as columns beside them."""
    import numpy as np

    columns = {
        name: column
        for name, column in x.columns.items()
        if isinstance(column, np.ndarray) and column.ndim == 1
    }
    if answers is not None:
        wide = np.asarray(answers, dtype=np.float64).reshape(len(x), -1)
        columns |= {f"answer {place}": wide[:, place] for place in range(wide.shape[1])}
    return features.Matrix(x.moments, columns)


def _columns(kind: labels.Kind, answers: Array) -> Floats:
    import numpy as np

    told = np.asarray(answers, dtype=np.float64)
    return told[:, None] if isinstance(kind, labels.Probability) else told


def _happened(kind: labels.Kind, truth: Any) -> Floats:
    import numpy as np

    value = np.asarray(truth, dtype=np.float64)
    if isinstance(kind, labels.Classes):
        return np.asarray(value[:, None] == np.arange(len(kind.names)), dtype=np.float64)
    return value[:, None]


def _isotonic(said: Floats, came: Floats) -> list[list[float]]:
    """Return the rising steps that fit best, as points to be joined by lines."""
    import numpy as np

    isotonic = extras.need("sklearn.isotonic", "lab", "to calibrate answers")
    fitted = isotonic.IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(said, came)
    xs, ys = np.asarray(fitted.X_thresholds_), np.asarray(fitted.y_thresholds_)
    if len(xs) > POINTS:
        chosen = np.unique(np.linspace(0, len(xs) - 1, POINTS).astype(int))
        xs, ys = xs[chosen], ys[chosen]
    return [xs.tolist(), ys.tolist()]


def _through(curve: list[list[float]], said: Floats) -> Floats:
    import numpy as np

    return np.asarray(np.interp(said, curve[0], curve[1]))


def _log_loss(said: Floats, came: Floats) -> float:
    import numpy as np

    clipped = np.clip(said, CLIP, 1 - CLIP)
    return float(-np.mean(came * np.log(clipped) + (1 - came) * np.log(1 - clipped)))
