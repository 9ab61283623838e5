from dataclasses import replace

import pytest
from securesystemslib.signer import CryptoSigner

from flyball import errors
from flyball.serving.trust import approvals


@pytest.fixture
def people():
    return {name: CryptoSigner.generate_ed25519() for name in ("ann", "bob")}


@pytest.fixture
def strict(policy, people):
    """A policy under which both must approve a wave."""
    keys = {name: approvals.public(key.public_key) for name, key in people.items()}
    return replace(policy, approvals=2, approvers=keys)


def test_each_person_counts_once_and_by_their_own_key(ordered, strict, people):
    order = ordered("wave")
    for name in ("ann", "ann", "bob"):
        order = approvals.approve(order, name, people[name], strict)
    assert approvals.granted(order, strict) == ("ann", "bob") and approvals.missing(order, strict) == 0
    with pytest.raises(errors.SignatureError, match="not the key"):
        approvals.approve(order, "ann", people["bob"], strict)
    with pytest.raises(errors.SignatureError, match="may not approve"):
        approvals.approve(order, "eve", people["bob"], strict)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 2},
        {"version": 2},
        {"release": "ef" * 32},
        {"groups": ("all",)},
        {"why": "x"},
        {"back_from": (9,)},
    ],
)
def test_an_approval_is_for_one_order_and_no_other(ordered, strict, people, change):
    approved = approvals.approve(ordered("wave"), "ann", people["ann"], strict)
    assert approvals.granted(replace(approved, **change), strict) == ()


def test_what_a_server_writes_in_is_no_approval(ordered, strict, people):
    real = approvals.approve(ordered("wave"), "ann", people["ann"], strict).approved["ann"]
    for forged in ({"ann": ""}, {"ann": "zz"}, {"ann": "00" * 64}, {"bob": real}, {"eve": real}):
        assert approvals.granted(ordered("wave", approved=forged), strict) == ()


def test_only_waves_need_any(ordered, strict):
    assert [approvals.missing(ordered(stage), strict) for stage in ("shadow", "canary", "withdrawn", "wave")] == [
        0, 0, 0, 2,
    ]  # fmt: skip


def test_a_wave_is_not_published_before_people_have_approved_it(rig, packed, ordered, strict, people):
    rig.repository.stage(rig.now, policy=strict)
    rig.repository.stage(rig.now, ordered("wave"), packed[0])
    assert rig.repository.unapproved() == 2
    assert rig.repository.approve("ann", people["ann"]) == 1
    for key in rig.site:
        rig.repository.sign(key)
    with pytest.raises(errors.SignatureError, match="waits for 1 approval"):
        rig.repository.publish(rig.online, rig.now)
    assert rig.repository.approve("bob", people["bob"]) == 0
    with pytest.raises(errors.SignatureError, match="signature"):  # what they signed held one approval
        rig.repository.publish(rig.online, rig.now)
    for key in rig.site:
        rig.repository.sign(key)
    rig.repository.publish(rig.online, rig.now)
    assert rig.update()
    ((order, by_site),) = rig.trusted.orders()
    assert by_site and approvals.granted(order, strict) == ("ann", "bob")
    with pytest.raises(errors.TrustError, match="no wave waits"):
        rig.repository.approve("ann", people["ann"])
