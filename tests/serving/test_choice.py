import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import labels, serving
from flyball.features import stage as features

rows = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.floats(0, 1)), max_size=30)


def asked(found):
    found = sorted(found, key=lambda row: row[:2])
    moments = features.Moments.of([name for name, _, _ in found], [at for _, at, _ in found])
    sure = np.array([score for _, _, score in found])
    return moments, np.stack([sure, 1 - sure], axis=1) if found else np.empty((0, 2))


@given(rows, st.floats(0, 1))
def test_review_sends_the_declared_share_and_no_more(found, share):
    moments, answers = asked(found)
    review = serving.Review(share)
    sent = review.decide(answers, moments, review.settle(answers, moments))
    assert len(sent) <= share * len(answers) + 1
    certain = answers.max(axis=1) if len(answers) else np.empty(0)
    left = np.sort(certain)[len(sent) :]
    assert all(alert.score <= left.min(initial=1.0) for alert in sent)
    assert [(a.moment, a.rank) for a in sent] == sorted((a.moment, a.rank) for a in sent)


def test_an_answer_that_is_no_number_goes_to_a_person_first():
    moments = features.Moments.of(["a", "b", "c"], [0, 0, 0])
    sent = serving.Review(0.5).decide(np.array([[0.9, 0.1], [np.nan, np.nan], [0.6, 0.4]]), moments, 0.8)
    assert [(alert.key, alert.rank) for alert in sent] == [("b", 1), ("c", 2)]


def test_below_alerts_on_the_low_end_and_ranks_within_each_moment():
    moments = features.Moments.of(["a", "a", "b", "b"], [0, 1, 0, 1])
    answers = np.array([[30, 15, 45], [30, 5, 45], [30, 10, 45], [90, 70, 99]], dtype=float)
    below = serving.Below(20)
    assert below.settle(answers, moments) == 20.0
    found = [(a.key, a.moment, a.score, a.rank) for a in below.decide(answers, moments, 20)]
    assert found == [("b", 0, 10.0, 1), ("a", 0, 15.0, 2), ("a", 1, 5.0, 1)]
    assert below.decide(answers[:0], moments[:0], 20) == ()


class Page:
    class labels:
        kind = staticmethod(lambda: labels.Quantity(low=0.0))


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (serving.Review(0.1), None),
        (serving.Review(1.5), "1.5 is no share"),
        (serving.Below(20), None),
        (serving.Below(0), "no answer falls below 0"),
        (serving.Below(float("nan")), "nan is no limit"),
    ],
)
def test_problems(decision, said):
    found = [problem.what for problem in decision.problems(Page)]
    assert len(found) == bool(said)
    assert all(said in what for what in found)
