"""Boosted trees, grown by LightGBM on float32 and scored as a self-contained ONNX graph from the first answer on."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors, extras, part
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import blend, inputs, onnx, onnx_trees, tensors
from flyball.model.stage import Learner, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Floats


class BoostedTrees(Learner):
    """Gradient-boosted decision trees (Friedman 2001, as grown by LightGBM, Ke et al. 2017).

    `monotone` maps a column, or a pattern such as "smart_5*", to +1 (the answer never falls when it grows) or -1.
    `columns` restricts what is seen, `categories` which categories are split as sets (None: all that are seen).
    `balance` weighs classes by count to the power of minus that: 0 leaves them, 1 makes every class weigh the same
    and so gives up calibrated probabilities.  `negatives` below 1 grows on every event and that share of the other
    rows, drawn anew for every seed, with the log-odds set right afterwards: where events are rare, most other rows
    say the same.  `loss` is LightGBM's name of another objective for a quantity ("mae", "huber").  `seeds`
    predictors are averaged (probabilities by their log-odds).  Missing values need no filling: a split sends them
    where training rows with missing values did best.

    Raises DataError when a named column is missing, DeclarationError when a monotone pattern names none.

    >>> BoostedTrees(trees=50, monotone={"wear*": +1}).accepts()[0].__name__
    'Probability'
    """

    trees: int = 400
    leaves: int = 31
    rate: float = 0.05
    depth: int | None = None
    min_rows: int = 20
    min_weight: float = 1e-3
    feature_share: float = 1.0
    row_share: float = 1.0
    l2: float = 0.0
    smooth: float = 0.0
    bins: int = 255
    bin_rows: int = 3
    monotone: Mapping[str, int] = part.field(default_factory=part.Frozen)
    columns: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    balance: float = 0.0
    negatives: float = 1.0
    loss: str | None = None
    seeds: int = 1

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Probability, labels.Classes, labels.Quantity)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the fitted trees as an ONNX predictor; several seeds as their average."""
        lgb = extras.need("lightgbm", "lab", "to grow boosted trees")
        chosen = inputs.Inputs.of(x, self.columns)
        dense, weight = chosen.dense(x), balanced(y, kind, self.balance)
        sets = [chosen.names.index(name) for name in self._sets(chosen)]
        members = []
        for member in range(self.seeds):
            options = self._options(chosen, kind, seed + 1000 * member, tuple(x.stopped))
            kept = self._kept(y, kind, seed + 1000 * member)
            rows = lgb.Dataset(
                dense[kept], y.value[kept], weight=None if weight is None else weight[kept],
                categorical_feature=sets, free_raw_data=True, params=options,
            )  # fmt: skip
            booster = lgb.train(options, rows, num_boost_round=self.trees)
            members.append(self._predictor(booster, chosen, kind))
        if len(members) == 1:
            return members[0]
        return blend.Blended(tuple(members), geometric=isinstance(kind, labels.Probability))

    def _kept(self, y: labels.Answers, kind: labels.Kind, seed: int) -> Any:
        """Return the rows to grow on: all, or the events and a share of the others."""
        import numpy as np

        if self.negatives >= 1 or not isinstance(kind, labels.Probability):
            return slice(None)
        chance = np.random.default_rng(seed).random(len(y))
        return np.flatnonzero((y.value > 0.5) | (chance < self.negatives))

    def _sets(self, chosen: inputs.Inputs) -> list[str]:
        if self.categories is None:
            return sorted(chosen.labels)
        for name in self.categories:
            if name not in chosen.labels:
                raise errors.DataError(
                    f"column {name!r} is no category, {errors.did_you_mean(name, chosen.labels)}"
                )
        return sorted(self.categories)

    def _options(
        self, chosen: inputs.Inputs, kind: labels.Kind, seed: int, stopped: tuple[str, ...]
    ) -> dict[str, Any]:
        options: dict[str, Any] = {
            "num_leaves": self.leaves, "learning_rate": self.rate, "max_depth": self.depth or -1,
            "min_data_in_leaf": self.min_rows, "min_sum_hessian_in_leaf": self.min_weight,
            "min_data_in_bin": self.bin_rows, "feature_fraction": self.feature_share, "lambda_l2": self.l2,
            "bagging_fraction": self.row_share, "bagging_freq": int(self.row_share < 1.0), "max_bin": self.bins,
            "path_smooth": self.smooth, "seed": seed, "deterministic": True, "force_col_wise": True,
            "num_threads": 0, "verbosity": -1,
            "monotone_constraints": monotone(self.monotone, chosen.names, stopped) or None,
            "monotone_constraints_method": "intermediate" if self.monotone else None,
        }  # fmt: skip
        if isinstance(kind, labels.Probability):
            options |= {"objective": "binary"}
        elif isinstance(kind, labels.Classes):
            options |= {"objective": "multiclass", "num_class": len(kind.names)}
        else:
            options |= {"objective": self.loss or "regression"}
        return {name: value for name, value in options.items() if value is not None}

    def _predictor(self, booster: Any, chosen: inputs.Inputs, kind: labels.Kind) -> onnx.OnnxPredictor:
        gain = booster.feature_importance("gain")
        settings: dict[str, Any] = {
            "family": "trees",
            "inputs": [tensors.Flat(chosen).settings()],
            "influence": {name: float(g) for name, g in zip(chosen.names, gain, strict=True) if g > 0},
            **answer_settings(kind),
        }
        if self.negatives < 1 and isinstance(kind, labels.Probability):
            settings["shift"] = math.log(self.negatives)
        return onnx.OnnxPredictor(onnx_trees.export(booster, len(chosen.names)), settings)


def answer_settings(kind: labels.Kind) -> dict[str, Any]:
    """Return what an ONNX predictor must know of the kind of its answers, as plain values."""
    if isinstance(kind, labels.Probability):
        return {"kind": "probability"}
    if isinstance(kind, labels.Classes):
        return {"kind": "classes", "classes": list(kind.names)}
    if isinstance(kind, labels.Quantity):
        return {"kind": "quantity", "low": kind.low, "high": kind.high}
    raise errors.DeclarationError(f"no answers of {type(kind).__name__} here")


def balanced(y: labels.Answers, kind: labels.Kind, power: float) -> Floats | None:
    """Return the weight of every row, times its class's count to the power of minus `power`; None when all are one."""
    import numpy as np

    if not power or isinstance(kind, labels.Quantity):
        return y.weight
    codes = y.value.astype(np.int64)
    count = np.bincount(codes)
    by_class = np.maximum(count, 1) ** -float(power)
    weight = by_class[codes] * (1.0 if y.weight is None else y.weight)
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def monotone(wanted: Mapping[str, int], names: tuple[str, ...], stopped: tuple[str, ...] = ()) -> list[int]:
    """Return the sign of every column; empty when nothing is wanted.

    A pattern that names only columns whose feature was stopped is let be; one that names none is a mistake.

    >>> monotone({"wear*": 1, "wear_of_b": 0}, ("wear_of_a", "wear_of_b", "load"))
    [1, 0, 0]
    """
    if not wanted:
        return []
    signs = dict.fromkeys(names, 0)
    for pattern, sign in wanted.items():
        hit = fnmatch.filter(names, pattern)
        if not hit and not fnmatch.filter(stopped, pattern):
            hint = errors.did_you_mean(pattern, names)
            raise errors.DeclarationError(f"monotone: no column {pattern!r}, {hint}")
        signs.update(dict.fromkeys(hit, int(sign)))
    return list(signs.values())
