from tests.feedback.test_reviewed import ANSWERS
from tests.labels.test_reviewed import THREE

from flyball import feedback


class Fixed(feedback.Feedback):
    truth: tuple[float, ...]
    waits: bool = False

    def collect(self, answers, tables, labeller, as_of):
        import numpy as np

        from flyball.feedback import stage

        return stage.told(answers, np.array(self.truth), answers.at, np.full(len(answers), self.waits))


NAN = float("nan")


def test_the_first_that_knows_tells():
    late = Fixed((NAN, 0.0, 1.0), waits=True)
    found = feedback.Several((feedback.Reviewed(), late)).collect(ANSWERS, THREE, None, 9)
    assert [(o.truth, o.state) for o in found] == [(1.0, "known"), (0.0, "known"), (0.0, "known")]
    found = feedback.Several((Fixed((NAN, NAN, 1.0)), Fixed((NAN, NAN, 0.0), waits=True))).collect(
        ANSWERS, {}, None, 9
    )
    assert [o.state for o in found] == ["pending", "pending", "known"] and found[2].truth == 1.0
    found = feedback.Several((Fixed((NAN, NAN, NAN)),)).collect(ANSWERS, {}, None, 9)
    assert {o.state for o in found} == {"censored"}


def test_it_asks_what_any_of_them_asks_and_needs_one():
    ask = feedback.Review(per_day=2)
    assert feedback.Several((feedback.Outcomes(), feedback.Reviewed(ask=ask))).asks() == ask
    assert feedback.Several((feedback.Outcomes(),)).asks() is None
    assert [problem.place for problem in feedback.Several(()).problems(None)] == ["parts"]
