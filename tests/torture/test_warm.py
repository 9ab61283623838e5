import errno

import pytest

from flyball.torture import layer, warm, work


@pytest.fixture(scope="module")
def running():
    return warm.shared()


def test_a_child_says_what_it_acknowledged_and_what_the_store_holds(running, tmp_path):
    work.lots(tmp_path / "in", 1, 2)
    running.control.arm(tmp_path / "store")
    told = running.go(tmp_path / "store", tmp_path / "in")
    assert (told["acknowledged"], told["ended"], told["error"], told["fault"]) == (
        ["lot-000", "lot-001"],
        0,
        "",
        "",
    )
    assert running.control.count > 100
    assert running.content(tmp_path / "store")["lots"] == {"lot-000": work.WHOLE, "lot-001": work.WHOLE}


def test_a_told_error_an_untold_one_and_a_kill_differ(running, tmp_path):
    work.lots(tmp_path / "in", 1, 1)
    running.control.arm(tmp_path / "store", layer.FAIL_ON, 20, errno.ENOSPC)
    told = running.go(tmp_path / "store", tmp_path / "in")
    assert told["ended"] == 3 and "free space" in told["error"] and told["fault"] == ""
    running.control.arm(tmp_path / "store", layer.KILL, 20)
    assert running.go(tmp_path / "store", tmp_path / "in")["ended"] == -9
    told = running.go(tmp_path / "store", tmp_path / "nowhere")
    assert told["ended"] == 1 and "FileNotFoundError" in told["fault"]


def test_a_child_that_hangs_is_ended(running, tmp_path, monkeypatch):
    import os
    import subprocess
    import sys

    code = (
        "import time\nfrom flyball.torture import warm, work\n"
        "warm.LIMIT_S = 0.3\nwork.go = lambda *given: time.sleep(60)\n"
        "print(warm._forked({'do': 'go', 'store': '', 'inbox': ''})['fault'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert done.stdout.strip() == "hung for 0 s"
