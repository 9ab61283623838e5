import math

from flyball import data, evidence, feedback, labels
from flyball.units import days, steps

TIMES = [days(day) for day in range(6)]
LOGS = data.Rows.of(
    ["a"] * 6 + ["b"] * 2,
    TIMES + TIMES[:2],
    columns={"failed": [0, 0, 0, 1, 0, 0, 0, 0], "broke": [0, 0, 0, 0, 0, 1, 0, 0]},
)
ANSWERS = data.Rows.of(
    ["a", "a", "a", "b"], [0, days(2), days(4), 0], columns={"answer": [0.1, 0.8, 0.3, 0.2]}
)
LABEL = labels.FailsWithin(days(2), event="t.failed")


def states(part, as_of, label=LABEL):
    return [(o.key, o.truth, o.state) for o in part.collect(ANSWERS, {"t": LOGS}, label, as_of)]


def test_known_pending_and_censored():
    found = feedback.Outcomes().collect(ANSWERS, {"t": LOGS}, LABEL, days(5))
    assert found[1] == evidence.Outcome("a", days(2), 0.8, 1.0, "known", days(4))
    assert [o.state for o in found] == ["known", "known", "pending", "censored"]
    assert found[0].truth == 0.0 and math.isnan(found[2].truth) and math.isnan(found[3].truth)


def test_a_no_waits_for_what_is_entered_late_and_a_yes_does_not():
    early = [state for _, _, state in states(feedback.Outcomes(wait=days(3)), days(4))]
    assert early == ["pending", "known", "pending", "censored"]
    later = [state for _, _, state in states(feedback.Outcomes(wait=days(3)), days(5))]
    assert later[0] == "known"


def test_the_event_may_be_seen_elsewhere():
    found = states(feedback.Outcomes(event="t.broke"), days(5))
    assert [truth for _, truth, state in found if state == "known"] == [0.0, 0.0]


def test_other_kinds_of_answer():
    label = labels.RemainingLife("t", per=days(1))
    found = feedback.Outcomes(wait=days(9)).collect(ANSWERS, {"t": LOGS}, label, days(5))
    assert [o.truth for o in found] == [5.0, 3.0, 1.0, 1.0] and {o.state for o in found} == {"known"}


def test_problems(page):
    wall = page(data.WallClock())
    wall.labels = LABEL
    assert list(feedback.Outcomes("t.on", wait=days(7)).problems(wall)) == []
    assert "no column 't.onn'" in str(*feedback.Outcomes("t.onn").problems(wall))
    assert "a bare 7" in str(*feedback.Outcomes(wait=7).problems(wall))
    assert "steps(7)" in str(*feedback.Outcomes(wait=steps(7)).problems(wall))
    wall.labels = labels.Given("t.on", answer=labels.Probability())
    assert "knows no event" in str(*feedback.Outcomes("t.on").problems(wall))
