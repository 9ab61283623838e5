import errno
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from tests.site import smiths

from flyball import durable, errors
from flyball.serving import release
from flyball.site import self_update

pytestmark = pytest.mark.slow  # every version has an environment of its own, some seconds each
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A home where version 1.0 runs, to be copied: an environment takes seconds to make."""
    place = tmp_path_factory.mktemp("first")
    wheels, digest = smiths.bundle(place / "wheels", "1.0", HERE)
    self_update.update(wheels, digest, place / "home")
    return place / "home"


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An environment as `venv` makes it, to be copied in its place."""
    place = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-I", "-m", "venv", place], check=True)
    return place


@pytest.fixture
def home(installed, bare, tmp_path, monkeypatch):
    """A home of one's own where version 1.0 runs; environments are copied there, not made."""
    real = self_update._run

    def run(command, longest_s):
        if command[2:4] != ["-m", "venv"]:
            return real(command, longest_s)
        shutil.copytree(bare, command[4], symlinks=True)
        return ""

    monkeypatch.setattr(self_update, "_run", run)
    shutil.copytree(installed, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


@pytest.fixture
def served(releases):
    """A release that serves."""
    return self_update.Served(releases["one"], releases["one"].name)


def says(home):
    """What the flyball that the service would start says."""
    return subprocess.run(
        [home / "current/bin/python", "-I", "-c", "from flyball.cli import main; main()"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def versions(home):
    return sorted(path.name.partition("-")[0] for path in (home / "versions").iterdir())


def test_a_new_version_is_installed_beside_the_old_one_and_switched_to(home, tmp_path, served):
    assert (says(home), self_update.running(home)["version"]) == ("flyball 1.0", "1.0")
    wheels, digest = smiths.bundle(tmp_path / "wheels", "1.1", HERE)
    now = self_update.update(wheels, digest, home, served)
    assert says(home) == "flyball 1.1" and (home / "current").resolve() == now
    assert self_update.running(home) == {"version": "1.1", "digest": digest}
    assert versions(home) == ["1.0", "1.1"]
    assert self_update.update(wheels, digest, home, served) == now  # ordered again: nothing changes
    assert (home / "previous").resolve().name.startswith("1.0-")


def test_only_the_version_that_runs_and_the_one_before_are_kept(home, tmp_path):
    for version in ("1.1", "1.2"):
        self_update.update(*smiths.bundle(tmp_path / version, version, HERE), home)
    assert versions(home) == ["1.1", "1.2"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"apart": "0.5"}, "off the golden vectors"),
        ({"apart": "float('nan')"}, "off the golden vectors"),
        ({"stop": "raise SystemExit('no such thing')"}, "no such thing"),
        ({"stop": "print('flyball 9')"}, "asked for its version"),
        ({"needs": ("numpy>=1",)}, "numpy"),
    ],
    ids=["wrong", "no number", "broken", "another", "incomplete"],
)
def test_a_version_that_is_not_healthy_leaves_the_old_one(home, tmp_path, served, how, said):
    wheels, digest = smiths.bundle(tmp_path / "wheels", "1.1", HERE, **how)
    with pytest.raises(errors.RolloutError, match=said):
        self_update.update(wheels, digest, home, served)
    assert (says(home), versions(home)) == ("flyball 1.0", ["1.0"])


def test_a_version_that_failed_is_not_tried_again(home, tmp_path, served, monkeypatch):
    wheels, digest = smiths.bundle(tmp_path / "wheels", "1.1", HERE, apart="0.5")
    with pytest.raises(errors.RolloutError):
        self_update.update(wheels, digest, home, served)
    monkeypatch.setattr(self_update, "_install", None)
    with pytest.raises(errors.RolloutError, match=r"failed here before .*off the golden vectors"):
        self_update.update(wheels, digest, home, served)


def test_a_version_that_fails_in_service_is_left_for_the_one_before_and_not_for_ever(home, tmp_path):
    wheels, digest = smiths.bundle(tmp_path / "wheels", "1.1", HERE)
    self_update.update(wheels, digest, home)
    assert self_update.main(["--fall-back", str(home)]) == 0
    assert says(home) == "flyball 1.0"
    with pytest.raises(errors.RolloutError, match=r"failed here before \(did not stay up"):
        self_update.update(wheels, digest, home)
    # As the service manager does it: not with the version that does not start, and never in a circle.
    assert self_update.main(["--fall-back", str(home)]) == 5
    assert says(home) == "flyball 1.0"


