import pytest

from flyball import labels, serving, units


class Page:
    class labels:
        kind = staticmethod(labels.Probability)


def test_the_decision_must_fit_the_answer():
    edge = serving.Edge(serving.Review(0.1))
    (problem,) = edge.problems(Page)
    assert str(problem) == "decide: Review cannot decide on Probability, it decides on Classes"
    assert list(serving.Edge(serving.Budget(1, units.DAY)).problems(Page)) == []


def test_there_is_one_fallback():
    (problem,) = serving.Edge(serving.Budget(1, units.DAY), fallback="basline").problems(Page)
    assert problem.place == "fallback"


@pytest.mark.parametrize(
    "call",
    [
        lambda: serving.Decision().accepts(),
        lambda: serving.Decision().settle(None, None),
        lambda: serving.Decision().decide(None, None, 0.5),
    ],
)
def test_abstract_parts_do_nothing_by_themselves(call):
    with pytest.raises(NotImplementedError):
        call()
