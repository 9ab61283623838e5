import pytest

from flyball import data, units


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (data.Retention(), "neither a cap nor a time"),
        (data.Retention(at_most=units.octets(0)), "holds nothing"),
        (data.Retention(rows=units.hours(3)), "less than a day"),
        (data.Retention(rows=units.days(3), never=("repiars",)), "did you mean 'repairs'"),
    ],
)
def test_what_keeps_nothing_or_is_misspelt_is_a_problem(daily, rule, problem):
    assert problem in "; ".join(str(one) for one in rule.problems(daily.page))


def test_a_cap_or_a_time_is_enough(daily):
    for rule in (
        data.Retention(at_most=units.MiB(1)),
        data.Retention(rows=units.days(1), never=("repairs",)),
    ):
        assert list(rule.problems(daily.page)) == []
