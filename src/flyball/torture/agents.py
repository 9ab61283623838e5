"""A fleet of real processes on the loopback: agents and their scorers, killed and cut off at random, must agree."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flyball import units
from flyball.runtime.inbox import Inbox
from flyball.serving import release
from flyball.serving.trust import Order, Policy
from flyball.site import uplink
from flyball.torture import attacks, small
from flyball.torture.trial import Told

#: How long all machines may take to agree once nothing disturbs them, in seconds for each of them, and at least.
EACH_S, LEAST_S = 6.0, 30.0
PAGE = "p"
#: How often a machine that scores a file is asked.
PERIOD = units.ms(250)


def agents() -> int:
    """Return how many agents run: four, or FLYBALL_AGENTS (twenty in the long proof)."""
    return int(os.environ.get("FLYBALL_AGENTS", "4"))


class Mirror:
    """The repository behind HTTP on the loopback; while `cut` nobody gets an answer."""

    def __init__(self, folder: Path) -> None:
        self.cut = False
        mirror = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                if mirror.cut:
                    self.close_connection = True
                    self.connection.close()
                    return
                super().do_GET()

            def log_message(self, *_: Any) -> None:
                """Say nothing: there are thousands of requests."""

            def handle(self) -> None:
                """Serve until the other side is killed, which is what happens here."""
                with contextlib.suppress(OSError, ValueError):
                    super().handle()

        handler = functools.partial(Handler, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def killed(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """Let agents run, kill them and cut them off at random while a release comes; then all must run it, told once.

    `sabotage` brings the machines the root of another site, so that none can believe what it is sent; once all have
    said so there is nothing to wait for.
    """
    rng, count = random.Random(seed), agents()
    names = [f"m{number:02d}" for number in range(count)]
    rig = attacks.Rig(folder / "site")
    rig.now = time.time_ns() // 1000
    rig.repository = type(rig.repository).create(
        folder / "repository", rig.root, rig.site, rig.online, (2, 2), rig.now
    )
    policy = Policy("loopback", dict.fromkeys(names, "nxe"), canary=(names[0],))
    order(rig, small.made(folder / "one", "logistic", seed), folder, 1, policy)
    drop, mirror = folder / "drop", Mirror(folder / "repository")
    drop.mkdir()
    root = attacks.Rig(folder / "other").repository.root() if sabotage else rig.repository.root()
    (folder / "root.json").write_bytes(root)
    inbox, running = Inbox(folder / "received"), {}
    try:
        for name in names:
            running[name] = agent(folder, name, mirror.url, drop)
        second = small.made(folder / "two", "logistic", seed + 1)
        for step in range(12):
            if step == 4:
                order(rig, second, folder, 2, None)
            mirror.cut = rng.random() < 0.3
            for name in rng.sample(names, max(1, count // 4)):
                running[name].send_signal(signal.SIGKILL)
                running[name].wait()
                running[name] = agent(folder, name, mirror.url, drop)
            time.sleep(rng.uniform(0.1, 0.5))
            hear(inbox, drop)
        mirror.cut, begun = False, time.monotonic()
        limit = max(LEAST_S, EACH_S * count)
        while time.monotonic() - begun < limit:
            time.sleep(0.2)
            said = hear(inbox, drop)
            if [said.get(name) for name in names] == [second.name] * count:
                break
            if all(_refused(folder, name) for name in names):
                return Told(False, time.monotonic() - begun, 0, f"none believes what it is sent: {said}")
        else:
            return Told(False, limit, 0, f"after {limit:.0f} s: {said}")
    finally:
        for child in running.values():
            child.send_signal(signal.SIGKILL)
            child.wait()
        mirror.server.shutdown()
        mirror.server.server_close()
    acts = [(machine, record["at"], record["act"]) for _, machine, record in inbox.records("audit")]
    return Told(
        len(acts) == len(set(acts)), time.monotonic() - begun, 0, "" if acts else "nobody told anything"
    )


def scored(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """Let a machine score a file that grows, kill its agent again and again; every question is answered once.

    `sabotage` takes the agent's note away whenever it is killed: what it does not remember it cannot go on with.
    """
    rng, name = random.Random(seed), "m00"
    page = small.page(PERIOD)
    made = small.made(folder / "one", "logistic", seed, page=page, x=small.asked(page, seed=seed))
    rig = attacks.Rig(folder / "site")
    rig.now = time.time_ns() // 1000
    rig.repository = type(rig.repository).create(
        folder / "repository", rig.root, rig.site, rig.online, (2, 2), rig.now
    )
    policy = Policy("loopback", {name: "nxe"}, canary=(name,), leaves=("audit", "answers"))
    order(rig, made, folder, 1, policy)
    (folder / "root.json").write_bytes(rig.repository.root())
    drop, rows, inbox = folder / "drop", folder / "rows", Inbox(folder / "received")
    drop.mkdir()
    rows.mkdir()
    file = rows / "pump.csv"
    file.write_text("machine,at,flow,stalled\n")
    more = ["--rows", str(rows)]
    child = agent(folder, name, str(folder / "repository"), drop, more)
    try:
        begun = _fed(file, rng, lambda: _moments(inbox, drop), lambda found: len(found) >= 2, LEAST_S)
        for _ in range(3):
            _fed(file, rng, list, lambda found: False, rng.uniform(0.2, 1.0))
            child.send_signal(signal.SIGKILL)
            child.wait()
            if sabotage:
                (folder / name / "scoring" / f"{PAGE}.json").unlink(missing_ok=True)
            child = agent(folder, name, str(folder / "repository"), drop, more)
        back, last = time.monotonic(), time.time_ns() // 1000
        found = _fed(
            file, rng, lambda: _moments(inbox, drop), lambda found: bool(found) and max(found) > last, LEAST_S
        )
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    if not begun or not found:
        return Told(False, LEAST_S, 0, "nothing was answered")
    due = set(range(min(found), max(found) + 1, int(PERIOD)))
    twice, lost = len(found) - len(set(found)), len(due - set(found))
    why = f"{twice} answered twice, {lost} of {len(due)} never" if twice or lost else ""
    return Told(not why, time.monotonic() - back, 0, why)


def _fed(
    file: Path, rng: random.Random, look: Callable[[], list[int]], enough: Callable[[list[int]], bool], limit_s: float
) -> list[int]:  # fmt: skip
    """Let a file grow, row by row, until what is seen is enough or the time is up; return what was seen last."""
    until = time.monotonic() + limit_s
    found: list[int] = []
    while time.monotonic() < until:
        with file.open("a") as sink:
            sink.write(f"m00,{time.time_ns() // 1000},{rng.gauss(0, 1):.4f},false\n")
        time.sleep(0.05)
        if enough(found := look()):
            break
    return found


def _moments(inbox: Inbox, drop: Path) -> list[int]:
    """Return the moments of every answer that was told."""
    hear(inbox, drop)
    return [int(record["moment"]) for _, _, record in inbox.records("answers")]


def order(rig: attacks.Rig, folder: Path, work: Path, version: int, policy: Policy | None) -> None:
    """Let the site's keys order a release on all machines, and a policy with it."""
    packed = work / f"{version}.tar"
    release.pack(folder, packed)
    new = Order(PAGE, folder.name, version, version, "wave", ("nxe",), "ab" * 32, ("all",))
    now = time.time_ns() // 1000
    rig.repository.stage(now, new, packed, policy)
    for key in rig.site:
        rig.repository.sign(key)
    rig.repository.publish(rig.online, now)


