import os
import signal
import time

import pytest

from flyball import errors, model, part
from flyball.site import host as hosts
from flyball.site.host import Answering
from flyball.systems.scanner.page import system
from flyball.torture import small
from flyball.units import MiB, ms


def held_to(*gates):
    return part.replace(system, model=part.replace(system.model, gates=gates))


@pytest.fixture
def host():
    made = Answering(apart=0.0001)
    yield made
    made.close()


def test_the_shadow_is_asked_compared_and_never_returned(host, tmp_path):
    x = small.matrix(4)
    one, two = (small.made(tmp_path / name, "logistic", seed) for name, seed in (("one", 1), ("two", 2)))
    host.switch(one, one.name)
    alone = host.answer(x).tolist()
    host.counts()
    host.shadow(two, two.name)
    assert host.answer(x).tolist() == alone
    counts = host.counts()
    assert counts[one.name] == {"answers": 4, "slow": 0}
    assert counts[two.name]["answers"] == 4 and counts[two.name]["disagreed"] > 0
    assert host.counts() == {}
    both = host.ask(x)
    assert (
        both.beside == two.name and both.shadow is not None and both.shadow.tolist() != both.served.tolist()
    )
    host.counts()
    host.shadow(None, "")
    host.answer(x)
    assert two.name not in host.counts()


def test_what_an_endpoint_asks_is_asked_of_the_shadow_after_it_was_answered(host, tmp_path, monkeypatch):
    x = small.matrix(4)
    one, two = (small.made(tmp_path / name, "logistic", seed) for name, seed in (("one", 1), ("two", 2)))
    host.switch(one, one.name)
    host.shadow(two, two.name)
    alone = host.router.answer(x)
    assert host.settle()
    counts = host.counts()
    assert counts[one.name]["answers"] == 4
    assert counts[two.name]["answers"] == 4 and counts[two.name]["disagreed"] > 0
    monkeypatch.setattr(hosts, "MOST_WAITING", 0)
    assert host.router.answer(x).tolist() == alone.tolist()
    assert host.settle() and host.counts()[two.name] == {"unmirrored": 4}


def test_a_shadow_that_hangs_holds_up_nobody_who_asks(host, tmp_path, monkeypatch):
    x = small.matrix(1)
    one, two = (small.made(tmp_path / name, "logistic", seed) for name, seed in (("one", 1), ("two", 2)))
    host.switch(one, one.name)
    host.shadow(two, two.name)
    monkeypatch.setattr(hosts, "SHADOW_S", 0.3)
    os.kill(host._beside.current.pid, signal.SIGSTOP)
    begun = time.monotonic()
    host.router.answer(x)
    assert time.monotonic() - begun < 0.25
    os.kill(host._beside.current.pid, signal.SIGCONT)
    assert host.settle()


def test_the_limits_of_the_releases_own_page_are_held(host, tmp_path):
    x = small.matrix(4)
    page = held_to(model.Latency(p99=ms(50)), model.Memory(MiB(500)), model.Physics(high=0.0))
    one = small.made(tmp_path / "one", "logistic", 1, page=page)
    host.switch(one, one.name)
    assert (host.router.limits.p99_ms, host.router.limits.resident_bytes) == (50.0, 500 * 2**20)
    host.router.answer(x)
    assert host.settle() and host.counts()[one.name]["violations"] == 4
    two = small.made(
        tmp_path / "two",
        "logistic",
        2,
        page=part.replace(page, model=part.replace(page.model, gates=(model.Memory(MiB(1)),))),
    )
    with pytest.raises(errors.RolloutError, match="resident"):
        host.switch(two, two.name)
    assert host.router.limits.p99_ms == 50.0 and host.router.digest == one.name


def test_before_the_first_release_serves_the_shadow_is_held_against_the_baseline_it_brought(host, tmp_path):
    x = small.matrix(4)
    rule = small.made(tmp_path / "rule", "logistic", 1)
    first = small.made(tmp_path / "first", "logistic", 2, page=system, baseline=rule)
    host.shadow(first, first.name)
    both = host.ask(x)
    assert (host.digest(), both.digest, both.beside) == ("", "", first.name)
    assert both.shadow.tolist() != both.served.tolist() and host.page() == system
    host.switch(first, first.name)
    assert host.ask(x).digest == first.name


def test_a_shadow_that_cannot_be_loaded_leaves_what_serves(host, tmp_path):
    x = small.matrix(1)
    one = small.made(tmp_path / "one", "logistic", 1)
    host.switch(one, one.name)
    with pytest.raises(errors.FlyballError):
        host.shadow(small.made(tmp_path / "two", "logistic", 2, broken=True), "ab" * 32)
    assert len(host.answer(x)) == 1 and host.failed() == ""
