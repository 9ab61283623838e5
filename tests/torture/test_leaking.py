from flyball.torture import leaking


def test_a_column_that_is_not_looked_at_is_learned_from_and_that_is_noticed(tmp_path, monkeypatch):
    from flyball.runtime import run

    monkeypatch.setattr(run, "_ship", lambda *rest: ([], None))
    monkeypatch.setattr(run, "_report", lambda *rest: None)
    told = leaking.planted(1, tmp_path, "look")
    assert told.why == "a column that knows the future was learned from"
