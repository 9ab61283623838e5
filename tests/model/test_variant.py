"""A model inside others is reached, with the rows as it sees them."""

import numpy as np

from flyball import labels, model
from flyball.model import blend, chain, conformal, variant
from flyball.model.constant import Constant


def test_rows_reach_the_inner_model_as_its_steps_leave_them(rows):
    step = model.Log(("b",)).fit(rows.x, rows.truth(labels.Probability()), 0)
    seen = []

    def turn(one, x):
        seen.append(x)
        return Constant([0.25])

    found = variant.through(chain.Chained((step,), Constant([0.5])), rows.x, turn)
    assert found.predict(rows.x)[0] == 0.25
    assert np.array_equal(seen[0].columns["b"], step.apply(rows.x).columns["b"])
    assert not np.array_equal(seen[0].columns["b"], rows.x.columns["b"])


def test_a_blend_keeps_the_members_that_have_no_other_form(rows):
    first, second = Constant([0.5]), Constant([0.7])
    mixed = blend.Blended((first, second), (1, 3))
    half = variant.through(mixed, rows.x, lambda one, _: Constant([0.1]) if one is first else None)
    assert half.members[1] is second and half.predict(rows.x)[0] == 0.25 * 0.1 + 0.75 * 0.7
    assert variant.through(mixed, rows.x, lambda one, _: None) is None


def test_an_interval_is_kept_around_the_other_form(rows):
    held = conformal.Interval(Constant([1.0]), np.zeros(1), np.ones(1), (None, None))
    found = variant.through(held, rows.x, lambda one, _: Constant([2.0]))
    assert isinstance(found, conformal.Interval) and found.widths is held.widths
    assert variant.through(held, rows.x, lambda one, _: None) is None
