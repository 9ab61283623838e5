"""flyball itself, from wheels at the centre to a machine behind an air gap, as it is typed."""

import subprocess
import sys

import pytest
from tests.site import smiths

pytestmark = pytest.mark.slow  # a version has an environment of its own, some seconds each
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def sealed(folder, version):
    place, digest = smiths.bundle(folder / version, version, HERE)
    return place.rename(folder / digest)


def signed(say):
    say("keys", "sign", "fleet", "--key", "keys/site-a", "--key", "keys/site-b")
    say("keys", "publish", "fleet")
    say("ship", "fleet", "--bundle", "in.tar")


def test_a_version_is_collected_ordered_signed_carried_and_installed(say, fleet, begin, monkeypatch):
    begin("s1")
    _, err = say("wheels", "install", "nowhere", "app", "--from", "fleet/repository", code=2)
    assert "no machine has begun" in err
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (made,), _ = say("wheels", "collect", smiths.wheel(fleet / "dist", "1.0"), "wheels")
    first = fleet / made["folder"]
    assert first.name == made["digest"]
    (told,), _ = say("wheels", "order", "fleet", first)
    assert (told["version"], told["flyball"]) == (1, "1.0")
    (seen,), _ = say("wheels", "install", "s1", "app", "--from", "fleet/repository")
    assert not seen["installed"]  # nobody has signed
    signed(say)
    (seen,), _ = say("wheels", "install", "s1", "app", "--from", "in.tar")
    assert seen["installed"] and seen["version"] == 1
    said = subprocess.run(["app/current/bin/flyball"], cwd=fleet, capture_output=True, text=True)
    assert said.stdout == "flyball 1.0\n"
    (seen,), _ = say("wheels", "install", "s1", "app", "--from", "in.tar")
    assert not seen["installed"] and seen["version"] == 1
    # An older one only by an order that says so; another kind of content is refused where it is ordered.
    say("wheels", "order", "fleet", sealed(fleet, "2.0"), "--group", "machine:s2")
    signed(say)
    (seen,), _ = say("wheels", "install", "s1", "app", "--from", "in.tar")
    assert not seen["installed"] and seen["version"] == 1
    _, err = say("wheels", "order", "fleet", fleet / "keys", code=5)
    assert "not a release" in err


def test_a_wheel_that_was_changed_on_the_way_never_gets_in(say, fleet, begin):
    begin("s1")
    say("wheels", "order", "fleet", sealed(fleet, "1.0"))
    signed(say)
    content = bytearray((fleet / "in.tar").read_bytes())
    content[content.index(b"flyball/cli.py") + 40] ^= 1
    (fleet / "in.tar").write_bytes(content)
    _, err = say("wheels", "install", "s1", "app", "--from", "in.tar", code=5)
    assert "not the content that was signed" in err
    assert not (fleet / "app" / "current").is_symlink()
