import hypothesis
import hypothesis.strategies as st
import numpy as np

from flyball import feedback
from flyball.feedback import review


def test_the_best_of_each_reason_in_turn_within_the_budget():
    values = {"suspect": np.array([0, 0, 0.4, 0.9]), "rare": np.array([0.2, np.nan, 0.1, 0.8])}
    part = feedback.Review(per_day=3, by=("suspect", "rare"))
    assert [(one.place, one.why) for one in part.choose(values)] == [
        (3, "suspect"),
        (0, "rare"),
        (2, "suspect"),
    ]
    assert [one.place for one in part.choose(values, left=1)] == [3] and part.choose(values, left=0) == ()
    assert part.choose({}) == ()


@hypothesis.given(
    st.lists(
        st.lists(st.floats(0, 1) | st.just(float("nan")), min_size=5, max_size=5), min_size=4, max_size=4
    ),
    st.integers(0, 7),
)
def test_no_question_twice_none_worth_nothing_and_as_many_as_there_are(rows, left):
    values = dict(zip(review.BY, np.array(rows), strict=True))
    chosen = feedback.Review(per_day=6).choose(values, left)
    places = [one.place for one in chosen]
    assert len(set(places)) == len(places) <= min(left, 6)
    assert all(values[one.why][one.place] == one.value > 0 for one in chosen)
    worth = {place for one in values.values() for place in np.flatnonzero(one > 0).tolist()}
    assert len(chosen) == min(left, 6, len(worth))


def test_uncertain_is_nearest_to_the_threshold_by_rank():
    said = np.array([0.001, 0.002, 0.003, 0.5, np.nan])
    worth = review.uncertain(said, 0.0025)
    assert set(np.argsort(-worth[:4])[:2].tolist()) == {1, 2} and np.isnan(worth[4])
    assert np.isnan(review.uncertain(np.array([np.nan]), 0.5)).all()


def test_disagreeing_is_by_rank_and_rare_is_far_from_what_is_usual():
    one = np.array([0.1, 0.2, 0.3])
    assert review.disagreeing([one, one**2]).tolist() == [0.0, 0.0, 0.0]
    assert review.disagreeing([one, one[::-1]]).argmax() in (0, 2)
    rng = np.random.default_rng(0)
    usual = rng.normal(size=(500, 3))
    usual[:, 2] = 1.0  # what never varies tells nothing
    found = review.rare(np.array([[0, 0, 5.0], [8, -8, 1.0], [np.nan, 8, 1.0]]), usual)
    assert found[0] == 0 and found[1] > 1 and found[2] > 1
    assert review.rare(np.ones((2, 1)), np.ones((9, 1))).tolist() == [0.0, 0.0]


def test_problems():
    assert [p.place for p in feedback.Review(0, by=()).problems(None)] == ["per_day", "by"]
    assert "did you mean 'rare'" in str(*feedback.Review(1, by=("rar",)).problems(None))
