from flyball.torture import serving


def test_a_bad_release_never_stays(tmp_path):
    """R28"""
    told = serving.bad(1, tmp_path)
    assert told.passed, told.why
    assert told.recovery_s < serving.TOLD_S


def test_a_health_check_that_lets_all_through_is_noticed(tmp_path):
    # With this seed the wrong one is offered first.
    told = serving.bad(2, tmp_path, "no limits")
    assert not told.passed and told.why == "wrong: it was let through"


def test_reloads_leave_nothing_behind(tmp_path, monkeypatch):
    """R29, a few of them; FLYBALL_RELOADS=1000 holds the whole promise."""
    monkeypatch.setenv("FLYBALL_RELOADS", "12")
    told = serving.reloaded(1, tmp_path)
    assert told.passed, told.why


def test_a_leak_at_each_reload_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("FLYBALL_RELOADS", "4")
    told = serving.reloaded(1, tmp_path, "leak")
    assert not told.passed and "memory grew" in told.why


def test_reloads_that_end_in_an_error_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "_RELOADS", "raise SystemExit('no memory left')")
    assert "no memory left" in serving.reloaded(1, tmp_path).why


def test_a_killed_scorer_is_back_and_whoever_asked_is_told(tmp_path):
    """R31"""
    told = [serving.killed(1, tmp_path / "0")]
    # It takes a quarter of a second of a core; where others have the cores, it is tried again.
    while not told[-1].passed and "no answer" in told[-1].why and len(told) < 3:
        told.append(serving.killed(1, tmp_path / str(len(told))))
    assert told[-1].passed, [one.why for one in told]
    assert 0 < told[-1].recovery_s < serving.BACK_S


def test_a_scorer_that_is_not_started_again_is_noticed(tmp_path):
    told = serving.killed(1, tmp_path, "not again")
    assert not told.passed and "no answer" in told.why


def test_every_row_of_answering_is_tried():
    assert [trial.row for trial in serving.TRIALS] == ["R27", "R28", "R29", "R31"]
