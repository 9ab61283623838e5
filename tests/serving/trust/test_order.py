import pytest

from flyball import errors
from flyball.serving.trust import Policy
from flyball.serving.trust import order as orders


def test_orders_and_policies_read_back(ordered, policy):
    order = ordered("wave", groups=("all",), back_from=(3, 4), why="worse on exe", approved={"ana": "00"})
    assert orders.read(order.json()) == order
    assert orders.read_policy(policy.json()) == policy


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "everywhere"},
        {"number": 0},
        {"version": True},
        {"release": "ab"},
        {"groups": "all"},
        {"why": None},
        {"extra": 1},
    ],
)
def test_an_order_that_is_none_is_refused(ordered, change):
    with pytest.raises(errors.TrustError):
        orders.read(ordered().json() | change)


def test_a_missing_field_is_told(ordered):
    told = ordered().json()
    del told["release"]
    with pytest.raises(errors.TrustError, match="release"):
        orders.read(told)


def test_groups_and_freezes(policy):
    assert policy.groups_of("s2") == ("all", "first", "kind:nxe", "machine:s2")
    assert policy.groups_of("stranger") == ()
    frozen = Policy("f", {}, freezes=((10, 20),))
    assert [frozen.frozen(now) for now in (9, 10, 19, 20)] == [False, True, True, False]


def test_a_policy_that_names_a_stranger_is_refused(policy):
    with pytest.raises(errors.TrustError, match="no machine 's9'"):
        orders.read_policy(policy.json() | {"canary": ["s9"]})


def test_a_policy_whose_approvals_can_never_be_had_is_refused(policy):
    keys = {"ann": "ab" * 32, "bob": "cd" * 32}
    assert orders.read_policy(policy.json() | {"approvals": 2, "approvers": keys}).approvals == 2
    with pytest.raises(errors.TrustError, match="3 approvals of 2 approvers"):
        orders.read_policy(policy.json() | {"approvals": 3, "approvers": keys})
    for same in ({**keys, "bob": "AB" * 32}, {**keys, "bob": "00"}):
        with pytest.raises(errors.TrustError, match="key of their own"):
            orders.read_policy(policy.json() | {"approvals": 1, "approvers": same})


def test_what_leaves_is_told_only_where_it_is_not_the_usual():
    usual = Policy("f", {})
    assert "leaves" not in usual.json()
    assert not {"answers", "traces"} & set(usual.leaves)
    strict = Policy("f", {}, leaves=("audit",))
    assert orders.read_policy(strict.json()).leaves == ("audit",)
    assert orders.read_policy(usual.json()) == usual
