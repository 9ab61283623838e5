import pytest

from flyball import errors
from flyball.torture import trial


def test_rows_add_up_and_name_the_seeds_that_failed():
    def run(seed, folder):
        assert list(folder.iterdir()) == []
        (folder / "x").write_text("x")
        return trial.Told(seed % 2 == 0, seed / 10, seed, f"why {seed}")

    (row,) = trial.held([trial.Trial("R0", "a fault", run)], [0, 1, 2, 3])
    assert (row["run"], row["passed"], row["seeds"]) == (4, 2, [0, 1, 2, 3])
    (some,) = trial.held([trial.Trial("R0", "a fault", run, 3)], [0, 1, 2, 3])
    assert some["seeds"] == [0, 3] and some["failed"] == {3: "why 3"}
    assert row["failed"] == {1: "why 1", 3: "why 3"}
    assert row["worst_recovery_s"] == 0.3 and row["acknowledged_bytes_lost"] == 6


def test_a_trial_that_raises_has_failed_and_its_folder_is_gone():
    seen = []

    def run(seed, folder):
        seen.append(folder)
        raise ValueError("broken")

    told = trial.tried(trial.Trial("R0", "a fault", run), 7)
    assert not told.passed and told.why == "ValueError: broken" and not seen[0].exists()


def test_what_is_missing_here_is_said_and_no_failure():
    def run(seed, folder):
        raise errors.MissingExtraError("no compiler")

    with pytest.raises(errors.MissingExtraError):
        trial.tried(trial.Trial("R0", "a fault", run), 7)


def test_the_table_for_people():
    rows = trial.held([trial.Trial("R0", "a fault", lambda seed, folder: trial.Told(seed == 1))], [1, 2])
    open_ = [trial.Open("R9", "later", "not built")._asdict()]
    text = "\n".join(trial.lines({"rows": rows, "open": open_}))
    assert "R0 a fault: 1 of 2 FAILED" in text and "seed 2: the promise was not kept" in text
    assert "R9 later: open, not built" in text
