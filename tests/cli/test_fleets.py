"""The commands of a fleet, as an engineer types them, on the files that they leave."""

import json

import pytest
from tests.cli.conftest import POLICY

from flyball.torture import small


def release(folder):
    """A release whose features are told."""
    from flyball.serving import release as releases

    made = small.made(folder / "draft", "logistic", 1)
    (made / "manifest.json").unlink()
    (made / "serving.json").write_text(json.dumps({"schema": {"columns": ["a", "b"]}}))
    return made.rename(folder / releases.sealed(made))


def test_from_keys_to_a_shadow_on_a_machine_and_back(say, fleet, begin):
    begin("s1")
    say("keys", "enrol", "fleet", "s1", "s1/machine.key.pub")
    made = release(fleet)
    (told,), _ = say("ship", "fleet", made, "--why", "first", "--drop", "drop", "--bundle", "in.tar")
    assert (told["shipped"]["release"], told["heard"]) == (made.name, 1)
    (seen,), _ = say("edge", "s1", "--from", "in.tar", "--drop", "drop", "--rounds", 1)
    assert seen["pages"][0]["shadow"] == made.name
    say("ship", "fleet", "--drop", "drop")
    (status,), _ = say("status", "--fleet", "fleet")
    assert (status["candidate"], status["stage"]) == (made.name, "shadow")
    assert status["machines"]["s1"][0]["page"] == "scanner"
    (back,), _ = say("rollback", "fleet", "--why", "changed my mind")
    assert back["withdrawn"] == made.name
    (seen,), _ = say("edge", "s1", "--from", "fleet/repository", "--rounds", 1)
    assert seen["pages"][0]["shadow"] == ""
    (told,), _ = say("why", made.name[:8], "--fleet", "fleet")
    assert [(one["act"], one["why"]) for one in told["decisions"]] == [
        ("shipped", "first"), ("rolled back", "changed my mind"),
    ]  # fmt: skip


def test_what_is_carried_over_an_air_gap_is_taken_in_once_and_only_when_it_is_signed(say, fleet, begin):
    begin("s1")
    _, err = say("ship", "fleet", "--evidence", "out.tar", code=5)
    assert "no machine of this site signed it" in err
    say("keys", "enrol", "fleet", "s1", "s1/machine.key.pub")
    say("edge", "s1", "--from", "fleet/repository", "--rounds", 1, "--evidence", "out.tar")
    for _ in range(2):
        (told,), _ = say("ship", "fleet", "--evidence", "out.tar")
        assert told["evidence"] == "s1"
    (status,), _ = say("status", "--fleet", "fleet")
    assert "s1" in status["machines"]
    lines = (fleet / "fleet" / "controller" / "received" / "00000000.jsonl").read_text().splitlines()
    assert len(lines) == 1
    content = bytearray((fleet / "out.tar").read_bytes())
    content[content.index(b"updated")] ^= 1
    (fleet / "out.tar").write_bytes(content)
    _, err = say("ship", "fleet", "--evidence", "out.tar", code=5)
    assert "changed on the way" in err or "signed" in err


def test_machines_tell_over_an_address_and_are_heard_there(say, fleet, begin):
    from flyball.cli import shipping

    begin("s1")
    say("keys", "enrol", "fleet", "s1", "s1/machine.key.pub")
    place = fleet / "fleet"
    hearing = shipping.receive(place, None, "127.0.0.1:0", None, None, None, 0.0)
    first = next(hearing)
    assert first["heard"] == 0
    to = ("--from", "fleet/repository", "--report", first["listens"], "--rounds", 1)
    (seen,), _ = say("edge", "s1", *to)
    assert seen["problem"] == "" and next(hearing)["heard"] == 1
    say("edge", "s1", *to)
    say("edge", "s1", *to)
    assert next(hearing)["set aside"] == {}
    hearing.close()
    (status,), _ = say("status", "--fleet", "fleet")
    assert "s1" in status["machines"]
    _, err = say("edge", "s1", *to, "--drop", "drop", code=2)
    assert "two ways" in err
    _, err = say("ship", "fleet", "--receive", "everywhere", code=2)
    assert "HOST:PORT" in err
    _, err = say("ship", "fleet", "--receive", "0.0.0.0:0", code=2)
    assert "certificate" in err


def test_a_machine_that_nobody_enrolled_is_set_aside(say, fleet, begin):
    begin("s2")
    (told,), _ = say("ship", "fleet", "--drop", "drop")
    assert told["heard"] == 0 and "enrol it first" in told["set aside"]["s2"]


