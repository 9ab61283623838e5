import json

import pytest

from flyball import cli, errors
from flyball.torture import ingest, trial


def test_every_row_of_the_list_is_tried_or_open():
    tried, left = {one.row for one in ingest.TRIALS}, {one.row for one in ingest.OPEN}
    assert not tried & left
    assert {f"R{n}" for n in (*range(1, 20), 21, 22, 23)} <= tried | left


def test_a_row_that_is_open_or_unknown_is_told():
    with pytest.raises(errors.DeclarationError, match=r"R17 \(malformed STDF\) is open"):
        ingest.table([0], ["R17"])
    with pytest.raises(errors.DeclarationError, match="did you mean"):
        ingest.table([0], ["R11x"])


def test_the_command_prints_the_table_and_exits_1_when_a_promise_was_not_kept(monkeypatch, capsys, tmp_path):
    def run(seed, folder):
        return trial.Told(seed != 5, 0.25, 3 if seed == 5 else 0, "lost" if seed == 5 else "")

    monkeypatch.setattr(
        ingest, "TRIALS", (trial.Trial("R1", "a fault", run), trial.Trial("R2", "other", run))
    )
    for options, code, rows in (
        (["--json"], 0, 2), (["--json", "--row", "R2"], 0, 1), (["--json", "--seed", "5"], 1, 2),
        (["--json", "--tier", "minutes", "--out", str(tmp_path / "t.json")], 1, 2),
    ):  # fmt: skip
        with pytest.raises(SystemExit) as done:
            cli.main(["torture", "ingest", *options])
        told = json.loads(capsys.readouterr().out)
        assert done.value.code == code and len(told["rows"]) == rows
        assert {
            "row",
            "fault",
            "run",
            "passed",
            "seeds",
            "worst_recovery_s",
            "acknowledged_bytes_lost",
        } <= set(told["rows"][0])
    assert json.loads((tmp_path / "t.json").read_text())["rows"][0]["run"] == 32
    assert told["rows"][0]["failed"] == {"5": "lost"} and told["rows"][0]["acknowledged_bytes_lost"] == 3
    for wrong in (["ingset"], ["ingest", "--tier", "weeks"]):
        with pytest.raises(SystemExit) as done:
            cli.main(["torture", *wrong])
        assert done.value.code == 2
