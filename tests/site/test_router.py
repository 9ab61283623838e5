import os
import signal
import threading
import time

import numpy as np
import pytest

from flyball import errors
from flyball.site import process, router, scorer
from flyball.torture import small

#: What answers one row as ever, and ends at two or more.
POISON = (
    "import os\nfirst = scorer.Scorer.answer\n"
    "scorer.Scorer.answer = lambda self, x: first(self, x) if len(x) == 1 else os._exit(7)"
)
ONE = small.matrix(1)


@pytest.fixture
def made():
    """Make routers, and close them all in the end."""
    every = []

    def make(python=None, **more):
        def start(folder, digest, **rest):
            return process.Process(folder, digest, **({"python": python} if python else {}), **rest)

        every.append(router.Router(start=start, **more))
        return every[-1]

    yield make
    for one in every:
        one.close()


def at(folder):
    return folder, folder.name


def test_it_answers_from_the_release_it_was_switched_to(made, releases):
    one, x = made(), small.matrix(9)
    assert one.digest is None and not one.ready()
    with pytest.raises(process.RetryError, match="ask again"):
        one.answer(x)
    for name in ("one", "two"):
        assert one.switch(*at(releases[name])).golden_error < 1e-9
        assert one.digest == releases[name].name and one.ready()
        assert np.array_equal(one.answer(x, 10), scorer.Scorer(releases[name]).answer(x))
    assert one.count() == router.Count(2, 1, 2, 0)


def test_a_switch_drops_no_question(made, releases):
    one, stop, wrong, asked = made(), threading.Event(), [], []
    right = {float(scorer.Scorer(releases[name]).answer(ONE)[0]) for name in ("one", "two")}
    one.switch(*at(releases["one"]))

    def ask():
        while not stop.is_set():
            try:
                found = float(one.answer(ONE, 10)[0])
                asked.append(found)
                wrong.extend([] if found in right else [found])
            except errors.FlyballError as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(4):
        one.switch(*at(releases[("two", "one")[number % 2]]))
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong and set(asked) == right and len(asked) > 100
    assert one.count().retries == 0 == one.count().exits


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("broken", errors.RolloutError, "no runner"),
        ("wrong", errors.RolloutError, "0.25 off its golden vectors"),
        ("unsure", errors.RolloutError, "no golden vectors"),
    ],
)
def test_a_bad_release_leaves_the_old_one_as_it_was(made, releases, name, kind, said):
    one = made()
    one.switch(*at(releases["one"]))
    pid = one.current.pid
    with pytest.raises(kind, match=said):
        one.switch(*at(releases[name]))
    with pytest.raises(errors.TrustError):
        one.switch(releases["two"], "0" * 64)
    assert one.current.pid == pid and len(one.answer(ONE, 10)) == 1
    assert one.count().exits == 0


def test_limits_on_latency_and_memory_are_held_before_it_answers(made, releases):
    for limits, said in (
        (router.Limits(p99_ms=1e-6), "ms at p99"),
        (router.Limits(resident_bytes=1000), "bytes resident"),
    ):
        with pytest.raises(errors.RolloutError, match=said):
            made(limits=limits).switch(*at(releases["one"]))


def test_one_that_stops_at_its_golden_vectors_is_not_healthy(made, releases, patched):
    slow = "import time\nfirst = scorer.Scorer.answer\nanswering.CHECK_S = 0.2\n"
    slow += "scorer.Scorer.answer = lambda self, x: (time.sleep(0.05), first(self, x))[1]"
    with pytest.raises(errors.RolloutError, match="in the time of all"):
        made(patched(slow)).switch(*at(releases["one"]))
    hangs = (
        "import time\nscorer.Scorer.answer = lambda self, x: time.sleep(60) if x.moments.at[0] else None\n"
    )
    hangs += "answering.checked = lambda held, golden: time.sleep(60)"
    with pytest.raises(errors.RolloutError, match=r"not healthy: no answer within 0\.5 s"):
        made(patched(hangs), limits=router.Limits(health_s=0.5)).switch(*at(releases["one"]))


def test_a_killed_scorer_is_back_and_whoever_asks_meanwhile_waits(made, releases):
    one = made(wait_s=20.0)
    one.switch(*at(releases["one"]))
    pid, begun = one.current.pid, time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    future = one.submit(ONE)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(process.RetryError):
        future.result(10)
    assert len(one.answer(ONE, 20)) == 1 and one.current.pid != pid
    assert time.monotonic() - begun < 10
    assert one.count() == router.Count(2, 0, 2, 1)


