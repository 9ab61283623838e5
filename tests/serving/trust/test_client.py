import pytest

from flyball import durable, errors
from flyball.serving import release
from flyball.serving.trust import client, mirror
from flyball.torture import attacks


def publish(rig, packed, order):
    rig.repository.stage(rig.now, order, packed[0])
    for key in rig.site[:2]:
        rig.repository.sign(key)
    rig.repository.publish(rig.online, rig.now)


def test_what_is_ordered_arrives_as_it_was_signed(rig, packed, ordered, policy, tmp_path):
    rig.repository.stage(rig.now, policy=policy)
    publish(rig, packed, ordered("wave"))
    assert rig.update() and not rig.update()
    source = mirror.Folder(rig.repository.folder)
    ((order, by_site),) = rig.trusted.orders()
    assert (order, by_site) == (ordered("wave"), True)
    assert rig.trusted.policy(source) == policy
    assert rig.trusted.size(order, by_site) == packed[0].stat().st_size
    rig.trusted.release(order, by_site, source, tmp_path / "got.tar")
    (tmp_path / "got").mkdir()
    release.unpack(tmp_path / "got.tar", tmp_path / "got", packed[1])


def test_a_changed_release_is_refused(rig, packed, ordered, tmp_path):
    publish(rig, packed, ordered("wave"))
    rig.update()
    (lies,) = (rig.repository.targets / "releases").rglob("*.tar")
    content = bytearray(lies.read_bytes())
    content[-700] ^= 1
    lies.write_bytes(content)
    with pytest.raises(errors.TamperedError):
        rig.trusted.release(ordered("wave"), True, mirror.Folder(rig.repository.folder), tmp_path / "got.tar")
    assert not (tmp_path / "got.tar").exists()
    lies.write_bytes(content + b"\0" * 2**20)
    with pytest.raises(errors.EndlessDataError):
        rig.trusted.release(ordered("wave"), True, mirror.Folder(rig.repository.folder), tmp_path / "got.tar")


def test_a_wave_that_only_the_online_key_signed_is_refused(rig, packed, ordered):
    rig.repository.offer(ordered("shadow"), packed[0], rig.online, rig.now)
    rig.put(
        "candidates",
        lambda s: next(iter(s.targets.values())).unrecognized_fields["custom"].update(stage="wave"),
    )
    rig.beat(candidates=rig.newest("candidates"))
    rig.update()
    with pytest.raises(errors.SignatureError, match="only the online key"):
        rig.trusted.orders()


def test_an_order_under_the_name_of_another_release_is_refused(rig, packed, ordered):
    rig.repository.offer(ordered("shadow"), packed[0], rig.online, rig.now)
    custom = {"release": "ee" * 32}
    rig.put(
        "candidates", lambda s: next(iter(s.targets.values())).unrecognized_fields["custom"].update(custom)
    )
    rig.beat(candidates=rig.newest("candidates"))
    rig.update()
    with pytest.raises(errors.TrustError, match="another release"):
        rig.trusted.orders()


def test_a_crash_at_any_step_leaves_the_old_or_the_new_set(rig, packed, ordered, monkeypatch):
    rig.update()
    rig.repository.offer(ordered("shadow"), packed[0], rig.online, rig.now)
    steps = 0

    class Cut(BaseException):
        pass

    def cut(operation, path):
        nonlocal left
        left -= 1
        if left < 0:
            raise Cut

    for steps in range(1000):
        left = steps
        monkeypatch.setattr(durable, "hook", cut)
        try:
            rig.update()
        except Cut:
            monkeypatch.setattr(durable, "hook", None)
            rig.trusted = client.Trusted(rig.folder / "machine")
            assert rig.known("timestamp") in (1, 2)
            rig.trusted.orders()
            continue
        break
    assert steps > 5
    assert [o.stage for o, _ in client.Trusted(rig.folder / "machine").orders()] == ["shadow"]


def test_time_that_has_passed_stays_passed(rig):
    rig.update()
    rig.now += attacks.DAY
    rig.update()
    again = client.Trusted(rig.folder / "machine")
    assert again.latest == rig.now
    assert again.age(rig.now + 5) == 5


def test_a_clock_far_ahead_does_no_harm_once_it_is_right_again(rig):
    rig.update()
    late = rig.now + 40_000 * attacks.DAY
    with pytest.raises(errors.FreezeAttackError, match="clock here is wrong"):
        rig.trusted.update(mirror.Folder(rig.repository.folder), late)
    rig.repository.refresh(rig.online, rig.now)
    assert rig.update()


def test_a_machine_without_a_root_says_what_to_bring(tmp_path):
    with pytest.raises(errors.TrustError, match=r"root\.json by hand"):
        client.Trusted(tmp_path)


def test_nobody_there_is_no_attack(rig):
    with pytest.raises(errors.UnreachableError):
        rig.update(mirror.Folder(rig.folder / "nowhere"))
