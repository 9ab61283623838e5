import pytest

from flyball.runtime import journey, report


def act(act, stage, why=""):
    return {"act": act, "at": 10**15, "stage": stage, "why": why, "figure": 0.0, "limit": 0.0, "kinds": []}


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (act("rolled back", "withdrawn", "slow <b>"), "It was stopped, and the machines went back: slow &lt;b&gt;"),
        (act("promoted", "wave", "every wave held"), "serves wherever it was sent"),
        (act("paused", "canary", "too few answers"), "stands still in canary: too few answers"),
        (act("promoted to canary", "canary"), "serves on a few machines"),
        (act("offered", "shadow"), "answers beside the one that serves"),
    ],
)  # fmt: skip
def test_the_last_decision_says_where_it_stands(last, said):
    text = journey.text(None, [act("offered", "shadow", "first"), last], report.table)
    assert said in text and "2001-09-09" in text and "<b>" not in text


def test_what_went_nowhere_has_no_section():
    assert journey.text(None, [], report.table) == ""