def test_who_cannot_wait_is_told_to_ask_again(made, releases, monkeypatch):
    one = made(wait_s=0.02)
    one.switch(*at(releases["one"]))
    back = threading.Event()
    again = one._again
    monkeypatch.setattr(one, "_again", lambda dead: back.wait(10) and again(dead))
    one.current.kill()
    one.current._gone.wait(10)
    with pytest.raises(process.RetryError, match="no scorer answers"):
        one.answer(ONE)
    back.set()
    one.wait_s = 20.0
    assert len(one.answer(ONE, 20)) == 1


def test_one_that_ends_again_and_again_is_told_and_started_no_more(made, releases, patched):
    told, heard = [], threading.Event()

    def on_exits(digest, exits):
        told.append((digest, [one.code for one in exits]))
        one.make = lambda folder, digest, **rest: process.Process(folder, digest, **rest)
        one.switch(*at(releases["two"]))
        heard.set()

    one = made(patched(POISON), on_exits=on_exits, wait_s=20.0)
    one.switch(*at(releases["one"]))
    for _ in range(3):
        with pytest.raises(process.RetryError):
            one.answer(small.matrix(2), 20)
    assert heard.wait(20)
    assert told == [(releases["one"].name, [7, 7, 7])]
    assert len(one.answer(small.matrix(2), 20)) == 2 and one.digest == releases["two"].name


def test_who_is_told_may_fail(made, releases, patched, caplog):
    one = made(patched(POISON), on_exits=lambda digest, exits: 1 / 0, limits=router.Limits(exits=1))
    one.switch(*at(releases["one"]))
    with pytest.raises(process.RetryError):
        one.answer(small.matrix(2), 20)
    one.make = process.Process
    one.switch(*at(releases["two"]))
    assert len(one.answer(small.matrix(2), 20)) == 2 and one._watching.is_alive()
    assert "could not be told" in caplog.text


def test_one_that_cannot_start_again_is_given_up(made, releases, patched, tmp_path):
    flag = tmp_path / "once"
    once = f"import pathlib\nflag = pathlib.Path({str(flag)!r})\n"
    once += "if flag.exists():\n    raise SystemExit('not again')\nflag.touch()"
    heard = threading.Event()
    told = []
    one = made(patched(once), on_exits=lambda digest, exits: (told.extend(exits), heard.set()), wait_s=0.0)
    one.switch(*at(releases["one"]))
    one.current.kill()
    assert heard.wait(30)
    assert [exit.code for exit in told] == [-signal.SIGKILL, -1, -1] and "not again" in told[1].why
    with pytest.raises(process.RetryError):
        one.answer(ONE)


@pytest.mark.parametrize(
    ("limits", "bad"),
    [
        (router.Limits(silent_s=0.1), "import time; time.sleep(60)"),
        (router.Limits(resident_bytes=200 * 2**20), "self.kept = b'x' * 2**28; import time; time.sleep(5)"),
    ],
)
def test_one_that_hangs_or_grows_is_ended_and_started_again(made, releases, patched, limits, bad):
    code = f"first = scorer.Scorer.answer\ndef bad(self):\n    {bad}\n"
    code += "scorer.Scorer.answer = lambda self, x: first(self, x) if len(x) == 1 else bad(self)"
    one = made(patched(code), limits=limits, wait_s=20.0, every_s=0.02)
    one.switch(*at(releases["one"]))
    pid = one.current.pid
    with pytest.raises(process.RetryError, match="ended"):
        one.answer(small.matrix(2), 20)
    assert len(one.answer(ONE, 20)) == 1 and one.current.pid != pid and one.count().exits == 1


def test_closed_it_answers_what_waits_and_nothing_more(made, releases):
    one = made()
    one.switch(*at(releases["one"]))
    os.kill(one.current.pid, signal.SIGSTOP)
    future = one.submit(ONE)
    os.kill(one.current.pid, signal.SIGCONT)
    with one:
        pass
    assert future.result(0) and not one.ready()
    with pytest.raises(process.RetryError):
        one.answer(ONE)
    with pytest.raises(errors.RolloutError, match="closed"):
        one.switch(*at(releases["one"]))
    assert one._watching is not None and not one._watching.is_alive()
