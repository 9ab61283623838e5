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


def test_orders_with_a_number_tell_what_they_found_as_known_at_the_cut():
    rows = data.Rows.of(
        ["a", "b", "b", "c"], [days(2), days(1), days(1), days(3)], [days(4), days(2), days(6), days(5)],
        {"found": [1.0, 1.0, 0.0, float("nan")], "order": ["WO-2", "WO-1", "WO-1", "WO-3"]}, ("at",),
    )  # fmt: skip
    part = feedback.WorkOrders("orders.found", within=days(7), number="orders.order")
    told = [(o.number, o.found) for o in part.orders({"orders": rows}, days(4))]
    assert told == [("WO-1", True), ("WO-2", True)]
    assert [(o.number, o.found) for o in part.orders({"orders": rows}, days(9))] == [
        ("WO-2", True),
        ("WO-1", False),
    ]
    assert feedback.WorkOrders("orders.found", within=days(7)).orders({"orders": rows}, days(9)) == ()
    both = feedback.Several((feedback.Outcomes(), part))
    assert both.orders({"orders": rows}, days(4)) == part.orders({"orders": rows}, days(4))


def test_a_number_that_is_no_word_or_elsewhere_is_a_problem(page):
    wall = page(data.WallClock())
    wall.labels = labels.Given("t.on", answer=labels.Probability())
    (problem,) = feedback.WorkOrders("t.on", within=days(7), number="t.x").problems(wall)
    assert problem.place == "number"