def test_mistakes_are_told_with_what_to_do(say, fleet, tmp_path):
    _, err = say("edge", "s1", "--from", "fleet/repository", "--rounds", 1, code=2)
    assert "--root" in err and "--machine" in err
    _, err = say("ship", "fleet", "abcdef", code=5)
    assert "0 releases" in err
    _, err = say("ship", "nowhere", code=5)
    assert "flyball keys init" in err
    _, err = say("keys", "sign", "fleet", "--key", "keys/online", code=5)
    assert "nothing waits" in err
    _, err = say("keys", "new", "keys/online", code=5)
    assert "there already" in err
    (tmp_path / "keys" / "online").chmod(0o644)
    _, err = say("ship", "fleet", code=5)
    assert "chmod 600" in err
    _, err = say("rollback", "nowhere", "--why", "x", code=5)
    assert "no signed set" in err


def test_a_changed_audit_is_told(say, fleet):
    made = release(fleet)
    say("ship", "fleet", made)
    log = fleet / "fleet" / "controller" / "audit.jsonl"
    log.write_text(log.read_text().replace("shipped", "skipped"))
    _, err = say("why", "rollout", "--fleet", "fleet", code=5)
    assert "line 1 was changed" in err


def test_a_stolen_online_key_is_replaced_by_four_commands(say, fleet, begin):
    begin("s1")
    say("keys", "new", "keys/online-2")
    say("keys", "delegate", "fleet", "--to", "keys/online-2")
    say("keys", "sign", "fleet", "--key", "keys/site-a", "--key", "keys/site-b")
    _, err = say("keys", "publish", "fleet", code=5)
    assert "publish the new root first" in err
    say("keys", "sign", "fleet", "--role", "root", "--key", "keys/root-a", "--key", "keys/root-b")
    say("keys", "publish", "fleet", "--role", "root")
    (fleet / "keys" / "online").unlink()
    _, err = say("ship", "fleet", release(fleet), code=5)
    assert "flyball keys delegate" in err
    say("keys", "publish", "fleet")
    say("ship", "fleet")
    (seen,), _ = say("edge", "s1", "--from", "fleet/repository", "--rounds", 1)
    assert seen["problem"] == "" and seen["pages"][0]["shadow"]


def test_a_wave_goes_out_once_people_have_approved_it(say, fleet, begin):
    for name in ("ann", "bob"):
        say("keys", "new", f"keys/{name}")
    (fleet / "strict.json").write_text(json.dumps(POLICY | {"approvals": 2}))
    _, err = say("keys", "policy", "fleet", "strict.json", code=5)
    assert "2 approvals of 0 approvers" in err
    _, err = say("keys", "policy", "fleet", "strict.json", "--approver", "ann", code=2)
    assert "NAME=PUBLIC_KEY_FILE" in err
    people = [word for name in ("ann", "bob") for word in ("--approver", f"{name}=keys/{name}.pub")]
    (told,), _ = say("keys", "policy", "fleet", "strict.json", *people)
    assert told["approvers"] == ["ann", "bob"]
    sign = ("keys", "sign", "fleet", "--key", "keys/site-a", "--key", "keys/site-b")
    say(*sign)
    say("keys", "publish", "fleet")
    _, err = say("keys", "approve", "fleet", "--key", "keys/ann", "--as", "ann", code=5)
    assert "no wave waits" in err
    staged(fleet, release(fleet))
    (told,), _ = say("keys", "approve", "fleet", "--key", "keys/ann", "--as", "ann")
    assert told["missing"] == 1
    _, err = say("keys", "approve", "fleet", "--key", "keys/ann", "--as", "bob", code=5)
    assert "not the key" in err
    say(*sign)
    _, err = say("keys", "publish", "fleet", code=5)
    assert "waits for 1 approval" in err
    say("keys", "approve", "fleet", "--key", "keys/bob", "--as", "bob")
    say(*sign)
    say("keys", "publish", "fleet")
    (told,), _ = say("why", "rollout", "--fleet", "fleet")
    assert [(one["act"], one["who"]) for one in told["decisions"]] == [
        ("approved", "ann"),
        ("approved", "bob"),
    ]
    (seen,), _ = begin("s2")
    assert seen["pages"][0]["version"] == 1 and seen["pages"][0]["stage"] == "wave"


