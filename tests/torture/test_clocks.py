from flyball.data.formats import cells, judge
from flyball.torture import clocks


def test_an_hour_that_is_there_twice_and_not_told_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "twice", lambda at, zone: 0)
    assert clocks.summer(1, tmp_path).why == "October is not told"


def test_a_clock_that_nobody_doubts_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "EARLIEST", -(2**62))
    monkeypatch.setattr(judge, "AHEAD", 2**61)
    assert not clocks.jumps(1, tmp_path / "a").passed
