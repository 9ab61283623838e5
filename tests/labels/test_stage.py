import numpy as np

from flyball import data, labels
from flyball.labels import stage


def test_answers_are_taken():
    why = data.Words(np.array([-1, 0], dtype=np.int32), ("future",))
    answers = labels.Answers(np.array([1.0, np.nan]), np.array([True, False]), why)
    taken = answers.take(np.array([1]))
    assert len(answers) == 2 and len(taken) == 1 and taken.why.texts() == ["future"] and taken.weight is None
    weighed = labels.Answers(answers.value, answers.known, why, np.array([1.0, 2.0])).take(np.array([1]))
    assert weighed.weight.tolist() == [2.0]


def test_a_column_that_tells_the_truth(page):
    wall = page(data.WallClock(), "t.x")
    assert [problem.place for problem in stage.column_problems(wall, "t.y", "bool", "event")] == ["event"]
    assert list(stage.column_problems(wall, "t.on", "bool", "event")) == []
    assert len(list(stage.seen_problems(wall, "t.x", "given"))) == 1
    assert list(stage.seen_problems(wall, "t.on", "given")) == []