def test_wheels_that_are_not_those_ordered_are_refused(home, tmp_path):
    wheels, digest = smiths.bundle(tmp_path / "wheels", "1.1", HERE)
    with pytest.raises(errors.TamperedError):
        self_update.update(wheels, "0" * 64, home)
    (file,) = wheels.glob("*.whl")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(errors.TamperedError, match="content is not what was released"):
        self_update.update(wheels, digest, home)
    assert (says(home), versions(home)) == ("flyball 1.0", ["1.0"])


def test_a_folder_that_holds_more_than_wheels_or_is_for_another_python_is_refused(home, tmp_path):
    wheels, _ = smiths.bundle(tmp_path / "more", "1.1", HERE)
    (wheels / "setup.py").write_text("raise SystemExit")
    with pytest.raises(errors.FormatError, match="not a folder of wheels"):
        self_update.update(wheels, release.sealed(wheels), home)
    with pytest.raises(errors.WrongTargetError, match=r"wheels for Python 2\.7"):
        self_update.update(*smiths.bundle(tmp_path / "old", "1.1", "2.7"), home)
    wheels, _ = smiths.bundle(tmp_path / "lying", "1.1", HERE)
    (wheels / self_update.ABOUT).write_text(json.dumps({"flyball": "1.2", "python": HERE}))
    with pytest.raises(errors.MixAndMatchError, match=r"no wheel of flyball 1\.2"):
        self_update.update(wheels, release.sealed(wheels), home)


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize("nth", range(1, 5))
def test_a_power_cut_at_any_step_of_the_switch_leaves_the_old_or_the_new_version(
    home, tmp_path, nth, monkeypatch
):
    wheels, digest = smiths.bundle(tmp_path / "wheels", "1.1", HERE)
    renames = 0

    def hook(operation, path):
        nonlocal renames
        renames += operation == "rename"
        if renames == nth:
            raise Cut

    monkeypatch.setattr(durable, "hook", hook)
    try:
        self_update.update(wheels, digest, home)
        assert renames < nth
    except Cut:
        pass
    monkeypatch.setattr(durable, "hook", None)
    assert says(home) in ("flyball 1.0", "flyball 1.1")
    self_update.update(wheels, digest, home)
    assert says(home) == "flyball 1.1" and (home / "previous").is_symlink()


KILLED = """
import os, pathlib, signal, sys
from flyball.site import self_update
real = self_update._run
def run(command, longest_s):
    if "install" in command:  # pip has begun, and goes on when its parent is gone
        import subprocess
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.kill(os.getpid(), signal.SIGKILL)
    return real(command, longest_s)
self_update._run = run
self_update.update(pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]))
"""


def test_an_update_that_is_killed_leaves_the_old_version_and_does_not_spoil_the_next(home, tmp_path):
    wheels, digest = smiths.bundle(tmp_path / "wheels", "1.1", HERE)
    killed = subprocess.run([sys.executable, "-c", KILLED, wheels, digest, home], check=False)
    assert (killed.returncode, says(home), versions(home)) == (-signal.SIGKILL, "flyball 1.0", ["1.0", "1.1"])
    now = self_update.update(wheels, digest, home)
    assert says(home) == "flyball 1.1" and (home / "current").resolve() == now


def test_a_full_disk_stops_the_update_and_nothing_else(home, tmp_path, monkeypatch):
    wheels, digest = smiths.bundle(tmp_path / "wheels", "1.1", HERE)
    with monkeypatch.context() as full, pytest.raises(errors.StoreError, match="what runs goes on"):
        full.setattr(self_update, "SPARE", 2**60)
        self_update.update(wheels, digest, home)

    def hook(operation, path):
        if operation == "write" and self_update.VERSIONS in path.parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable, "hook", hook)
    with pytest.raises(errors.StoreError, match="free space"):
        self_update.update(wheels, digest, home)
    assert (says(home), versions(home)) == ("flyball 1.0", ["1.0"])


def test_settings_of_pip_and_python_do_not_reach_what_is_installed(home, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://192.0.2.1/simple")
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "nonsense")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "venv.py").write_text("raise SystemExit('imported from outside')")
    self_update.update(*smiths.bundle(tmp_path / "wheels", "1.1", HERE), home)
    assert self_update.running(home)["version"] == "1.1"


def test_this_version_tells_how_it_answers_the_golden_vectors(served, capsys, releases):
    assert self_update.main([str(served.folder), served.digest]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["golden_error"] <= self_update.GOLDEN and told["complete"] is True
    wrong = releases["wrong"]
    assert self_update.main([str(wrong), wrong.name]) == 0
    assert json.loads(capsys.readouterr().out)["golden_error"] > self_update.GOLDEN
    assert self_update.main([str(served.folder), "0" * 64]) == 5
    assert self_update.main([]) == 2
