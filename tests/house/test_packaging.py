"""What starts flyball on a machine: it starts a command that exists, may little, and ends in no loop."""

import configparser
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

PACKAGING = pathlib.Path(__file__).parents[2] / "packaging"
UNITS = ("flyball.service", "flyball-fall-back.service")
APP = "/var/lib/flyball/app"


def unit(name):
    """The sections of a unit; where a key comes again, its last value."""
    read = configparser.ConfigParser(
        strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",)
    )
    read.optionxform = str
    read.read_string((PACKAGING / name).read_text())
    return read


def container():
    """The instructions of the Containerfile, each on one line."""
    text = re.sub(r"\\\n\s*", " ", (PACKAGING / "Containerfile").read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def known():
    from typer.main import get_command

    from flyball.cli import commands

    return get_command(commands.app).commands


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ProtectSystem", "strict"), ("ProtectHome", "yes"), ("PrivateTmp", "yes"), ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""), ("User", "flyball"), ("Restart", "on-failure"), ("StateDirectory", "flyball"),
        ("MemoryMax", "512M"),
    ],
)  # fmt: skip
def test_the_agent_may_little_and_is_held_to_its_memory(key, value):
    assert unit("flyball.service")["Service"][key] == value


def test_starts_are_limited_and_then_the_version_before_takes_over_once():
    agent, back = (unit(name) for name in UNITS)
    assert int(agent["Unit"]["StartLimitBurst"]) * float(agent["Service"]["RestartSec"]) < float(
        agent["Unit"]["StartLimitIntervalSec"]
    )
    assert agent["Unit"]["OnFailure"] == UNITS[1]
    assert "OnFailure" not in back["Unit"] and "Restart" not in back["Service"]
    assert back["Unit"]["ConditionPathIsSymbolicLink"] == f"{APP}/previous"


def test_what_is_started_is_what_an_update_points_at():
    from flyball.site import self_update

    agent, back = (shlex.split(unit(name)["Service"]["ExecStart"]) for name in UNITS)
    assert agent[0] == f"{APP}/{self_update.CURRENT}/bin/flyball"
    assert back[0] == f"{APP}/{self_update.PREVIOUS}/bin/python"
    assert back[1:] == ["-I", "-m", self_update.__name__, "--fall-back", APP]


@pytest.mark.parametrize("where", ["unit", "container"])
def test_the_command_that_is_started_exists(where):
    if where == "unit":
        _, command, *arguments = shlex.split(unit("flyball.service")["Service"]["ExecStart"])
    else:
        (line,) = [line for line in container() if line.startswith("CMD")]
        command, *arguments = json.loads(line.removeprefix("CMD"))
    assert command == "edge" and arguments[1] == "--from"
    if command not in known():
        pytest.skip(f"NOT CHECKED: this version has no command {command!r}")
    options = {one for parameter in known()[command].params for one in parameter.opts}
    assert "--from" in options
    assert any(parameter.param_type_name == "argument" for parameter in known()[command].params)


def complaints(folder, name):
    """What systemd says of a unit; what it starts is not here, so another program stands for it."""
    for one in UNITS:
        text = re.sub(rf"{APP}/\w+/bin/\w+", sys.executable, (PACKAGING / one).read_text())
        text = re.sub(r"^(User|Wants|After|Documentation)=.*\n", "", text, flags=re.MULTILINE)
        if not (folder / one).exists():
            (folder / one).write_text(text.replace("/usr/bin/systemctl", sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", folder / name]
    checked = subprocess.run(command, capture_output=True, text=True)
    found = [line for line in checked.stderr.splitlines() if name in line]
    return found or ([] if checked.returncode == 0 else [checked.stderr])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="NOT CHECKED BY SYSTEMD: it is not here")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_the_unit(name, tmp_path):
    assert complaints(tmp_path, name) == []
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace("NoNewPrivileges", "NoNewPrivilege"))
    assert "NoNewPrivilege" in complaints(tmp_path, name)[0]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="NOT CHECKED BY SYSTEMD: it is not here")
def test_the_agent_is_exposed_to_little_by_the_measure_of_systemd(tmp_path):
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        "--threshold=20",
        PACKAGING / "flyball.service",
    ]
    judged = subprocess.run(command, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout[-500:] + judged.stderr


def test_the_container_is_the_core_alone_asks_no_index_and_is_not_the_administrator():
    lines = container()
    installs = [line for line in lines if "pip" in line]
    assert installs and all("--no-index" in line and "--no-deps" in line for line in installs)
    assert not any("[" in line for line in installs)  # no extras
    last = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM")) :]
    users = [line.split()[1] for line in last if line.startswith("USER")]
    assert users == ["65532:65532"] and not any(line.startswith("EXPOSE") for line in last)
    assert last.index(f"USER {users[0]}") > max(
        n for n, line in enumerate(last) if line.startswith(("RUN", "COPY"))
    )
