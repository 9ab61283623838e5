import numpy as np
import pytest

from flyball import evidence, monitoring, units
from flyball.features import stage as features
from flyball.runtime import budget

PAGE = monitoring.Watch(
    drift=monitoring.Drift(over=units.WEEK, false_alarms=0.5, per=units.YEAR),
    concept=(
        monitoring.PageHinkley("log_loss", false_alarms=1, per=units.days(73)),
        monitoring.Adwin("error", false_alarms=2, per=units.steps(1000)),
    ),
    performance=monitoring.Performance(false_alarms=2, per=units.YEAR),
)
START = 1_700_000_000_000_000


def moments(machines, days):
    keys = [f"m{one}" for one in range(machines) for _ in range(days)]
    return features.Moments.of(keys, np.tile(START + np.arange(days) * int(units.DAY), machines))


def alarm(detector):
    return evidence.Alarm(detector, START + int(units.DAY), 1.0, 0.5)


def test_what_is_stated_for_a_machine_counts_as_often_as_there_are_machines():
    assert budget.stated(PAGE, 10) == {"Drift": 5.0, "PageHinkley": 5.0, "Performance": 2.0}
    assert budget.stated(monitoring.Watch(performance=None), 10) == {}
    declared = monitoring.Watch(concept=(monitoring.PageHinkley("log_loss", limit=20.0),), performance=None)
    assert budget.stated(declared, 10) == {}, "a declared threshold holds no budget"


def test_what_came_stands_beside_it_with_its_interval():
    older = evidence.Alarm("drift", START - 1, 1.0, 0.5)
    raised = [*[alarm("drift")] * 3, older, alarm("PageHinkley(log_loss)"), alarm("Adwin(error)")]
    found = budget.told(PAGE, moments(10, 366), raised)
    assert found["machines"] == 10 and found["years"] == pytest.approx(1.0)
    assert found["stated_a_year"] == 12.0 and found["raised_a_year"] == pytest.approx(4.0)
    assert found["raised"] == {"Drift": 3, "PageHinkley": 1, "Performance": 0} and found["beside"] == 1
    # Garwood's interval of a count of four.
    assert (found["low"], found["high"]) == (
        pytest.approx(1.0899, abs=1e-3),
        pytest.approx(10.2416, abs=1e-3),
    )
    said = budget.words(found)
    assert said.startswith(
        "4 alarms in 12.0 months on 10 machines, 4 a year (1.09 to 10.2); 12 a year may come"
    )
    assert budget.told(PAGE, moments(10, 366), [])["low"] == 0.0
    assert budget.words(budget.told(PAGE, moments(1, 100), [alarm("drift")])).startswith("1 alarm in 3.")


def test_hardly_any_time_or_no_clock_tells_nothing():
    assert budget.told(PAGE, moments(10, 3), [alarm("drift")]) == {}
    assert budget.told(PAGE, moments(0, 0), []) == {}
    counted = features.Moments.of(["a"] * 90, np.arange(90))
    assert budget.told(PAGE, counted, []) == {} and budget.words({}) == ""
