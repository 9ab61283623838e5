"""No machine is both learned from and judged."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from flyball import errors, features, model


@hypothesis.given(
    keys=st.lists(st.sampled_from("abcdefghij"), min_size=20, max_size=60),
    folds=st.integers(2, 5),
    seed=st.integers(0, 9),
)
def test_no_machine_is_shared(keys, folds, seed):
    moments = features.Moments.of(keys, range(len(keys)))
    hypothesis.assume(len(set(keys)) >= folds)
    made = model.ByMachine(folds=folds, seed=seed).split(moments, {})
    for fold in made:
        assert not set(moments.codes[fold.train]) & set(moments.codes[fold.test])
        assert len(fold.train) + len(fold.test) == len(moments) and len(fold.test)
    assert sorted(np.concatenate([fold.test for fold in made]).tolist()) == list(range(len(moments)))


def test_the_deal_does_not_depend_on_the_rows():
    few, many = features.Moments.of("abcd", range(4)), features.Moments.of("aabbccddd", range(9))

    def held(moments):
        (fold,) = model.ByMachine(share=0.5, seed=3).split(moments, {})
        return {moments.keys[code] for code in moments.codes[fold.test]}

    assert held(few) == held(many) and len(held(few)) == 2


def test_too_few_machines_say_so():
    with pytest.raises(errors.DataError, match="1 machines"):
        model.ByMachine(folds=3).split(features.Moments.of("aa", range(2)), {})
