"""R1 for a watched folder: killed anywhere and started again, the store holds what an undisturbed watch would have."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from flyball import durable
from flyball.runtime import landing
from flyball.runtime.store import Store

WATCHED = """
import os, signal, sys
from flyball import durable
from flyball.runtime import landing
from flyball.runtime.store import Store
sys.path.insert(0, {tests!r})
import conftest
os.fsync = lambda handle: None
left = [{after}]
def kill(operation, path):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
store = Store.open({folder!r}, conftest.FLEET)
durable.hook = kill
watch = landing.Watch(store, landing.Folder(__import__("pathlib").Path({inbox!r}), settled_s=0.0), lot=1500)
list(watch.once())
"""


def watched(folder, inbox, fleet):
    """Watch until nothing is left: every lot is its own commit."""
    watch = landing.Watch(Store.open(folder, fleet), landing.Folder(inbox, settled_s=0.0), lot=1500)
    list(watch.once())
    return watch


@pytest.fixture
def several(inbox):
    """The inbox, and corrections of one fact that claim the same knowledge: only their order tells which holds."""
    for number in range(4):
        path = inbox / "telemetry" / f"{9 - number}.csv"
        path.write_text(f"machine,at,power,pulses\nm1,2025-01-01T00:00:00,{number},1\n")
    return inbox


@pytest.mark.slow
def test_killed_again_and_again_the_store_is_as_if_nothing_happened(tmp_path, fleet, several, content):
    whole = watched(tmp_path / "whole", several, fleet)
    assert whole.total.commits >= 3
    undisturbed = content(whole.store)
    folder, killed = tmp_path / "store", 0
    for after in (3, 12, 45, 70):
        script = textwrap.dedent(WATCHED).format(
            tests=os.path.dirname(__file__), after=after, folder=str(folder), inbox=str(several)
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        killed += done.returncode == -signal.SIGKILL
    assert killed >= 3
    again = watched(folder, several, fleet)
    assert content(again.store) == undisturbed
    assert again.total.known > 0, "nothing was committed before the last kill"


def test_killed_at_every_step_of_a_lot_the_next_watch_ends_in_the_same_place(
    tmp_path, fleet, several, content
):
    undisturbed = content(watched(tmp_path / "whole", several, fleet).store)

    class Killed(BaseException):
        """What no handler takes for an error."""

    step, ended = 2, False
    while not ended:
        folder, left = tmp_path / f"store-{step}", iter(range(10**6))
        store = Store.open(folder, fleet)

        def kill(operation, path, left=left, step=step):
            if next(left) >= step:
                raise Killed

        durable.hook = kill
        try:
            list(landing.Watch(store, landing.Folder(several, settled_s=0.0), lot=1500).once())
            ended = True
        except Killed:
            pass
        finally:
            durable.hook = None
        assert content(watched(folder, several, fleet).store) == undisturbed, step
        step += 29
    assert step > 60


def test_sabotage_taken_by_name_corrections_end_otherwise(tmp_path, fleet, several, content, monkeypatch):
    """What the order decides is in the inbox: the tests above would notice an order that a kill changes."""
    undisturbed = content(watched(tmp_path / "whole", several, fleet).store)
    monkeypatch.setattr(
        landing, "sorted", lambda found: sorted(found, key=lambda seen: seen.name), raising=False
    )
    assert content(watched(tmp_path / "store", several, fleet).store) != undisturbed
