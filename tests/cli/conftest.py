"""Commands as they are typed, in a folder of their own, and a fleet with its keys and policy."""

import json

import pytest

from flyball import cli

POLICY = {"site": "fab-1", "machines": {"s1": "nxe", "s2": "nxe"}, "canary": ["s1"]}


@pytest.fixture
def say(capsys, monkeypatch, tmp_path):
    """Run a command in a folder of its own; returns (exit code, what it printed as JSON, what went to stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments] + ["--json"])
        out, err = capsys.readouterr()
        assert ended.value.code == code, err
        return [json.loads(line) for line in out.splitlines()], err

    return run


@pytest.fixture
def fleet(say, tmp_path):
    """A fleet with keys, a policy that is published, a release, and a machine that has begun."""
    for name in ("root-a", "root-b", "site-a", "site-b", "online"):
        say("keys", "new", f"keys/{name}")
    roots = ("--root", "keys/root-a", "--root", "keys/root-b")
    sites = ("--site", "keys/site-a", "--site", "keys/site-b")
    say("keys", "init", "fleet", *roots, *sites, "--online", "keys/online", "--page", "scanner")
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    say("keys", "policy", "fleet", "policy.json")
    told, _ = say("keys", "sign", "fleet", "--key", "keys/site-a", "--key", "keys/site-b")
    assert told == [{"role": "targets", "missing": 0}]
    say("keys", "publish", "fleet")
    (tmp_path / "drop").mkdir()
    return tmp_path


@pytest.fixture
def begin(say):
    """Let a machine begin: `begin("s1")` gives what its agent told after a round."""

    def run(machine, **more):
        root = ("--root", "fleet/repository/metadata/1.root.json")
        who = ("--machine", machine, "--kind", "nxe", "--page", "scanner")
        return say(
            "edge",
            machine,
            "--from",
            "fleet/repository",
            *root,
            *who,
            "--drop",
            "drop",
            "--rounds",
            1,
            **more,
        )

    return run
