from flyball.runtime import alarms, holding, report

DRIFT = {
    "detector": "drift", "at": 2 * 10**15, "since": 10**15, "statistic": 0.4, "limit": 0.2, "why": "x PSI",
    "columns": ["x", "<y>"], "machines": ["m03"], "cause": "sensor",
}  # fmt: skip


def test_drift_marks_the_alarm_and_the_limit():
    rows = [
        {"column": "x", "psi": 0.4, "limit": 0.2, "alarm": True},
        {"column": "y", "psi": 0.1, "limit": 0.3, "alarm": False},
    ]
    (axis,) = holding.draw({"columns": rows}).axes
    assert [bar.get_width() for bar in axis.patches] == [0.1, 0.4]
    assert [line.get_xdata()[0] for line in axis.lines] == [0.3, 0.2]


def test_nothing_to_draw_is_none():
    assert holding.draw({}) is None
    assert holding.draw({"columns": [{"column": "x", "psi": 1.0, "limit": None, "alarm": False}]}) is None


def test_an_alarm_says_what_to_do_where_and_since_when():
    said = holding.text({"alarms": [DRIFT, DRIFT], "retrain": "alarm: drift"}, report.table)
    assert "1 alarm(s)" in said and "check it before the model" in said and "2001-09-09 01:46" in said
    assert alarms.named(DRIFT) in said and "m03" in said and "&lt;y&gt;" in said and "<y>" not in said
    assert "Train again: alarm: drift." in said


def test_of_many_alarms_the_newest_are_told_and_the_others_counted():
    many = [{**DRIFT, "since": 10**15 + number, "at": 10**15 + number} for number in range(11)]
    said = holding.text({"alarms": many}, report.table)
    assert alarms.named(many[-1]) in said and alarms.named(many[0]) not in said and "and 3 before" in said


def test_no_alarm_is_said():
    assert holding.text({"alarms": []}, report.table) == "<p>No alarm.</p>"
