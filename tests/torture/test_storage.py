import pytest

from flyball.torture import layer, storage, warm, work


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Few calls of many: the promise is tried in tests/faults, here whether a broken one is noticed."""
    monkeypatch.setattr(storage, "STRIDE", 48)


def test_an_acknowledgement_before_the_disk_is_noticed(tmp_path):
    told = storage.hit(layer.KILL, 0, 33, tmp_path, "acknowledge")
    assert not told.passed and told.lost_bytes > 0 and "acknowledged and not there" in told.why


def test_a_full_disk_after_an_early_acknowledgement_is_noticed(tmp_path):
    told = storage.full(33, tmp_path, "acknowledge")
    assert not told.passed and told.lost_bytes > 0


def test_a_missing_fsync_is_noticed_by_a_power_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "STRIDE", 12)
    assert not storage.cut(0, tmp_path, "fsync").passed


def test_half_a_lot_and_a_store_that_does_not_go_on_are_noticed(tmp_path):
    bench = storage.Bench(1, tmp_path)
    store = bench.fresh()
    told = {"acknowledged": [], "fault": "", "error": ""}
    assert bench.judge(store, told).passed
    bench.whole = "another"
    assert "going on does not make it whole" in bench.judge(bench.fresh(), told).why
    for file in (store / "frames").glob("*.tar"):
        file.unlink()
    assert "does not open" in bench.judge(store, told).why
    assert bench.judge(store, {**told, "fault": "Traceback"}).why == "Traceback"


def test_a_full_disk_that_is_not_told_as_one_is_noticed(tmp_path, monkeypatch):
    bench = storage.Bench(1, tmp_path)
    monkeypatch.setattr(bench.warm, "go", lambda *given: {"acknowledged": [], "error": "oops", "fault": ""})
    monkeypatch.setattr(bench, "judge", lambda *given, **more: storage.Told(True))
    (tmp_path / "place").mkdir()
    import random
    import shutil
    import types

    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=0))
    told = storage._filled(bench, tmp_path / "place" / "store", random.Random(0))
    assert not told.passed and "not told as one: 'oops'" in told.why


def test_the_worst_of_some_trials():
    found = [("a", storage.Told(True, 1.0, 2)), ("b", storage.Told(False, 0.5, 3, "lost"))]
    assert storage.worst(found) == storage.Told(False, 1.0, 5, "b: lost")
    assert storage.worst([]) == storage.Told(True)
    assert warm.LIMIT_S > storage.OPEN_S and work.WHOLE != work.FILES