def staged(fleet, made):
    """Let a wave of a release on all machines wait for the site."""
    from flyball.cli import fleets, shipping
    from flyball.serving import release as releases
    from flyball.serving.trust import Order
    from flyball.serving.trust.repository import Repository

    releases.pack(made, fleet / "packed.tar")
    wave = Order("scanner", made.name, 1, 1, "wave", ("nxe",), shipping.schema(made), ("all",))
    Repository(fleet / "fleet" / "repository").stage(fleets.now(), wave, fleet / "packed.tar")


def test_keys_are_shown_and_rotated(say, fleet):
    (told,), _ = say("keys", "show", "fleet")
    assert told["roles"]["targets"]["threshold"] == 2 and told["waiting"] == []
    say("keys", "new", "keys/site-c")
    to = ("--to", "keys/site-b.pub", "--to", "keys/site-c.pub")
    say("keys", "rotate", "fleet", "targets", *to, "--threshold", 2)
    (told,), _ = say("keys", "show", "fleet")
    assert told["waiting"] == ["root"]
    say("keys", "sign", "fleet", "--key", "keys/root-a", "--key", "keys/root-b", "--role", "root")
    say("keys", "publish", "fleet", "--role", "root")
    (after,), _ = say("keys", "show", "fleet")
    assert len(after["roles"]["targets"]["keys"]) == 2
    assert after["roles"]["targets"]["keys"] != told["roles"]["targets"]["keys"]


def test_a_loop_hears_the_machines_of_a_fleet_through_a_folder(say, fleet, begin):
    from flyball.cli import fleets
    from flyball.errors import RolloutError

    begin("s1")
    begin("s2")
    say("keys", "enrol", "fleet", "s1", "s1/machine.key.pub")
    followed = fleets.following(fleet / "fleet", fleet / "drop")
    made = release(fleet)
    assert followed.offer(made, "loop: weekly") == "" and followed.offer(made, "loop: weekly") == ""
    told = followed.step(None)
    assert (told["heard"], told["candidate"], told["stage"]) == (1, made.name, "shadow")
    # Who nobody enrolled is set aside and told, and the loop goes on.
    assert [e["told"]["machine"] for e in followed.controller.audit.entries() if e["act"] == "set aside"] == [
        "s2"
    ]
    assert fleets.following(fleet / "fleet", None).step(None)["heard"] == 0
    with pytest.raises(RolloutError, match="is it mounted"):
        fleets.following(fleet / "fleet", fleet / "nowhere")


def left(content):
    """The classes of records in what a machine wrote."""
    return {batch["kind"] for batch in json.loads(content)["batches"]}


def test_neither_the_uplink_nor_what_is_carried_holds_what_the_policy_does_not_list(say, fleet, begin):
    """Rows and single answers stay on the machine unless the site's keys list them."""
    import tarfile

    from flyball.site import spool

    def round_of():
        kept = spool.Spool(fleet / "s1" / "spool")
        for kind in spool.CLASSES:
            kept.put(kind, {"what": f"row of {kind}"})
        to = ("--drop", "drop", "--rounds", 1, "--evidence", "out.tar")
        say("edge", "s1", "--from", "fleet/repository", *to)
        with tarfile.open(fleet / "out.tar") as carried:
            inside = [
                carried.extractfile(name).read() for name in carried.getnames() if name.endswith(".out.json")
            ]
        assert len(inside) == 1
        dropped = (fleet / "drop" / "s1.out.json").read_bytes()
        for content in (*inside, dropped):
            assert (b"row of answers" in content) == ("answers" in left(content))
        return left(dropped), left(inside[0])

    begin("s1")
    usual = {"audit", "alarms", "alerts", "outcomes", "sketches", "exposures"}
    assert round_of() == (usual, usual)
    (fleet / "policy.json").write_text(json.dumps({**POLICY, "leaves": ["outcomes", "answers"]}))
    say("keys", "policy", "fleet", "policy.json")
    say("keys", "sign", "fleet", "--key", "keys/site-a", "--key", "keys/site-b")
    say("keys", "publish", "fleet")
    round_of()  # the policy is read in this round
    assert round_of() == ({"outcomes", "answers"}, {"outcomes", "answers"})


def test_a_class_that_is_none_is_told_before_the_policy_is_signed(say, fleet):
    (fleet / "policy.json").write_text(json.dumps({**POLICY, "leaves": ["sketchs"]}))
    _, err = say("keys", "policy", "fleet", "policy.json", code=2)
    assert "no class 'sketchs', did you mean 'sketches'?" in err
