import json
import urllib.request

import pytest

from flyball import errors
from flyball.cli import telling

ALARM = {
    "detector": "drift",
    "at": 5,
    "since": 3,
    "statistic": 0.4,
    "limit": 0.1,
    "columns": ["x"],
    "why": "x",
}


def round_(*raised):
    return {"release": "ab" * 32, "watch": {"alarms": list(raised)}, "arrived": {}}


def test_a_round_is_told_to_a_file_and_to_prometheus(tmp_path):
    file, gauges = tmp_path / "alarms.json", tmp_path / "flyball.prom"
    with telling.Outlets("pumps", tmp_path / "store", [str(file)], str(gauges), 60.0) as outlets:
        assert outlets.round(round_(ALARM)) == []
        (told,) = json.loads(file.read_text())
        assert told["labels"]["system"] == "pumps" and 'detector="drift"' in gauges.read_text()
        assert outlets.round(round_()) == []
    assert json.loads(file.read_text()) == [] and 'detector="drift"' not in gauges.read_text()


def test_gauges_are_scraped_until_the_loop_ends(tmp_path):
    with telling.Outlets("pumps", tmp_path, [], "0", 60.0) as outlets:
        outlets.round(round_(ALARM))
        with urllib.request.urlopen(outlets.listens) as reply:
            assert b"flyball_alarms" in reply.read()
    with pytest.raises(OSError):
        urllib.request.urlopen(outlets.listens, timeout=1)


def test_a_webhook_that_was_told_is_not_called_again_and_one_that_was_not_is(tmp_path, monkeypatch):
    from flyball.runtime import alarms

    told = []
    monkeypatch.setattr(
        alarms, "tell", lambda *asked: told.append(asked) or ("down" if len(told) == 1 else "")
    )
    with telling.Outlets("pumps", tmp_path / "store", ["http://nowhere/hook"], None, 60.0) as outlets:
        assert outlets.round(round_(ALARM)) == ["down"]
        assert outlets.round(round_(ALARM)) == [] == outlets.round(round_(ALARM))
        assert len(told) == 2
        outlets.round(round_())
        assert len(told) == 3


def test_a_place_for_gauges_that_is_no_port_and_no_file_is_refused(tmp_path):
    with pytest.raises(errors.DeclarationError, match="prom"):
        telling.Outlets("pumps", tmp_path, [], "somewhere", 60.0)
