import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import errors
from flyball.serving.trust import Order, Policy, approvals
from flyball.site.wanted import Standing, wanted

POLICY = Policy(
    "fab", {"s1": "nxe", "s2": "nxe", "s3": "exe"}, canary=("s1",), waves={"first": ("s2",)}, approvals=0
)


def order(version, number, stage="wave", **more):
    told = {"kinds": ("nxe",), "schema": "cd" * 32, "groups": ("all",) if stage == "wave" else ()} | more
    return Order("p", f"{version:064x}", version, number, stage, **told)


def standing(machine="s1", serving=None, **more):
    return Standing(machine, POLICY.machines[machine], "p", "cd" * 32, serving, **more)


def chosen(orders, me, **more):
    return wanted([(o, o.stage == "wave") for o in orders], me, POLICY, 0, **more)


def test_the_newest_wave_serves_and_a_shadow_stands_beside_it():
    found = chosen([order(1, 1), order(2, 2), order(3, 3, "shadow")], standing())
    assert (found.serving.version, found.shadow.version, found.keep) == (2, 3, False)


def test_a_canary_reaches_the_policys_canary_machines_alone():
    offered = [order(1, 1), order(2, 2, "canary")]
    assert [chosen(offered, standing(m)).serving.version for m in ("s1", "s2")] == [2, 1]


def test_a_withdrawn_release_leaves_for_the_one_before_without_a_window():
    serving = order(2, 2, "canary")
    found = chosen([order(1, 1), order(2, 3, "withdrawn")], standing(serving=serving), open_at=False)
    assert (found.serving.version, found.keep) == (1, False)
    assert chosen([order(2, 3, "withdrawn")], standing(serving=serving)).serving is None


def test_an_older_version_is_a_rollback_attack_unless_the_order_says_what_may_be_left():
    serving = order(2, 2)
    refused = chosen([order(1, 3)], standing(serving=serving))
    assert refused.keep and isinstance(refused.refusals[0], errors.RollbackAttackError)
    allowed = chosen([order(1, 3, back_from=(2,))], standing(serving=serving))
    assert (allowed.serving.version, allowed.keep, allowed.refusals) == (1, False, ())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kinds": ("exe",)}, "made for exe"),
        ({"schema": "ee" * 32}, "reads features"),
    ],
)
def test_a_wrong_target_is_refused_by_name(change, error):
    found = chosen([order(1, 1, **change)], standing())
    assert found.serving is None
    assert isinstance(found.refusals[0], errors.WrongTargetError) and error in str(found.refusals[0])


def test_a_machine_that_the_policy_does_not_name_takes_nothing():
    me = Standing("s9", "nxe", "p")
    assert chosen([order(1, 1), order(2, 2, "canary")], me).serving is None


def test_approvals_count_people_by_signatures_that_hold_for_this_order():
    from securesystemslib.signer import CryptoSigner

    keys = {name: CryptoSigner.generate_ed25519() for name in ("ana", "ben")}
    people = {name: approvals.public(key.public_key) for name, key in keys.items()}
    strict = Policy("fab", {"s1": "nxe"}, approvals=2, approvers=people)
    one = approvals.approve(order(1, 1), "ana", keys["ana"], strict)
    both = approvals.approve(one, "ben", keys["ben"], strict)
    for told, taken in (
        (order(1, 1), False), (one, False), (both, True), (replace(both, number=2), False),
        (replace(one, approved={**one.approved, "ben": one.approved["ana"]}), False),
    ):  # fmt: skip
        found = wanted([(told, True)], standing(), strict, 0)
        assert (found.serving is not None) is taken
        assert taken or "approvals are missing" in str(found.refusals[0])


def test_windows_and_dates_are_waited_for():
    assert "window" in chosen([order(1, 1)], standing(), open_at=False).waiting
    late = chosen([order(1, 1), order(2, 2, since=10)], standing())
    assert late.serving.version == 1 and "may run from 10" in late.waiting


def test_a_release_found_broken_here_is_passed_over():
    me = standing(serving=order(2, 2), refused={order(2, 2).release: "crashes"})
    assert chosen([order(1, 1), order(2, 2)], me).serving.version == 1


orders = st.lists(
    st.builds(
        order,
        st.integers(1, 4),
        st.integers(1, 9),
        st.sampled_from(["shadow", "canary", "wave", "withdrawn"]),
    ),
    max_size=6,
    unique_by=lambda o: o.number,
)


@given(orders, st.sampled_from(["s1", "s2", "s3"]))
def test_the_choice_does_not_depend_on_the_order_of_orders_and_is_settled_once_followed(offered, machine):
    me = standing(machine)
    found = [chosen(one, me) for one in itertools.islice(itertools.permutations(offered), 6)]
    assert len({(one.serving, one.shadow, one.keep) for one in found}) == 1
    first = found[0]
    if first.serving is not None:
        again = chosen(offered, standing(machine, serving=first.serving))
        assert again.keep
        assert me.kind in first.serving.kinds
        assert machine == "s1" or first.serving.stage == "wave"
