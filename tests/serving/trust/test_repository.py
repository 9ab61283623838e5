import pytest

from flyball import errors
from flyball.serving.trust import repository
from flyball.serving.trust.repository import Repository


def test_the_online_key_offers_and_withdraws(rig, packed, ordered):
    rig.repository.offer(ordered("shadow"), packed[0], rig.online, rig.now)
    rig.repository.offer(ordered("withdrawn", number=2), packed[0], rig.online, rig.now)
    assert [(o.stage, o.number) for o in rig.repository.orders()] == [("withdrawn", 2)]
    assert rig.repository.next_number("scanner") == 3


def test_a_wave_waits_for_the_threshold_of_site_keys(rig, packed, ordered):
    with pytest.raises(errors.TrustError, match="needs the site's keys"):
        rig.repository.offer(ordered("wave"), packed[0], rig.online, rig.now)
    rig.repository.stage(rig.now, ordered("wave"), packed[0])
    assert rig.repository.sign(rig.site[0]) == 1
    with pytest.raises(errors.SignatureError, match="1 signature"):
        rig.repository.publish(rig.online, rig.now)
    assert rig.repository.orders() == ()
    assert rig.repository.sign(rig.site[2]) == 0
    rig.repository.publish(rig.online, rig.now)
    assert [o.stage for o in rig.repository.orders()] == ["wave"]


def test_a_key_without_the_right_cannot_sign_and_one_key_twice_is_one(rig, packed, ordered):
    rig.repository.stage(rig.now, ordered("wave"), packed[0])
    with pytest.raises(errors.SignatureError, match="not a key of targets"):
        rig.repository.sign(rig.online)
    assert [rig.repository.sign(rig.site[0]) for _ in range(2)] == [1, 1]


def test_staging_more_voids_what_was_signed(rig, packed, ordered, policy):
    rig.repository.stage(rig.now, ordered("wave"), packed[0])
    rig.repository.sign(rig.site[0])
    rig.repository.stage(rig.now, policy=policy)
    assert rig.repository.sign(rig.site[1]) == 1
    rig.repository.sign(rig.site[0])
    rig.repository.publish(rig.online, rig.now)
    assert rig.repository.policy() == policy
    assert [o.stage for o in rig.repository.orders()] == ["wave"]


def test_a_set_is_never_started_over(rig):
    with pytest.raises(errors.TrustError, match="rotate"):
        Repository.create(rig.repository.folder, rig.root, rig.site, rig.online, (2, 2), rig.now)


def test_a_threshold_that_cannot_be_reached_is_refused(rig, tmp_path):
    with pytest.raises(errors.TrustError, match="never be had"):
        Repository.create(tmp_path / "x", rig.root[:1] * 2, rig.site, rig.online, (2, 2), rig.now)
    with pytest.raises(errors.TrustError, match="never be had"):
        rig.repository.rotate(rig.now, "targets", [rig.site[0].public_key], 2)


def test_a_stolen_online_key_is_replaced_by_root_and_site(rig, packed, ordered, monkeypatch):
    from securesystemslib.signer import CryptoSigner

    old, new = rig.online, CryptoSigner.generate_ed25519()
    for role in ("snapshot", "timestamp"):
        rig.repository.rotate(rig.now, role, [new.public_key], 1)
    for key in rig.root[:2]:
        rig.repository.sign(key, "root")
    rig.repository.publish(new, rig.now, "root")
    rig.repository.delegate(rig.now, new.public_key)
    for key in rig.site[:2]:
        rig.repository.sign(key)
    with pytest.raises(errors.SignatureError, match="not the online key"):  # the site has not yet said so
        rig.repository.refresh(new, rig.now)
    with pytest.raises(errors.SignatureError, match="not the online key"):
        rig.repository.publish(old, rig.now)
    rig.repository.publish(new, rig.now)
    assert rig.update()  # what was offered before is signed anew
    rig.repository.offer(ordered(), packed[0], new, rig.now)
    rig.online = new
    assert rig.update()
    assert [o.stage for o, _ in rig.trusted.orders()] == ["shadow"]
    with pytest.raises(errors.SignatureError, match="not the online key"):
        rig.repository.offer(ordered(number=2), packed[0], old, rig.now)
    monkeypatch.setattr(repository, "_named", lambda targets, online: None)  # whoever stole it asks nobody
    rig.repository.offer(ordered(number=2), packed[0], old, rig.now)
    with pytest.raises(errors.SignatureError):
        rig.update()
