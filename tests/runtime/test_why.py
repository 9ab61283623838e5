import shutil

import pytest

from flyball import audit, errors
from flyball.runtime import alarms, look, store, why


@pytest.fixture
def copy(pumps, tmp_path):
    """A store of one's own to change."""
    return shutil.copytree(pumps.store, tmp_path / "store")


def test_why_a_release(pumps):
    told = why.why(pumps.store, "release")
    assert told["release"] == pumps.result.release
    assert told["page"] == pumps.result.page.fingerprint()
    assert told["data"]["files"] == 2
    assert told["contest"]["challenger"]["average_precision"]
    assert all(verdict["passed"] for verdict in told["verdicts"])


def test_a_release_that_answers_no_more_says_what_it_was(copy, pumps):
    kept = look.opened(copy)
    old = copy / "releases" / ("ab" * 32)
    shutil.copytree(copy / "releases" / pumps.result.release, old)
    told = why.why(copy, "abab" * 4)
    assert (told["release"], told["answers_now"]) == (old.name, False)
    assert told["verdicts"] and all(verdict["passed"] for verdict in told["verdicts"])
    assert "not the one that answers" in told["words"][0] and list(why.lines(told))
    shutil.copytree(old, copy / "releases" / ("ab" * 31 + "cd"))
    with pytest.raises(errors.DataError, match="2 releases begin so"):
        why.why(copy, "ababab")
    assert kept.folder == copy


def test_a_release_says_how_far_it_got_and_an_audit_that_was_changed_says_so(copy, pumps):
    (copy / "fleet" / "controller").mkdir(parents=True)
    log = audit.Audit(copy / "fleet" / "controller" / "audit.jsonl")
    for act, reason in (("shadow", "first"), ("rollback", "slow answers on EUV-B")):
        log.append(act, {"release": pumps.result.release, "why": reason})
    told = why.why(copy, "release")
    assert [one["act"] for one in told["rollout"]] == ["shadow", "rollback"]
    assert any("slow answers on EUV-B" in word for word in told["words"])
    log.path.write_bytes(log.path.read_bytes().replace(b"slow", b"fast"))
    with pytest.raises(errors.TamperedError):
        why.why(copy, "release")


def test_what_a_loop_sent_to_a_fleet_of_its_own_is_told_too(copy, pumps, tmp_path):
    place = tmp_path / "fleet" / "controller"
    place.mkdir(parents=True)
    audit.Audit(place / "audit.jsonl").append("shipped", {"release": pumps.result.release, "stage": "shadow"})
    assert why.rollout(copy, pumps.result.release) == []
    look.opened(copy).state("fleet", {"folder": str(place.parent)})
    assert [one["stage"] for one in why.rollout(copy, pumps.result.release)] == ["shadow"]


DRIFT = {
    "detector": "drift", "at": 2000, "since": 500, "statistic": 0.4, "limit": 0.2, "why": "x PSI",
    "columns": ["x", "y"], "machines": ["m03"], "cause": "sensor", "sure": 0.01,
}  # fmt: skip


def test_why_an_alarm_tells_which_columns_and_machines_since_when(copy):
    kept = store.Store.open(copy, look.opened(copy).fleet)
    other = {
        **DRIFT,
        "detector": "PageHinkley(log_loss)",
        "since": None,
        "at": 900,
        "columns": [],
        "machines": [],
        "why": "the mean rose",
    }
    kept.state(
        "watch", {"alarms": [DRIFT, {**DRIFT, "at": 3000}, other], "columns": [], "retrain": "alarm: drift"}
    )
    told = why.why(copy, "alarm")
    first, second = told["alarms"]
    assert (first["detector"], first["since"]) == ("PageHinkley(log_loss)", 900)
    assert (second["since"], second["at"], second["times"], second["machines"]) == (500, 3000, 2, ["m03"])
    assert any("a sensor is likely to be broken" in word and "m03" in word for word in told["words"])
    assert told["words"][-1] == "train again: alarm: drift"
    (one,) = why.why(copy, alarms.named(DRIFT))["alarms"]
    assert one == second == why.why(copy, "drift")["alarms"][0]
    assert "columns, worst first: x, y" in "".join(why.lines(told))
    assert why.why(copy, "m03")["alarms"] == [alarms.named(DRIFT)]


def test_no_alarm_is_told_as_such(copy):
    kept = store.Store.open(copy, look.opened(copy).fleet)
    kept.state("watch", {"alarms": [], "columns": [], "retrain": ""})
    assert why.why(copy, "alarm")["words"] == ["no alarm: everything watched lies within its limits"]


def test_why_a_machine_is_answered_as_it_is(pumps):
    told = why.why(pumps.store, "m03")
    assert told["answers"][-1]["release"] == pumps.result.release
    assert 1 <= told["rank"] <= told["among"] == 12
    assert told["features"]
    ranks = sorted(why.why(pumps.store, f"m{number:02d}")["rank"] for number in range(12))
    assert ranks == list(range(1, 13))


def test_the_most_worn_machine_stands_out_by_its_vibration(pumps):
    every = [why.why(pumps.store, f"m{number:02d}") for number in range(12)]
    worst = next(told for told in every if told["rank"] == 1)
    assert worst["features"][0]["feature"].startswith("telemetry.vibration")
    assert worst["features"][0]["away"] > 0.5


def test_a_machine_nobody_asked_about(pumps):
    with pytest.raises(errors.DataError, match="no answer about 'm33': did you mean 'm03'"):
        why.why(pumps.store, "m33")
