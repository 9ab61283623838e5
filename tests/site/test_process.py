import json
import os
import select
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from flyball import errors
from flyball.features import stage as features
from flyball.site import process, scorer, wire
from flyball.torture import small

FORBIDDEN = {"polars", "deltalake", "lightgbm", "sklearn", "scipy", "typer", "rich", "uvicorn", "grpc", "tuf"}
SLOW = "import time\nscorer.Scorer.answer = lambda self, x: time.sleep(60)"


@pytest.fixture
def running(releases):
    """Start scorers, and stop them all in the end."""
    made = []

    def start(name="one", **more):
        one = process.Process(releases[name], releases[name].name, **more)
        made.append(one)
        one.start()
        return one

    yield start
    for one in made:
        one.stop(0.0)


def test_it_answers_as_the_release_does(running, releases):
    x = small.matrix(40)
    for name in ("one", "trees"):
        assert np.array_equal(running(name).answer(x, 10), scorer.Scorer(releases[name]).answer(x))


def test_it_says_what_it_is_when_it_is_ready(releases):
    one = process.Process(releases["one"], releases["one"].name)
    assert one.pid == 0 and one.stop() is None
    said = one.start()
    assert said["pid"] == one.pid and said["digest"] == one.digest
    assert 20e6 < said["resident_bytes"] <= one.resident() * 1.1
    assert one.stop() == process.Exit(0, True, "it said nothing")
    assert one.resident() == 0


def test_many_threads_are_each_answered_what_they_asked(running, releases):
    one, alone, x, wrong = running(), scorer.Scorer(releases["one"]), small.matrix(64), []

    def ask(first):
        for row in range(first, 64, 8):
            mine = x.take(slice(row, row + 1))
            if not np.array_equal(one.answer(mine, 10), alone.answer(mine)):
                wrong.append(row)

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and one.waiting == 0


def test_a_question_that_cannot_be_answered_ends_nothing(running):
    one, x = running(), small.matrix(4)
    with pytest.raises(errors.DataError, match="c1"):
        one.answer(features.Matrix(x.moments, {"c0": x.columns["c0"]}), 10)
    assert len(one.answer(x, 10)) == 4 and one.exited is None


def test_its_health_is_that_of_its_golden_vectors(running):
    told = running().health()
    assert told.golden_error < 1e-9 and told.complete and told.asked >= 32
    assert 0 < told.p50_ms <= told.p99_ms and told.resident_bytes > 20e6
    assert running("wrong").health().golden_error == pytest.approx(0.25)
    assert running("unsure").health().complete is False


@pytest.mark.parametrize(
    ("name", "digest", "kind", "said"),
    [
        ("broken", None, errors.RolloutError, "no runner"),
        ("one", "0" * 64, errors.TrustError, "refuse this release"),
    ],
)
def test_a_release_that_cannot_be_loaded_leaves_no_process(releases, name, digest, kind, said):
    one = process.Process(releases[name], digest or releases[name].name)
    with pytest.raises(kind, match=said):
        one.start()
    assert not one.resident() and one.exited is not None
    with pytest.raises(process.RetryError, match="gone"):
        one.answer(small.matrix(1))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import time\ntime.sleep(60)", "not ready in 0.2 s"),
        ("raise SystemExit('no such library')", "no such library"),
        ("import os\nos.write(0, b'x' * 100)\nos._exit(1)", "no frame"),
    ],
)
def test_one_that_never_is_ready_is_told(releases, patched, code, said):
    one = process.Process(
        releases["one"], releases["one"].name, patched(code), 0.2 if "sleep" in code else 20.0
    )
    with pytest.raises(errors.FlyballError, match=said):
        one.start()
    assert not one.resident()


def test_killed_while_it_is_asked_it_says_ask_again(running):
    ended = threading.Event()
    one = running(on_exit=lambda _: ended.set())
    os.kill(one.pid, signal.SIGSTOP)
    future = one.submit(small.matrix(2))
    os.kill(one.pid, signal.SIGKILL)
    with pytest.raises(process.RetryError, match="ask again"):
        future.result(10)
    assert ended.wait(10) and one.exited == process.Exit(-signal.SIGKILL, False, "it said nothing")
    with pytest.raises(process.RetryError):
        one.answer(small.matrix(2))


