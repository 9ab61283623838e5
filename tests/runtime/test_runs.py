import json
import os
import subprocess
import sys
import time
import types

import pytest

from flyball.runtime import runs


@pytest.fixture
def kept(tmp_path):
    return types.SimpleNamespace(folder=tmp_path)


def test_a_run_is_running_then_done(kept):
    with runs.lease(kept, "drives", "f1") as record:
        assert [run["state"] for run in runs.listed(kept)] == ["running"]
        record.finish({"release": "r"})
    (run,) = runs.listed(kept)
    assert run["state"] == "done" and run["result"] == {"release": "r"} and run["ended"] >= run["began"]


def test_a_run_that_raises_is_failed_and_the_error_goes_on(kept):
    with pytest.raises(ValueError, match="no"), runs.lease(kept, "drives", "f1"):
        raise ValueError("no")
    assert runs.listed(kept)[0]["why"] == "ValueError: no"


def killed(folder):
    script = (
        "import os, pathlib, types; from flyball.runtime import runs\n"
        f"kept = types.SimpleNamespace(folder=pathlib.Path({str(folder)!r}))\n"
        "with runs.lease(kept, 'drives', 'f1'): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9


def test_a_killed_run_is_interrupted(kept):
    killed(kept.folder)
    assert [run["state"] for run in runs.listed(kept)] == ["interrupted"]
    with runs.lease(kept, "drives", "f1"):
        pass
    stored = [json.loads(path.read_bytes())["state"] for path in sorted((kept.folder / "runs").iterdir())]
    assert sorted(stored) == ["done", "interrupted"]


def test_a_number_used_again_by_another_process_does_not_keep_a_dead_run_alive(kept):
    killed(kept.folder)
    (path,) = (kept.folder / "runs").iterdir()
    told = json.loads(path.read_bytes())
    path.write_text(json.dumps({**told, "pid": os.getpid()}))
    assert runs.listed(kept)[0]["state"] == "interrupted"


def test_on_another_machine_the_heartbeat_decides(kept):
    killed(kept.folder)
    (path,) = (kept.folder / "runs").iterdir()
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "boot": "elsewhere"}))
    assert runs.listed(kept)[0]["state"] == "running"
    os.utime(path, (0, time.time() - 2 * runs.LEASE_S))
    assert runs.listed(kept)[0]["state"] == "interrupted"
