"""A chain is one learner; its steps see training rows only."""

import dataclasses
import pickle

import numpy as np
import pytest

from flyball import errors, features, labels, model, part, system


def test_it_reads_back_and_can_be_tweaked():
    chain = model.Chain(model.Normalise(by="machine"), model.BoostedTrees(trees=3))
    assert system.read(repr(chain)) == chain == pickle.loads(pickle.dumps(chain))
    assert part.parse(part.canonical(chain), system.names()) == chain
    fewer = dataclasses.replace(chain, parts=(chain.parts[0], model.Prior()))
    assert fewer == model.Chain(model.Normalise(by="machine"), model.Prior())
    assert system.read(repr(model.Chain(model.Prior()))) == model.Chain(model.Prior())


@pytest.mark.parametrize("wrong", [(), (model.Normalise(),), (model.Prior(), model.Prior())])
def test_what_is_no_chain_is_refused(wrong):
    with pytest.raises(errors.DeclarationError, match="Chain"):
        model.Chain(*wrong)


def test_the_learner_sees_what_the_step_made(rows):
    kind, y = labels.Probability(), rows.truth(labels.Probability())
    chain = model.Chain(model.Normalise(), model.Threshold(("b",))).fit(rows.x, y, kind, 0)
    moved = features.Matrix(rows.moments, {**rows.x.columns, "b": 5 * rows.b + 100})
    other = model.Chain(model.Normalise(), model.Threshold(("b",))).fit(moved, y, kind, 0)
    assert np.allclose(chain.predict(rows.x), other.predict(moved))
    assert chain.prepared(rows.x).columns["b"].std() == pytest.approx(1.0)
