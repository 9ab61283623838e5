import pytest

from flyball import data, serving, units


def page(clock, horizon):
    class Labels:
        @staticmethod
        def horizon():
            return horizon

    class Page:
        labels = Labels
        data = data.Fleet("machine", clock, ())

    return Page


@pytest.mark.parametrize(
    ("staged", "places"),
    [
        (serving.Staged(units.days(8), 0.05, units.days(3)), []),
        (serving.Staged(units.days(6), 0.05, units.days(3)), ["shadow"]),
        (serving.Staged(units.days(8), 0.0, units.days(3)), ["canary"]),
        (serving.Staged(units.days(8), 1.5, units.days(3)), ["canary"]),
        (serving.Staged(units.days(8), 0.5, units.days(-3)), ["hold"]),
        (serving.Staged(units.days(8), 0.5, 3), ["hold"]),
    ],
)
def test_problems(staged, places):
    assert [problem.place for problem in staged.problems(page(data.WallClock(), int(units.WEEK)))] == places


def test_a_horizon_in_steps_is_not_compared_with_days():
    staged = serving.Staged(units.us(5), 0.05, units.days(3))
    assert list(staged.problems(page(data.Counter("cycle"), 200))) == []
