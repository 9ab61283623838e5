from flyball import data, feedback, labels
from flyball.units import days, steps

ORDERS = data.Rows.of(
    ["a", "a", "b", "b"], [days(2), days(30), days(1), days(1)], [days(4), days(31), days(2), days(6)],
    {"found": [1.0, 0.0, 1.0, 0.0]}, ("at",),
)  # fmt: skip
ANSWERS = data.Rows.of(["a", "a", "b", "c"], [0, days(3), 0, 0], columns={"answer": [0.8, 0.2, 0.7, 0.6]})
PART = feedback.WorkOrders("orders.found", within=days(7), wait=days(2))


def states(cut, part=PART):
    return [
        (o.truth if o.state == "known" else o.state)
        for o in part.collect(ANSWERS, {"orders": ORDERS}, None, days(cut))
    ]


def test_late_and_corrected_orders_change_what_is_known_from_then_on():
    assert states(1) == ["pending"] * 4
    assert states(2) == ["pending", "pending", 1.0, "pending"]
    assert states(4) == [1.0, "pending", 1.0, "pending"]
    assert states(6) == [1.0, "pending", 0.0, "pending"], "the correction"
    # Nobody went to c, nor to a again within the week.
    assert states(9) == [1.0, "pending", 0.0, "censored"] and states(12)[1] == "censored"


def test_problems(page):
    wall = page(data.WallClock())
    wall.labels = labels.Given("t.on", answer=labels.Probability())
    assert list(feedback.WorkOrders("t.on", within=days(7), wait=days(1)).problems(wall)) == []
    assert "no column 't.onn'" in str(*feedback.WorkOrders("t.onn", within=days(7)).problems(wall))
    assert "bool is needed" in str(*feedback.WorkOrders("t.x", within=days(7)).problems(wall))
    assert "steps(7)" in str(*feedback.WorkOrders("t.on", within=steps(7)).problems(wall))
    assert "a bare 7" in str(*feedback.WorkOrders("t.on", within=days(7), wait=7).problems(wall))
    wall.labels = labels.RemainingLife("t")
    assert "no Quantity" in str(*feedback.WorkOrders("t.on", within=days(7)).problems(wall))
