import numpy as np
import pytest

from flyball import errors
from flyball.site import scorer
from flyball.torture import small


def test_a_small_release_answers_as_its_golden_vectors_say(tmp_path):
    held = scorer.Scorer(small.made(tmp_path))
    x, answers, source = held.golden()
    assert np.array_equal(held.answer(x), answers) and np.array_equal(answers, source)
    assert len(set(answers.tolist())) > 3


def test_it_can_be_wrong_or_broken(tmp_path):
    wrong = scorer.Scorer(small.made(tmp_path / "wrong", "logistic", wrong=0.25))
    x, answers, _ = wrong.golden()
    assert np.allclose(answers - wrong.answer(x), 0.25)
    with pytest.raises(errors.DataError, match="no runner"):
        scorer.Scorer(small.made(tmp_path / "broken", "logistic", broken=True))


def test_another_seed_is_another_release(tmp_path):
    assert small.made(tmp_path, "logistic", seed=1).name != small.made(tmp_path, "logistic", seed=2).name
