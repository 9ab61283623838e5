"""Laws are probed, and a model that breaks one is told by how much."""

import types

import numpy as np
import pytest

from flyball import errors, evidence, features, labels, model, part
from flyball.model import stage


class By(stage.Predictor):
    """Answers with a function of the columns."""

    def __init__(self, of):
        self.of = of

    def predict(self, x):
        return np.asarray(self.of(x.columns), dtype=float)


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    moments = features.Moments.of([f"m{n}" for n in range(300)], [0] * 300)
    return features.Matrix(moments, {"wear": rng.random(300), "load": rng.random(300)})


def quantity(value):
    return np.stack([value, value - 0.1, value + 0.1], axis=1)


def judged(gate, predictor, x):
    return [(verdict.passed, round(verdict.figure, 3)) for verdict in gate.judge(gate.probe(predictor, x))]


def test_bounds_hold_for_the_value_and_both_ends_of_its_interval(x):
    predictor = By(lambda columns: quantity(columns["wear"] * 0 + 0.05))
    assert judged(model.Physics(low=0.0, high=1.0), predictor, x) == [(False, 0.05), (True, 0.0)]
    assert judged(model.Physics(low=0.0, within=0.06), predictor, x) == [(True, 0.05)]
    nothing = By(lambda columns: quantity(columns["wear"] * np.nan))
    assert judged(model.Physics(low=0.0), nothing, x) == [(False, float("inf"))]


def test_a_fall_where_the_answer_may_only_grow_is_found_in_between(x):
    humped = By(lambda columns: np.sin(np.pi * columns["wear"]))
    gate = model.Physics(monotone={"wear": +1, "lo*": -1})
    (passed, by), (flat, _) = judged(gate, humped, x)
    assert not passed and by > 0.3 and flat
    assert judged(gate, By(lambda columns: columns["wear"] - columns["load"]), x) == [(True, 0), (True, 0)]


def test_what_comes_in_goes_out(x):
    gate = model.Physics(conserve={"wear": 1.0, "load": -2.0}, total=3.0)
    kept = By(lambda columns: quantity(3.0 - columns["wear"] + 2.0 * columns["load"]))
    lost = By(lambda columns: quantity(2.9 - columns["wear"] + 2.0 * columns["load"]))
    assert judged(gate, kept, x) == [(True, 0.0)] and judged(gate, lost, x) == [(False, 0.1)]
    assert gate.violated(x, lost.predict(x)).all() and not gate.violated(x, kept.predict(x)).any()


def test_each_answer_is_told_apart(x):
    gate = model.Physics(low=0.0, high=1.0)
    answers = np.array([0.5, 1.5, -0.1, np.nan])
    assert gate.violated(x.take(slice(0, 4)), answers).tolist() == [False, True, True, True]


def test_what_was_not_measured_is_no_pass():
    with pytest.raises(errors.GateError, match=r"physics\.low 0 was not measured"):
        model.Physics(low=0.0).judge({"p99_ms": evidence.Measurement("p99_ms", 1, 1, 1)})


def page(kind):
    names = types.SimpleNamespace(names=lambda: ("wear", "load"))
    return types.SimpleNamespace(features=names, labels=types.SimpleNamespace(kind=lambda: kind))


def test_laws_that_cannot_be_are_problems():
    def places(gate, kind=None):
        return [problem.place for problem in gate.problems(page(kind or labels.Quantity("h")))]

    assert places(model.Physics(low=0.0, monotone={"we*": 1})) == []
    assert places(model.Physics()) == ["low"] == places(model.Physics(low=2.0, high=1.0))
    assert places(model.Physics(monotone={"waer": 2})) == ["monotone", "monotone"]
    assert places(model.Physics(conserve={"we*": 1.0})) == ["conserve"]
    assert places(model.Physics(conserve={"wear": 1.0}), labels.Probability()) == ["conserve"]
    assert places(model.Physics(monotone={"wear": 1}), labels.Classes(("a", "b"))) == ["monotone"]


def test_sabotage_probed_only_where_the_rows_lie_a_hump_is_overlooked(x, monkeypatch):
    """The column must be moved: rows that all lie at one place say nothing of the rest."""
    from flyball.model import physics

    monkeypatch.setattr(physics, "STEPS", 1)
    gate = model.Physics(monotone={"wear": +1})
    assert judged(gate, By(lambda columns: np.sin(np.pi * columns["wear"])), x) == [(True, 0)]
    assert part.replace(gate, within=0.5).within == 0.5
