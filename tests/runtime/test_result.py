import json

from flyball import evidence


def test_a_run_is_one_json_object_with_what_was_promised(pumps):
    told = json.loads(json.dumps(pumps.result.json(), allow_nan=False, default=str))
    assert told["system"] == "pumps"
    assert told["fingerprint"] == pumps.result.page.fingerprint()
    assert {"name", "key", "seconds", "reused"} == set(told["steps"][0])
    assert set(told["contest"]) == {"baseline", "challenger", "ceiling", "peers"}
    for figures in (
        told["contest"]["baseline"],
        told["contest"]["challenger"],
        told["rolling"]["challenger"],
    ):
        assert set(figures) == {"average_precision", "log_loss"}
        assert all(low <= value <= high for value, low, high in figures.values())
    assert told["contest"]["ceiling"] is None
    assert {"gate", "figure", "limit", "passed"} <= set(told["verdicts"][0])
    assert all(verdict["passed"] for verdict in told["verdicts"])
    assert (pumps.store / "releases" / told["release"] / "manifest.json").is_file()
    assert "alarms" in told["watch"]
    rows = told["rows"]
    assert rows["train"] + rows["test"] <= rows["asked"]


def test_the_variant_shown_is_the_one_that_ships_else_the_cheapest(pumps):
    found = pumps.result
    shown = found.release_variant()
    assert shown is not None
    assert shown.digest == found.release
    assert [verdict["gate"] for verdict in found.json()["verdicts"]] == [
        verdict.gate for verdict in shown.verdicts
    ]
    assert all(isinstance(verdict, evidence.Verdict) for verdict in shown.verdicts)


def test_who_took_part(pumps):
    assert pumps.result.contestants() == ["baseline", "challenger"]
