import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyball import errors
from flyball.cli import edge
from flyball.fab.sites import Sites
from flyball.torture.fleet import ROLLOUT


def test_a_token_that_others_can_read_is_refused(tmp_path):
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(errors.DataError, match="chmod 600"):
        edge.secret(tmp_path / "token")
    (tmp_path / "token").chmod(0o600)
    assert edge.secret(tmp_path / "token") == "secret"


def test_a_state_belongs_to_one_machine(tmp_path):
    (tmp_path / "root.json").write_text("{}")
    edge.begin(tmp_path / "s", tmp_path / "root.json", "s1", "nxe", ["p"])
    assert edge.begin(tmp_path / "s", None, None, None, [])["machine"] == "s1"
    with pytest.raises(errors.DeclarationError, match="state of s1"):
        edge.begin(tmp_path / "s", None, "s2", "nxe", [])
    (tmp_path / "s" / "machine.json").write_bytes(b"{")
    with pytest.raises(errors.StoreError, match="begin again"):
        edge.begin(tmp_path / "s", None, None, None, [])


def test_the_agent_ends_when_it_is_told_to_and_two_never_share_a_state(tmp_path):
    world = Sites(tmp_path / "w", 1, {"s1": "nxe"}, ROLLOUT)
    (tmp_path / "root.json").write_bytes(world.repository.root())
    who = ["--root", str(tmp_path / "root.json"), "--machine", "s1", "--kind", "nxe", "--page", "p"]
    program = str(Path(sys.executable).with_name("flyball"))
    command = [program, "edge", str(tmp_path / "s"), "--from", str(world.repository.folder)]
    with subprocess.Popen([*command, *who, "--json"], stdout=subprocess.PIPE, text=True) as child:
        assert '"machine": "s1"' in child.stdout.readline()
        second = subprocess.run([*command, "--rounds", "1"], capture_output=True, text=True, timeout=60)
        assert second.returncode == 3 and "being written to" in second.stderr
        begun = time.monotonic()
        os.kill(child.pid, signal.SIGTERM)
        assert child.wait(20) == 0
        assert time.monotonic() - begun < 10


def test_one_port_answers_one_page(tmp_path):
    told = {"machine": "s1", "kind": "nxe", "pages": ["p", "q"]}
    with pytest.raises(errors.DeclarationError, match="--port 0"):
        next(
            edge.go(
                tmp_path,
                str(tmp_path),
                told,
                drop=None,
                ca=None,
                token=None,
                period_s=1.0,
                rounds=1,
                port=8080,
                cap=1,
            )
        )
