import os
import resource
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from flyball import errors
from flyball.site import answering, scorer, wire
from flyball.torture import small


@pytest.fixture
def served(releases, monkeypatch):
    """Serve a release in a thread: `served(name)` gives the agent's end, and the codes it ended with."""
    monkeypatch.setattr(answering, "_bounded", lambda: None)
    threads = []

    def start(name, digest=None):
        ours, theirs = socket.socketpair()
        ours.settimeout(10)
        codes = []

        def go():
            with theirs:
                codes.append(
                    answering.serve(releases[name], digest or releases[name].name, wire.Channel(theirs))
                )

        threads.append((threading.Thread(target=go), ours))
        threads[-1][0].start()
        return wire.Channel(ours), codes, threads[-1][0]

    yield start
    for thread, ours in threads:
        ours.close()
        thread.join()


def test_it_answers_until_the_agent_hangs_up(served):
    channel, codes, thread = served("one")
    assert channel.receive().kind == wire.Kind.READY
    channel.send(wire.Kind.ASK, 3, *wire.write_matrix(small.matrix(5)))
    channel.send(wire.Kind.READY, 4)
    channel.send(wire.Kind.ASK, 5, b"{}")
    channel.send(wire.Kind.CHECK, 6)
    found = [channel.receive() for _ in range(4)]
    assert [frame.number for frame in found] == [3, 4, 5, 6]
    assert [frame.kind.name for frame in found] == ["ANSWER", "FAILED", "FAILED", "CHECKED"]
    assert len(wire.read_answer(found[0])) == 5
    assert "is no question" in wire.heard(found[1].description)["why"]
    channel.end.close()
    thread.join()
    assert codes == [0]


@pytest.mark.parametrize(
    ("name", "digest", "code", "trust"), [("broken", None, 3, False), ("one", "0" * 64, 5, True)]
)
def test_what_cannot_be_loaded_is_refused_with_the_reason(served, name, digest, code, trust):
    channel, codes, thread = served(name, digest)
    frame = channel.receive()
    thread.join()
    assert frame.kind == wire.Kind.REFUSED and codes == [code]
    assert wire.heard(frame.description)["trust"] is trust


def test_an_error_of_a_library_is_told_by_its_kind_and_not_at_length():
    assert answering._why(ValueError("a\nb" + "c" * 9999)) == "ValueError: a b" + "c" * 497
    assert answering._why(errors.DataError("what, where")) == "what, where"


def test_a_check_stops_when_its_time_is_up(releases, monkeypatch):
    monkeypatch.setattr(answering, "CHECK_S", 0.05)
    held = scorer.Scorer(releases["one"])
    quick = answering.checked(held, held.golden())
    answer = held.answer
    monkeypatch.setattr(held, "answer", lambda x: (time.sleep(0.02), answer(x))[1])
    told = answering.checked(held, held.golden())
    assert 1 <= told["asked"] <= 4 and not told["complete"] and told["p50_ms"] >= 20
    assert max(quick["golden_error"], told["golden_error"]) < 1e-9


def test_a_wrong_answer_is_told_however_many_were_asked(releases):
    held = scorer.Scorer(releases["wrong"])
    assert answering.checked(held, held.golden())["golden_error"] == pytest.approx(0.25)
    x, answers, source = held.golden()
    answers = answers - 0.25
    answers[7] = np.nan
    assert answering.checked(held, (x, answers, source))["golden_error"] == np.inf


def test_a_scorer_takes_from_itself_what_it_never_needs(tmp_path):
    code = (
        "import os, resource, sys\nfrom flyball.site import answering\nanswering._bounded()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "try:\n    open(sys.argv[1], 'wb').write(bytes(2**20))\nexcept OSError as error:\n    print(error.strerror)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["(0, 0) 256", os.strerror(27)]
    assert (tmp_path / "big").stat().st_size <= answering.LAST_WORDS
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
