"""A loop that follows a fleet: what it trained goes out once, through shadow, canary and waves, whatever is killed."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from flyball import features, monitoring, part, serving, units
from flyball.fab import lived
from flyball.runtime import following, loop, run
from flyball.runtime.store import Store

ROLLOUT = serving.Staged(units.days(3), 0.2, units.days(1), least=5, disagreed=0.5, worse=0.2)
MACHINES = {f"m{n:02d}": "ab"[n % 2] for n in range(12)}


def small(page):
    columns = (features.Rolling("telemetry.vibration", over=units.days(3), by="mean"),)
    return part.replace(
        page,
        features=part.replace(page.features, columns=columns),
        serving=part.replace(page.serving, rollout=ROLLOUT),
        monitoring=monitoring.Watch(retrain=(monitoring.Weekly(),)),
    )


def begin(days):
    from datetime import UTC, datetime, timedelta

    return int((datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)).timestamp() * 1e6)


class Fleet:
    def __init__(self, daily, folder):
        self.page, self.days, self.files = small(daily.page), list(daily.files), daily.files
        self.inbox, self.store = folder / "inbox", folder / "store"
        self.inbox.mkdir()

    def send(self, until):
        for day in self.days[:until]:
            for file in self.files[day]:
                target = self.inbox / f"{file.parent.name}-{file.name}"
                if not target.exists():
                    shutil.copy(file, target)

    def followed(self):
        return lived.following(self.page, self.store, MACHINES, begin(40), "5c" * 32)

    def round(self):
        return loop.once(self.page, run.Bound(self.store, self.inbox, fleet=self.followed()))

    def acts(self):
        return [
            (one["act"], one["told"].get("release", "")) for one in self.followed().controller.audit.entries()
        ]


@pytest.fixture
def fleet(daily, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(following, "schema", lambda folder: "5c" * 32)
    return Fleet(daily, tmp_path)


def test_a_release_goes_out_a_step_a_round_and_then_it_answers(fleet):
    fleet.send(40)
    first = fleet.round()
    assert first["release"] and first["fleet"]["waits"] == "" and not first["fleet"]["serving"]
    # Until the fleet runs it, it only shadows: nobody is alerted by it.
    kept = Store.open(fleet.store, fleet.page.data)
    assert set(kept.answers().words("role").texts()) == {"shadow"} and not kept.frame("alerts").height
    stages = []
    for until in (42, 44, 46, 48):
        fleet.send(until)
        told = fleet.round()
        stages.append(told["fleet"]["stage"] or "none")
    assert stages[0] == "shadow" and stages[-1] in ("none", "shadow")
    assert told["fleet"]["serving"] == first["release"]
    # The weekly training meanwhile is offered once nothing else is under way, and only shadows until then.
    assert told["trained"] or told["release"] != first["release"]
    fleet.send(49)
    fleet.round()
    answers = Store.open(fleet.store, fleet.page.data).answers()
    roles = set(zip(answers.words("release").texts(), answers.words("role").texts(), strict=True))
    assert (first["release"], "serving") in roles
    assert any(release != first["release"] and role == "shadow" for release, role in roles)
    shipped = [release for act, release in fleet.acts() if act == "shipped"]
    assert shipped[0] == first["release"] and len(shipped) == len(set(shipped))


def test_what_was_offered_is_not_offered_again_and_waits_are_said(fleet):
    fleet.send(40)
    told = fleet.round()
    followed = fleet.followed()
    folder = fleet.store / "releases" / told["release"]
    assert followed.offered(told["release"]) and followed.offer(folder, "again") == ""
    other = fleet.store / "releases" / ("00" * 32)
    assert followed.offer(other, "another") == "version 1 is in shadow"
    # Rolled back, it is not offered again either: another one must be trained.
    followed.controller.roll_back("somebody did not like it")
    again = fleet.round()
    assert again["fleet"]["candidate"] == "" and [act for act, _ in fleet.acts()].count("shipped") == 1
    assert not again["fleet"]["serving"]


#: Where a process is killed, by SIGKILL: (module, name, before or after).
PLACES = {
    "after the contest": ("flyball.runtime.run", "_contest", "after"),
    "before the state is written": ("flyball.runtime.run", "run", "after"),
    "before it is noted what is shipped": ("flyball.runtime.controller", "Controller._decide", "before"),
    "in the middle of shipping": ("flyball.runtime.controller", "Controller._finish", "noted"),
}
CHILD = """
import os, signal, sys, importlib, pathlib
from flyball import system, evidence
from flyball.runtime import following, loop, measure, run
from flyball.fab import lived

told = {"p50_ms": .1, "p99_ms": .2, "p999_ms": .3, "resident_bytes": 5e7, "size_bytes": 1e3, "agreement": 0.0}
measure.scorer = lambda folder, digest: {n: evidence.Measurement(n, v, v, v, 1, "1") for n, v in told.items()}
run._report = lambda *_: None
following.schema = lambda folder: "5c" * 32
os.fsync = lambda handle: None
place, module, name, when, begin = sys.argv[1:]
where, _, inner = name.partition(".")
holder = importlib.import_module(module)
holder, name = (getattr(holder, where), inner) if inner else (holder, where)
real = getattr(holder, name)

def dies(*given, **named):
    if when == "before" or (when == "noted" and given[0].state["pending"] is not None):
        os.kill(os.getpid(), signal.SIGKILL)
    found = real(*given, **named)
    if when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return found

base = pathlib.Path(place)
page = system.read((base / "page.txt").read_text())
machines = {f"m{n:02d}": "ab"[n % 2] for n in range(12)}
fleet = lived.following(page, base / "store", machines, int(begin), "5c" * 32)
setattr(holder, name, dies)
loop.once(page, run.Bound(base / "store", base / "inbox", fleet=fleet))
"""


def test_a_loop_that_is_killed_at_any_point_goes_on_and_ships_once(fleet, tmp_path):
    (tmp_path / "page.txt").write_text(repr(fleet.page))
    fleet.send(40)
    for place, words in PLACES.items():
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path), *words, str(begin(40))],
            capture_output=True,
            text=True,
        )
        assert done.returncode == -signal.SIGKILL, f"{place}: {done.stderr[-2000:]}"
    note = json.loads((fleet.store / "state" / "loop.json").read_bytes())
    assert note  # killed in the middle of shipping: the state was written, the order only noted
    told = fleet.round()
    kept = Store.open(fleet.store, fleet.page.data)
    assert told["release"] and told["fleet"]["candidate"] == told["release"]
    assert [act for act, _ in fleet.acts()].count("shipped") == 1
    orders = fleet.followed().controller.repository.orders()
    assert len(orders) == 1 and orders[0].stage == "shadow"
    answers = kept.answers()
    asked = list(
        zip(answers.segments().tolist(), answers.at.tolist(), answers.words("role").texts(), strict=True)
    )
    assert len(asked) == len(set(asked))


def test_a_fleet_without_a_policy_is_waited_for(fleet, monkeypatch):
    fleet.send(40)
    followed = fleet.followed()
    monkeypatch.setattr(type(followed.controller.repository), "policy", lambda self: None)
    assert "no policy" in followed.offer(fleet.store / "releases" / ("11" * 32), "")