def test_its_last_words_are_kept(running, patched):
    code = "import os\ndef answer(self, x):\n    os.write(2, b'x' * 99_999 + b'\\nout of luck\\n')\n    os._exit(9)"
    one = running(
        python=patched(
            f"{code.replace('99_999', '9')}\nfirst = scorer.Scorer.answer\n"
            "scorer.Scorer.answer = lambda self, x: first(self, x) if len(x) == 1 else answer(self, x)"
        )
    )
    with pytest.raises(process.RetryError):
        one.answer(small.matrix(2), 10)
    one._gone.wait(10)
    assert one.exited == process.Exit(9, False, "out of luck")


def test_one_that_hangs_is_told_and_is_ended_all_the_same(running):
    one = running()
    os.kill(one.pid, signal.SIGSTOP)
    with pytest.raises(process.RetryError, match=r"no answer within 0\.05 s"):
        one.answer(small.matrix(1), 0.05)
    assert one.silent_s() >= 0.05 and one.waiting == 1
    assert one.stop(0.05).expected
    assert one.silent_s() == 0.0


def test_what_waits_is_answered_before_it_ends(running):
    one = running()
    os.kill(one.pid, signal.SIGSTOP)
    futures = [one.submit(small.matrix(n + 1)) for n in range(20)]
    os.kill(one.pid, signal.SIGCONT)
    assert one.stop().expected
    assert [len(wire.read_answer(future.result(0))) for future in futures] == list(range(1, 21))


def test_too_much_waiting_is_refused_at_once(running, monkeypatch):
    monkeypatch.setattr(process, "MOST_WAITING", 3)
    one = running()
    os.kill(one.pid, signal.SIGSTOP)
    futures = [one.submit(small.matrix(1)) for _ in range(3)]
    with pytest.raises(process.RetryError, match="3 questions wait"):
        one.submit(small.matrix(1))
    os.kill(one.pid, signal.SIGCONT)
    assert all(future.result(10) for future in futures)


def test_too_large_a_question_is_refused_and_forgotten(running, monkeypatch):
    one = running()
    monkeypatch.setattr(wire, "MOST_BODY", 100)
    with pytest.raises(errors.DataError, match="fewer rows"):
        one.answer(small.matrix(50))
    assert one.waiting == 0


def test_it_dies_with_its_agent(releases):
    code = (
        "import sys, os, pathlib\nfrom flyball.site import process\nfolder = pathlib.Path(sys.argv[1])\n"
        "one = process.Process(folder, folder.name)\none.start()\nprint(one.pid, flush=True)\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(releases["one"])], stdout=subprocess.PIPE, text=True
    )
    pid = int(done.stdout)
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # it is gone already
    try:
        assert select.select([watched], [], [], 10)[0], "the scorer outlives its agent"
    finally:
        os.close(watched)


def test_it_imports_numpy_and_one_runner_and_nothing_else(running, patched, tmp_path):
    code = (
        "import atexit, json, pathlib\n"
        f"atexit.register(lambda: pathlib.Path({str(tmp_path / 'told')!r}).write_text("
        "json.dumps(sorted({name.partition('.')[0] for name in sys.modules}))))"
    )
    one = running("trees", python=patched(code))
    one.answer(small.matrix(3), 10)
    assert one.stop().code == 0
    loaded = set(json.loads((tmp_path / "told").read_text()))
    assert {"numpy", "flyball"} <= loaded and not loaded & FORBIDDEN


def test_called_wrongly_it_says_how(capsys):
    assert process.main([]) == 2
    assert "RELEASE_FOLDER DIGEST" in capsys.readouterr().err


def test_what_has_its_place_is_sent_and_answered_though_it_is_being_stopped(running):
    one = running()
    number, future = one.admit()
    stopping = threading.Thread(target=one.stop)
    stopping.start()
    while not one._stopping:
        threading.Event().wait(0.001)
    one.pass_on(number, *wire.write_matrix(small.matrix(3)))
    assert len(wire.read_answer(future.result(10))) == 3
    stopping.join()
    assert one.exited.code == 0
