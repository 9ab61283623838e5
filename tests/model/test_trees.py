"""Boosted trees: monotone, balanced, averaged, the same for the same seed."""

import dataclasses

import numpy as np
import pytest

from flyball import errors, features, labels, model
from flyball.model import blend, metrics, onnx

FEW = model.BoostedTrees(trees=20, leaves=7, min_rows=5)


def test_they_learn(rows, kinds):
    for kind, name, limit in zip(
        kinds.values(), ("roc_auc", "accuracy", "mae"), (0.85, 0.7, 1.9), strict=True
    ):
        told = FEW.fit(rows.x, rows.truth(kind), kind, 0).predict(rows.x)
        figure = metrics.measure(name, kind, rows.truth(kind).value, told)
        assert figure < limit if name == "mae" else figure > limit


def test_monotone_holds_on_every_pair_of_rows(rows):
    trees = model.BoostedTrees(trees=40, leaves=15, min_rows=5, monotone={"b*": 1, "noise": -1})
    fitted = trees.fit(rows.x, rows.truth(labels.Probability()), labels.Probability(), 0)
    free = model.BoostedTrees(trees=40, leaves=15, min_rows=5).fit(
        rows.x, rows.truth(labels.Probability()), labels.Probability(), 0
    )
    steps = np.linspace(-3, 3, 60)

    def falls(predictor, name):
        told = []
        for value in steps:
            x = features.Matrix(rows.moments, {**rows.x.columns, name: np.full(len(rows.x), value)})
            told.append(predictor.predict(x))
        return bool((np.diff(np.stack(told), axis=0) < -1e-7).any())

    assert not falls(fitted, "b")
    assert falls(free, "b"), "without the constraint some pair falls"
    with pytest.raises(errors.DeclarationError, match="no column 'bb'"):
        model.BoostedTrees(monotone={"bb": 1}).fit(
            rows.x, rows.truth(labels.Probability()), labels.Probability(), 0
        )


def test_balance_lifts_the_rare_class(rows, answered):
    rare = answered((rows.signal > 2.2).astype(float))
    plain = FEW.fit(rows.x, rare, labels.Probability(), 0).predict(rows.x)
    even = model.BoostedTrees(trees=20, leaves=7, min_rows=5, balance=1.0)
    lifted = even.fit(rows.x, rare, labels.Probability(), 0).predict(rows.x)
    assert lifted.mean() > plain.mean() + 0.05


def test_weights_of_the_rows_are_used(rows, answered):
    only = answered(rows.event, weight=(rows.b > 0).astype(float) + 1e-6)
    told = FEW.fit(rows.x, only, labels.Probability(), 0).predict(rows.x)
    assert not np.array_equal(
        told, FEW.fit(rows.x, answered(rows.event), labels.Probability(), 0).predict(rows.x)
    )


def test_columns_restrict_what_is_seen(rows):
    fitted = model.BoostedTrees(trees=5, columns=("a", "b")).fit(
        rows.x, rows.truth(labels.Probability()), labels.Probability(), 0
    )
    assert set(fitted.influence()) <= {"a", "b"}
    with pytest.raises(errors.DataError, match="'c' is missing"):
        model.BoostedTrees(columns=("c",)).fit(
            rows.x, rows.truth(labels.Probability()), labels.Probability(), 0
        )


def test_several_seeds_are_averaged(rows):
    y, kind = rows.truth(labels.Probability()), labels.Probability()
    lot = model.BoostedTrees(trees=10, row_share=0.7, seeds=3).fit(rows.x, y, kind, 0)
    assert isinstance(lot, blend.Blended)
    told = [member.predict(rows.x) for member in lot.members]
    assert not np.array_equal(told[0], told[1])
    odds = np.mean([np.log(p / (1 - p)) for p in told], axis=0)
    assert np.allclose(lot.predict(rows.x), 1 / (1 + np.exp(-odds)))


def test_a_share_of_the_negatives_keeps_probabilities_right(make_rows):
    many, kind = make_rows(6000), labels.Probability()
    rare = answers_of(many, many.signal > 2.6)
    few = model.BoostedTrees(trees=20, leaves=7, negatives=0.2, seeds=3).fit(many.x, rare, kind, 0)
    told = few.predict(many.x)
    assert told.mean() == pytest.approx(rare.value.mean(), rel=0.4)
    wrong = [onnx.OnnxPredictor(m.model, {**m.settings, "shift": 0.0}).predict(many.x) for m in few.members]
    assert np.mean(wrong) > 1.5 * rare.value.mean(), "without the shift they would be far off"


def answers_of(rows, value):
    return dataclasses.replace(rows.truth(labels.Probability()), value=value.astype(float))


def test_a_quantity_stays_within_its_bounds(rows):
    kind = labels.Quantity("h", low=12.0, high=13.0)
    told = FEW.fit(rows.x, rows.truth(kind), kind, 0).predict(rows.x)
    assert told.min() == 12.0 and told.max() == 13.0
