import itertools

import hypothesis
import hypothesis.strategies as st
import pytest

from flyball import errors, evidence
from flyball.feedback import life

RAISED = life.Life("3f2a90c1", "m1", moment=10, score=0.9, rank=1, raised=10)


def act(name, seen, at=None, **more):
    more = {"snooze": {"until": 10**6}, "order": {"order": "WO-1"}}.get(name, {}) | more
    return evidence.Act("3f2a90c1", name, "m.jansen", seen if at is None else at, seen, **more)


def test_a_whole_life():
    told = [act("ack", 11), act("order", 12), act("act", 20, at=18), act("found", 25), act("close", 30)]
    found = life.lived(RAISED, told)
    assert (found.state, found.order, found.found, found.acted_at, found.acted_seen) == (
        "closed",
        "WO-1",
        True,
        18,
        20,
    )
    assert found.acts == tuple(told) and RAISED.state == "open"
    with pytest.raises(errors.DeclarationError, match="is closed: it cannot be 'ack'"):
        found.after(act("ack", 31))


def test_a_snooze_ends_by_itself():
    slept = RAISED.after(act("snooze", 11, until=20))
    assert (slept.now(19), slept.now(20)) == ("snoozed", "open")
    assert slept.after(act("order", 30)).now(99) == "ordered"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (act("fix", 11), "no act 'fix'"),
        (act("found", 11), "open: it cannot be 'found', only ack, snooze, order, act, close"),
        (act("act", 11, at=9), "before what it is about"),
        (act("act", 11, at=12), "before what it is about"),
        (act("snooze", 11, until=11), "a time that is over"),
        (act("order", 11, order=""), "without its number"),
    ],
)
def test_what_may_not_follow(wrong, says):
    with pytest.raises(errors.DeclarationError, match=says):
        RAISED.after(wrong)


def test_nothing_is_told_before_what_was_told_last():
    with pytest.raises(errors.DeclarationError, match="before what it is about"):
        RAISED.after(act("ack", 20)).after(act("close", 19))


@hypothesis.given(st.lists(st.sampled_from(sorted(life.MOVES)), max_size=6))
def test_only_legal_moves_happen(names):
    found = RAISED
    for name, seen in zip(names, itertools.count(11)):
        legal = found.state in life.MOVES[name][0]
        try:
            found = found.after(act(name, seen))
            assert legal and found.state == life.MOVES[name][1]
        except errors.DeclarationError:
            assert not legal
