from tests.labels.test_reviewed import THREE

from flyball import data, feedback, labels

ANSWERS = data.Rows.of(["a", "a", "b"], [1, 2, 1], columns={"answer": [0.5, 0.5, 0.5]})


def states(part, cut):
    return [(o.truth if o.state == "known" else o.state) for o in part.collect(ANSWERS, THREE, None, cut)]


def test_a_truth_needs_enough_reviewers_who_agree():
    assert states(feedback.Reviewed(), 5) == [1.0, "pending", "pending"]
    assert states(feedback.Reviewed(), 6) == ["pending", "pending", "pending"], "they disagree"
    assert states(feedback.Reviewed(), 9) == [1.0, "pending", 0.0]
    assert states(feedback.Reviewed(least=2), 9) == [1.0, "pending", "pending"]
    assert states(feedback.Reviewed(least=2, agree=0.7), 9) == ["pending"] * 3


def test_problems_and_what_is_asked(page):
    ask = feedback.Review(per_day=2)
    assert feedback.Reviewed(ask=ask).asks() == ask and feedback.Outcomes().asks() is None
    wall = page(data.WallClock())
    wall.labels = labels.RemainingLife("t")
    assert [p.place for p in feedback.Reviewed(least=0, agree=0.2).problems(wall)] == ["least", "agree", ""]
