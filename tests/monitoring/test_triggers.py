import pytest

from flyball import evidence, monitoring, units
from flyball.monitoring import stage

WEEK = int(units.WEEK)
DRIFTED = evidence.Alarm("drift", 5 * WEEK, 0.4, 0.2)


@pytest.mark.parametrize(
    ("now", "trained", "due"),
    [(0, None, True), (WEEK - 1, 0, False), (WEEK, 0, True), (9 * WEEK, 0, True), (0, WEEK, False)],
)
def test_weekly_is_due_a_week_after_the_last_cut(now, trained, due):
    assert bool(monitoring.Weekly().due(now, trained, ())) is due


def test_on_alarm_looks_at_alarms_after_the_last_training_and_cools_down():
    trigger = monitoring.OnAlarm(cooldown=units.days(1))
    assert trigger.due(5 * WEEK + 1, 4 * WEEK, (DRIFTED,)) == "alarm: drift"
    assert trigger.due(6 * WEEK, None, (DRIFTED,)) == "alarm: drift"
    assert trigger.due(6 * WEEK, 5 * WEEK, (DRIFTED,)) == ""
    assert trigger.due(5 * WEEK + 1, 5 * WEEK - 1, (DRIFTED,)) == ""
    assert trigger.due(6 * WEEK, 4 * WEEK, ()) == ""


class Page:
    monitoring = stage.Watch()


def test_problems():
    assert [p.place for p in monitoring.Weekly(units.days(0)).problems(Page)] == ["every"]
    assert list(monitoring.Weekly().problems(Page)) == []
    assert [p.what for p in monitoring.OnAlarm().problems(Page)] == ["nothing on the page raises an alarm"]
    Page.monitoring = stage.Watch(concept=(monitoring.PageHinkley("log_loss"),))
    assert [p.place for p in monitoring.OnAlarm(units.days(-1)).problems(Page)] == ["cooldown"]


def test_on_labels_counts_what_became_known_and_cools_down():
    trigger = monitoring.OnLabels(at_least=10, cooldown=units.WEEK)
    assert trigger.due(2 * WEEK, 0, (), 10) == "labels: 10 answers became known"
    assert trigger.due(2 * WEEK, 0, (), 9) == "" and trigger.due(WEEK - 1, 0, (), 99) == ""
    assert trigger.due(0, None, (), 10) and trigger.due(2 * WEEK, 0, (DRIFTED,)) == ""
    assert list(trigger.problems(Page)) == []
    wrong = monitoring.OnLabels(at_least=0, cooldown=units.days(-1))
    assert [p.place for p in wrong.problems(Page)] == ["at_least", "cooldown"]
