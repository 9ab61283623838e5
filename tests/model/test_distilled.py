"""A student learns the teacher's answers, not the truth."""

import numpy as np
import pytest

from flyball import labels, model
from flyball.model import distilled
from flyball.model.constant import Constant

FAST = model.Training(epochs=25, batch=64, rate=2e-2)
STUDENTS = {
    labels.Probability: model.Dense(layers=(8,), columns=("a", "b", "kind"), drop=0.0, training=FAST),
    labels.Classes: model.BoostedTrees(trees=15, min_rows=5),
    labels.Quantity: model.Ridge(),
}


@pytest.mark.parametrize("kind", STUDENTS)
def test_a_student_of_every_kind_answers_nearly_as_its_teacher(rows, kinds, kind):
    teacher = model.BoostedTrees(trees=60, min_rows=5).fit(rows.x, rows.truth(kind), kinds[kind], 0)
    student = model.Distilled(STUDENTS[kind]).compress(teacher, rows.x)
    told, expected = student.predict(rows.x), teacher.predict(rows.x)
    assert told.shape == expected.shape
    far = np.abs(expected - expected.mean(axis=0)).mean()
    assert np.abs(told - expected).mean() < 0.6 * far
    if kind is labels.Classes:
        assert student.settings["classes"] == ["low", "middle", "high"]
    assert len(distilled._settings(teacher)) > 1


def test_shares_are_learned_as_shares(rows):
    """A teacher that is never sure makes a student that is never sure: the mean is the share, not the leading class."""
    for share in (0.3, 0.7):
        student = model.Distilled(model.Prior()).compress(Constant([share]), rows.x)
        assert student.predict(rows.x)[0] == pytest.approx(share)


def test_lessons_weigh_what_the_teacher_says_and_leave_out_what_it_hardly_does():
    told = np.array([[0.01, 0.09, 0.9], [0.5, 0.5, 0.0]])
    rows, value, weight = distilled.lessons(told, labels.Classes(("a", "b", "c")))
    assert rows.tolist() == [0, 0, 1, 1] and value.tolist() == [1, 2, 0, 1]
    assert weight.tolist() == [0.09, 0.9, 0.5, 0.5]
    rows, value, weight = distilled.lessons(np.array([[2.0, 1.0, 3.0]]), labels.Quantity("h"))
    assert (rows.tolist(), value.tolist(), weight) == ([0], [2.0], None)


def test_a_student_that_cannot_learn_such_answers_makes_no_variant(rows):
    class Three(Constant):
        def predict(self, x):
            return np.tile([0.2, 0.3, 0.5], (len(x), 1))

    assert model.Distilled(model.Ridge()).compress(Constant([0.5]), rows.x) is None
    assert model.Distilled(model.Logistic()).compress(Three([0.2, 0.3, 0.5]), rows.x) is None
    assert (
        model.Distilled(model.Prior(), rows=50).wants() == 50
        and model.Distilled(model.Prior()).wants() is None
    )


def test_a_quantity_is_told_from_classes_where_the_model_does_not_say(rows):
    assert isinstance(distilled._kind(np.array([[3.0, 3.0, 3.0]]), Constant([3.0] * 3)), labels.Quantity)
    assert isinstance(distilled._kind(np.array([[0.2, 0.3, 0.5]]), Constant([0.2, 0.3, 0.5])), labels.Classes)
