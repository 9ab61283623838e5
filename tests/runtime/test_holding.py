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


def test_the_worst_column_of_an_alarm_is_drawn_over_its_band():
    at = [10**15 + n * 86_400_000_000 for n in range(5)]
    told = {"at": at, "value": [1.0, None, 1.0, 2.0, 3.0], "low": 0.5, "high": 1.5}
    alarm = {**DRIFT, "since": at[3], "series": {**told, "column": "x", "machine": "m03"}}
    (axis,) = holding.series({"alarms": [alarm, DRIFT]}).axes
    assert axis.get_title() == "x on m03" and len(axis.lines) == 2
    assert axis.lines[0].get_ydata()[[0, 4]].tolist() == [1.0, 3.0]
    assert holding.series({"alarms": [DRIFT]}) is None


def test_the_answers_quality_is_told_with_what_got_worse():
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    told = {
        "metric": "log_loss", "ahead": {"estimated": figure}, "realised": {**figure, "value": 0.9},
        "reference": figure, "believed": False,
        "slices": [
            {"slice": "site <b>", "n": 40, "reference": 0.3, "realised": 0.9, "alarm": True, "cause": "concept"},
            {"slice": "fine", "n": 40, "reference": 0.3, "realised": 0.3, "alarm": False},
        ],
    }  # fmt: skip
    said = holding.text({"alarms": [], "performance": told}, report.table)
    assert "is expected at 0.5 (0.4 to 0.6)" in said and "it is 0.9 (0.4 to 0.6), after 0.5" in said
    assert "do not rest on the estimate" in said and "site &lt;b&gt;" in said and "fine" not in said
