from flyball.runtime import feed
from flyball.torture import load


def test_drops_that_are_not_counted_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("FLYBALL_LOAD_S", "1")
    monkeypatch.setattr(feed.Feed, "_drop", lambda self: None)
    assert "the sum is wrong" in load.floods("oldest", 1, tmp_path).why


def test_a_queue_without_an_end_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("FLYBALL_LOAD_S", "1")
    real = feed.Feed.__init__

    def endless(self, intake, waiting=0, batch=64, done=None):
        real(self, intake, 2**40, batch, done)

    monkeypatch.setattr(feed.Feed, "__init__", endless)
    assert not load.floods("oldest", 1, tmp_path).passed


def test_how_long_it_lasts_is_said_by_the_environment(monkeypatch):
    monkeypatch.delenv("FLYBALL_LOAD_S", raising=False)
    assert load.seconds() == 4
    monkeypatch.setenv("FLYBALL_LOAD_S", "600")
    assert load.seconds() == 600