def agent(folder: Path, name: str, url: str, drop: Path, more: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start the agent of a machine as a process of its own."""
    program = str(Path(sys.executable).with_name("flyball"))
    who = ["--root", str(folder / "root.json"), "--machine", name, "--kind", "nxe", "--page", PAGE]
    command = [
        program,
        "edge",
        str(folder / name),
        "--from",
        url,
        *who,
        "--drop",
        str(drop),
        "--every",
        "0.5",
        *more,
    ]
    out = (folder / f"{name}.log").open("ab")
    with out:
        return subprocess.Popen([*command, "--json"], stdout=out, stderr=out)


def hear(inbox: Inbox, drop: Path) -> dict[str, str]:
    """Take in what every machine tells, and return which release each says it runs."""
    said: dict[str, str] = {}

    def take(machine: str, report: bytes, batches: list[Any]) -> list[Any]:
        told = json.loads(json.loads(report)["told"])
        said[machine] = told["pages"][0]["release"]
        return inbox.take(machine, batches)

    uplink.heard(drop, take, lambda machine, error: None)
    return said


def lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield what an agent said of its rounds."""
    for line in (folder / f"{name}.log").read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def _refused(folder: Path, name: str) -> bool:
    """Return whether the last that an agent said is that what it was sent is not signed by its site."""
    said = list(lines(folder, name))
    return bool(said) and "SignatureError" in said[-1]["problem"]


TRIALS: tuple[tuple[str, str, Callable[..., Told], int], ...] = (
    ("R46", "agents as processes, killed and cut off at random", killed, 32),
    ("R46", "an agent that scores a file, killed again and again", scored, 32),
)
