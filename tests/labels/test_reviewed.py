from flyball import data, features, labels
from flyball.labels import reviewed
from flyball.units import days

ASKED = features.Moments.of(["a", "a", "b"], [1, 2, 1])


def said(*rows):
    """Rows (key, at, seen, label, who)."""
    key, at, seen, label, who = zip(*rows, strict=True)
    return {"reviews": data.Rows.of(key, at, seen, {"label": list(label), "who": list(who)}, ("at", "who"))}


THREE = said(("a", 1, 5, 1.0, "x"), ("a", 1, 6, 0.0, "y"), ("a", 1, 7, 1.0, "z"), ("b", 1, 8, 0.0, "x"))


def test_the_majority_its_count_and_share():
    found = reviewed.majority(THREE, ASKED, 9)
    assert found.value[[0, 2]].tolist() == [1.0, 0.0] and found.count.tolist() == [3, 0, 1]
    assert found.agreed(2, 0.6).tolist() == [True, False, False] and not found.agreed(2, 0.7).any()
    # A tie is no majority, and what is said later is not known before.
    assert not reviewed.majority(THREE, ASKED, 6).agreed(1, 0.51)[0]
    assert reviewed.majority(THREE, ASKED, 5).agreed(1, 0.6).tolist() == [True, False, False]
    assert reviewed.majority({}, ASKED, 9).count.tolist() == [0, 0, 0]


def test_who_says_two_things_is_taken_at_the_last_word():
    found = reviewed.majority(said(("a", 1, 5, 1.0, "x"), ("a", 1, 6, 0.0, "x")), ASKED, 9)
    assert (found.value[0], found.count[0], found.share[0]) == (0.0, 1, 1.0)


def test_what_reviewers_agree_on_replaces_what_the_label_part_says():
    logs = data.Rows.of(["m"] * 4, [days(d) for d in range(4)], columns={"failed": [0.0, 0.0, 1.0, 0.0]})
    asked = features.Moments.of(["m"] * 3, [days(d) for d in (0, 1, 3)])
    inner = labels.FailsWithin(days(1), event="t.failed")
    part = labels.Corrected(inner, least=1)
    tables = {"t": logs} | said(
        ("m", int(days(1)), int(days(3)), 0.0, "x"), ("m", int(days(3)), int(days(3)), 1.0, "x")
    )
    before, after = (part.label(tables, asked, int(days(3)) - one) for one in (1, 0))
    assert before.known.tolist() == [True, True, False]
    # One label is corrected, and one that was not known is known; its inner reason is gone.
    assert (
        after.value.tolist() == [0.0, 0.0, 1.0]
        and after.known.all()
        and after.why.codes.tolist() == [-1, -1, -1]
    )
    assert (part.kind(), part.reads(), part.horizon(), part.window()) == (
        inner.kind(), inner.reads(), inner.horizon(), inner.window(),
    )  # fmt: skip


def test_problems():
    part = labels.Corrected(labels.RemainingLife("t"), least=0, agree=0.5)
    assert [problem.place for problem in part.problems(None)] == ["least", "agree", "inner"]
