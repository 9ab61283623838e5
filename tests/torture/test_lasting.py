from flyball.runtime import journal, runs
from flyball.torture import lasting, warm, work


def test_a_store_that_keeps_nothing_back_for_what_serves_is_noticed(tmp_path):
    told = lasting.endless(1, tmp_path, "live")
    assert not told.passed and "need them" in told.why


def test_a_run_that_nobody_marks_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_alive", lambda told, path: True)
    assert "states" in lasting.orphans(1, tmp_path).why


def test_rows_that_one_of_eight_writers_lost_are_noticed(tmp_path, monkeypatch):
    real = work.content

    def lossy(folder):
        told = real(folder)
        return {**told, "lots": {**told["lots"], "lot-003": 3}} if folder.name == "store" else told

    monkeypatch.setattr(work, "content", lossy)
    monkeypatch.setattr(lasting, "WRITERS", 4)
    assert "'lot-003': 3" in lasting.writers(1, tmp_path).why


def test_a_flip_that_nobody_tells_is_noticed(tmp_path, monkeypatch):
    real = warm.Warm.content

    def trusting(self, store, hurt=False):
        told = real(self, store, hurt)
        return {**told, "error": "", "digest": f"of {told['error']}"} if told["error"] else told

    monkeypatch.setattr(warm.Warm, "content", trusting)
    assert "were not told" in lasting.rots(1, tmp_path).why


def test_a_disk_that_refuses_and_is_not_told_is_noticed(tmp_path, monkeypatch):
    real = warm.Warm.go

    def quiet(self, store, inbox, trace=None):
        told = real(self, store, inbox, trace)
        return {**told, "error": ""} if "store" in store.name else told

    monkeypatch.setattr(warm.Warm, "go", quiet)
    assert "not told" in lasting.refuses(30, "make the folder writable", 1, tmp_path).why
    assert journal.LOOKS > 1
