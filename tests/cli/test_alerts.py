"""What is typed about an alert; what comes of it in the store is tried in tests/runtime/test_alerts.py."""

import json

import pytest

from flyball import data, evidence
from flyball.cli import main
from flyball.runtime import alerts
from flyball.runtime.store import Store

DAY = 86_400_000_000
MOMENT = 1_767_225_600_000_000


@pytest.fixture
def store(tmp_path):
    kept = Store.open(
        tmp_path / "store", data.Fleet("machine", data.WallClock(), (data.Table("t", {"x": "number"}),))
    )
    row = dict.fromkeys(alerts.SCHEMA) | {
        "id": alerts.name("m1", MOMENT), "key": "m1", "at": MOMENT, "number": 0, "act": "raised", "who": "",
        "done": MOMENT, "seen": MOMENT, "score": 0.7, "rank": 1, "release": "ab" * 32,
        "because": json.dumps([["x.mean.3d", 3.0, 1.0, 0.8]]),
    }  # fmt: skip
    assert kept.append("alerts", alerts._frame([row]), "alert 1")
    return kept


@pytest.fixture
def typed(store, capsys):
    def say(*words, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["alerts", *words, "--store", str(store.folder)])
        assert ended.value.code == code
        return capsys.readouterr()

    return say


def test_a_life_as_it_is_typed(typed, store):
    which = alerts.name("m1", MOMENT)[:5]
    shown = typed().out
    assert (
        "1 of 1 alert(s)" in shown and "m1: 0.7, open" in shown and "x.mean.3d: 3, usual 1 (+0.80)" in shown
    )
    assert "acknowledged, by a.b" in typed("ack", which, "--who", "a.b").out
    assert "snoozed" in typed("snooze", which, "--until", "2099-01-01").out
    assert "0 of 1" in typed().out and "snoozed" in typed("--all").out
    assert "ordered" in typed("order", which, "WO-9").out
    assert "acted" in typed("act", which, "--at", "2026-01-02T06:00").out
    assert json.loads(typed("not-found", which, "--note", "clean", "--json").out)["found"] is False
    assert json.loads(typed("found", which, "--json").out)["state"] == "found"
    assert "closed" in typed("close", which).out
    found = alerts.lives(store)[0]
    assert found.order == "WO-9" and found.acted_at == MOMENT + DAY + DAY // 4 and len(found.acts) == 7
    assert found.acts[0].who == "a.b" and isinstance(found.acts[0], evidence.Act)


def test_mistakes_are_told_in_a_sentence(typed):
    assert "no alert 'zz'" in typed("ack", "zz", code=3).err
    which = alerts.name("m1", MOMENT)
    assert "it cannot be 'found'" in typed("found", which, code=2).err
    assert "is no time" in typed("snooze", which, "--until", "soon", code=2).err
    assert "before what it is about" in typed("act", which, "--at", "2020-01-01", code=2).err
