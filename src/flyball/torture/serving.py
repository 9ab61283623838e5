"""Trials of answering: a release that is bad, reloads without end, a scorer that is killed; and hostile requests."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.torture import requests, small
from flyball.torture.trial import Told, Trial

if TYPE_CHECKING:
    from flyball.features import stage as features
    from flyball.site.router import Router

#: A scorer that was killed answers again within this, seconds.
BACK_S = 2.0
#: A bad release is told within this, seconds, however it is bad.
TOLD_S = 20.0
#: By so much may the agent's memory grow over all reloads.
GROWTH = 0.01
ASKERS = 4


def reloads() -> int:
    """Return how often a release is loaded: FLYBALL_RELOADS, or 24 (the promise is held over 1000)."""
    return int(os.environ.get("FLYBALL_RELOADS", "24"))


class Load:
    """Some threads that ask one row each, again and again; what came of it, and how long each answer took."""

    def __init__(self, router: Router, right: set[float], x: features.Matrix, pause_s: float = 0.001) -> None:
        self.router, self.right, self.x, self.pause_s = router, right, x, pause_s
        self.answers, self.retries = 0, 0
        self.wrong: list[str] = []
        self.last = 0.0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._go) for _ in range(ASKERS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _go(self) -> None:
        from flyball.site.process import RetryError

        while not self._stop.wait(self.pause_s):
            try:
                found = float(self.router.answer(self.x, 20.0)[0])
            except RetryError:
                self.retries += 1
                continue
            except errors.FlyballError as error:
                self.wrong.append(str(error))
                continue
            self.answers += 1
            self.last = time.monotonic()
            if found not in self.right:
                self.wrong.append(f"answered {found}, and no release says so")


def _right(folder: Path, x: features.Matrix) -> float:
    from flyball.site import scorer

    return float(scorer.Scorer(folder).answer(x)[0])


def bad(seed: int, folder: Path, sabotage: str = "") -> Told:
    """R28: offer releases that cannot be loaded, are wrong, slow, hang or leak, under load: the good one stays.

    Of the first four nobody notices anything; what leaks only later is ended, told, and gone back from.  `sabotage`
    lets any answer pass as healthy.
    """
    from flyball.site import process, router

    rng, x = random.Random(seed), small.matrix(1)
    good = small.made(folder / "good", "logistic", seed)
    offers = {
        "load fails": (small.made(folder / "broken", "logistic", seed, broken=True), ""),
        "wrong": (small.made(folder / "wrong", "logistic", seed, wrong=rng.uniform(0.01, 0.3)), ""),
        "slow": (small.made(folder / "slow", "logistic", seed + 1), _SLOW),
        "hangs": (small.made(folder / "hangs", "logistic", seed + 2), "import time\ntime.sleep(60)"),
    }
    order = list(offers)
    rng.shuffle(order)
    leaky, leaks = small.made(folder / "leaky", "logistic", seed + 3), _LEAKS
    pythons = {
        place.name: small.interpreter(folder / "pythons", code)
        for place, code in (*offers.values(), (leaky, leaks))
        if code
    }

    def start(place: Path, digest: str, **more: Any) -> process.Process:
        return process.Process(place, digest, pythons.get(digest, sys.executable), **more)

    limits = router.Limits(p99_ms=50.0, ready_s=6.0, resident_bytes=256 * 2**20)
    if sabotage:
        limits = router.Limits(golden_error=float("inf"), ready_s=6.0, resident_bytes=256 * 2**20)
    back, longest = threading.Event(), 0.0

    def go_back(digest: str, exits: Any) -> None:
        one.switch(good, good.name)
        back.set()

    right = {_right(place, x) for place in (good, leaky)}
    with router.Router(limits, go_back, start, wait_s=10.0, every_s=0.02) as one:
        one.switch(good, good.name)
        with Load(one, right, x) as load:
            for name in order:
                place, _ = offers[name]
                begun = time.monotonic()
                try:
                    one.switch(place, place.name)
                except errors.RolloutError:
                    pass
                else:
                    return Told(False, 0.0, 0, f"{name}: it was let through")
                longest = max(longest, time.monotonic() - begun)
                if one.digest != good.name or load.retries or load.wrong or one.count().exits:
                    return Told(False, longest, 0, f"{name}: {load.retries} dropped, {load.wrong[:1]}")
            answered = load.answers
            begun = time.monotonic()
            one.switch(leaky, leaky.name)
            if not back.wait(TOLD_S):
                return Told(False, TOLD_S, 0, "leaks: nothing was told")
            longest = max(longest, time.monotonic() - begun)
            one.answer(x, 20.0)
        checks = (
            (answered < 20, f"only {answered} questions were asked"), (bool(load.wrong), f"{load.wrong[:1]}"),
            (one.digest != good.name, "leaks: it stays"), (longest > TOLD_S, f"it took {longest:.1f} s"),
        )  # fmt: skip
    return _told(longest, *checks)


_SLOW = (
    "import time\nfirst = scorer.Scorer.answer\n"
    "scorer.Scorer.answer = lambda self, x: (time.sleep(0.1), first(self, x))[1]"
)
#: Well at first, as leaks are: the golden vectors are asked before it matters.
_LEAKS = (
    "first, kept = scorer.Scorer.answer, []\n"
    "def answer(self, x):\n    kept.append(None if len(kept) < 300 else b'x' * 2**24)\n    return first(self, x)\n"
    "scorer.Scorer.answer = answer"
)


def _told(recovery_s: float, *checks: tuple[bool, str]) -> Told:
    why = next((why for wrong, why in checks if wrong), "")
    return Told(not why, recovery_s, 0, why)


_RELOADS = """
import gc, json, os, pathlib, sys, threading
from flyball.site import router
from flyball.torture import requests, small
many, leak, x, held = int(sys.argv[1]), sys.argv[2] == "leak", small.matrix(1), []
folders = [pathlib.Path(one) for one in sys.argv[3:]]
def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def open_files():
    return len(os.listdir("/proc/self/fd"))
