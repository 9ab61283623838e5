import numpy as np

from flyball import data, feedback, labels
from flyball.units import hours


def join(measured, answers, part, cut):
    rows = data.Rows.of(
        [key for key, *_ in measured], [hours(at) for _, at, *_ in measured], [hours(seen) for *_, seen, _ in measured],
        {"width": [value for *_, value in measured]}, ("at",),
    )  # fmt: skip
    at = [hours(at) for _, at in answers]
    said = data.Rows.of([key for key, _ in answers], at, columns={"answer": [0.0] * len(answers)})
    found = part.collect(said, {"cd": rows}, None, int(hours(cut)))
    return [outcome.truth if outcome.state == "known" else outcome.state for outcome in found]


def test_the_nearest_measurement_within_the_tolerance_counts():
    part = feedback.Metrology("cd.width", within=hours(3), wait=hours(5))
    measured = [("a", 1, 6, 21.0), ("a", 5, 9, 23.0), ("b", 20, 21, 30.0)]
    answers = [("a", 0), ("a", 3), ("a", 4), ("b", 0), ("c", 0)]
    assert join(measured, answers, part, 5) == ["pending"] * 5
    # Of two that are as near the later one counts, once it is known.
    assert join(measured, answers, part, 7)[:2] == [21.0, 21.0]
    assert join(measured, answers, part, 30) == [21.0, 23.0, 23.0, "censored", "censored"]


def test_a_correction_changes_what_is_known_later():
    part = feedback.Metrology("cd.width", within=hours(2), after=hours(4))
    measured = [("a", 4, 5, 21.0), ("a", 4, 8, 19.0), ("a", 5, 6, float("nan"))]
    assert [join(measured, [("a", 0)], part, cut) for cut in (4, 5, 7, 8)] == [
        ["pending"],
        [21.0],
        [21.0],
        [19.0],
    ]


def test_it_is_what_a_slow_search_finds():
    rng = np.random.default_rng(0)
    at = rng.choice(500, 60, replace=False)
    measured = [("ab"[n % 2], int(a), int(a), float(n)) for n, a in enumerate(at)]
    answers = sorted(("ab"[n % 2], n) for n in range(200))
    found = join(measured, answers, feedback.Metrology("cd.width", within=hours(4)), 600)
    for (key, when), truth in zip(answers, found, strict=True):
        near = [(abs(a - when), -a, value) for k, a, _, value in measured if k == key and abs(a - when) <= 4]
        assert truth == (min(near)[2] if near else "censored")


def test_problems(page):
    wall = page(data.WallClock())
    wall.labels = labels.Given("t.x", answer=labels.Quantity("nm"))
    assert (
        list(feedback.Metrology("t.x", within=hours(2), after=hours(1), wait=hours(9)).problems(wall)) == []
    )
    assert "no column 't.xx'" in str(*feedback.Metrology("t.xx", within=hours(2)).problems(wall))
    assert "a bare 7" in str(*feedback.Metrology("t.x", within=7).problems(wall))
    wall.labels = labels.Given("t.code", answer=labels.Classes(("a", "b")))
    assert "no class" in str(*feedback.Metrology("t.x", within=hours(2)).problems(wall))