warm = min(50, max(8, many // 3))
with router.Router() as one:
    for number in range(warm + many):
        if number == warm:
            before, files, threads = resident(), open_files(), threading.active_count()
        place = folders[number % 2]
        one.switch(place, place.name)
        one.answer(x, 20.0)
        held += [bytearray(b"x" * 2**20)] if leak else []
    told = {"before": before, "after": resident(), "files": open_files() - files,
            "threads": threading.active_count() - threads}
print(json.dumps(told))
"""


def reloaded(seed: int, folder: Path, sabotage: str = "") -> Told:
    """R29: switch between two releases many times: memory, files and threads of the agent are as they were.

    `sabotage` keeps a megabyte at each.
    """
    places = [str(small.made(folder / name, "logistic", seed + n)) for n, name in enumerate(("one", "two"))]
    command = [sys.executable, "-c", _RELOADS, str(reloads()), "leak" if sabotage else "", *places]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return Told(False, 0.0, 0, f"it ended with {done.returncode}: {done.stderr[-500:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    growth = told["after"] / told["before"] - 1
    return _told(
        0.0, (growth >= GROWTH, f"memory grew by {growth:.2%} over {reloads()} reloads"),
        (told["files"] > 0 or told["threads"] > 0, f"{told['files']} files and {told['threads']} threads are left"),
    )  # fmt: skip


def killed(seed: int, folder: Path, sabotage: str = "") -> Told:
    """R31: kill the scorer in the middle of a question, under load: it is back, and who asked is told to ask again.

    `sabotage` starts nothing again.
    """
    from flyball.site import router, wire
    from flyball.site.process import RetryError

    rng, x = random.Random(seed), small.matrix(1)
    good = small.made(folder / "good", rng.choice(("logistic", "trees")), seed)
    right, worst = _right(good, x), 0.0
    with router.Router(router.Limits(exits=100), wait_s=2 * BACK_S) as one:
        one.switch(good, good.name)
        with Load(one, {right}, x) as load:
            for _ in range(3):
                time.sleep(rng.uniform(0.0, 0.1))
                assert one.current is not None
                pid = one.current.pid
                os.kill(pid, signal.SIGSTOP)
                future = one.submit(x)
                one._given_up = bool(sabotage)
                begun = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                try:
                    found = float(wire.read_answer(future.result(BACK_S))[0])
                    if found != right:
                        return Told(False, worst, 0, f"answered {found} instead of {right}")
                except RetryError:
                    pass
                except TimeoutError:
                    return Told(False, worst, 0, "who asked was told nothing")
                while load.last < begun or one.current.pid == pid:
                    if time.monotonic() - begun > BACK_S:
                        return Told(False, BACK_S, 0, f"no answer {BACK_S:g} s after it was killed")
                    time.sleep(0.002)
                worst = max(worst, load.last - begun)
    return _told(worst, (bool(load.wrong), f"{load.wrong[:1]}"), (load.answers < 3, "nothing was asked"))


TRIALS = (
    *requests.TRIALS,
    Trial("R28", "a new release cannot be loaded, is wrong, slow, hangs, leaks", bad, 8),
    Trial("R29", "releases loaded again and again", reloaded, 16),
    Trial("R31", "the scorer killed in the middle of a question", killed, 2),
)
