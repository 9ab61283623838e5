import json
import shutil

import pytest

from flyball import errors, features, monitoring, part, units
from flyball.cli import main
from flyball.feedback import stage
from flyball.runtime import alerts, loop, run
from flyball.runtime.store import Store

WHO = "m.jansen"


@pytest.fixture
def fleet(daily, tmp_path, quick):
    """Pumps that send day by day, with a loop that trains once; `send(until)` and `round()`."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    columns = (features.Rolling("telemetry.vibration", over=units.days(3), by="mean"),)
    page = part.replace(
        daily.page,
        features=part.replace(daily.page.features, columns=columns),
        monitoring=monitoring.Watch(),
    )

    class Fleet:
        bound = run.Bound(tmp_path / "store", inbox)

        def send(self, until):
            for day in list(daily.files)[:until]:
                for file in daily.files[day]:
                    shutil.copy(file, inbox / f"{file.parent.name}-{file.name}")

        def round(self):
            return loop.once(page, self.bound)

        def store(self):
            return Store.open(self.bound.store, page.data)

    found = Fleet()
    found.page = page
    for until in (45, 47):
        found.send(until)
        found.round()
    return found


def test_an_alert_lives_from_what_raised_it_to_a_label_that_is_left_out(fleet, capsys):
    kept = fleet.store()
    raised = alerts.lives(kept)
    # Two a day at most, none twice within the week.
    assert 1 <= len(raised) <= 6 and len({one.key for one in raised}) == len(raised)
    one = raised[0]
    assert one.state == "open" and one.because[0][0] == "telemetry.vibration.mean.3d" and one.release
    assert one.because[0][1] > one.because[0][2] and one.because[0][3] > 0

    at = kept.horizon()
    alerts.do(kept, one.id[:6], "order", WHO, order="WO-7", now=at)
    after = alerts.do(kept, one.id, "act", WHO, at=one.moment + int(units.hours(6)), now=at)
    assert after.state == "acted" and after.order == "WO-7"
    with pytest.raises(errors.DeclarationError, match="is acted: it cannot be 'snooze'"):
        alerts.do(kept, one.id, "snooze", WHO, until=at * 2, now=at)
    # What was known at a cut before the act was told is what was known then.
    assert alerts.lives(kept, at - 1)[0].state == "open"

    fleet.send(52)
    told = fleet.round()
    assert told["outcomes"].get("censored")
    mine = fleet.store().frame("outcomes")
    mine = mine.filter((mine["key"] == one.key) & (mine["at"] == one.moment))
    assert mine["state"].to_list()[-1] == "censored"

    with pytest.raises(SystemExit):
        main(["alerts", "--store", str(fleet.bound.store), "--all", "--json"])
    shown = {alert["id"]: alert for alert in json.loads(capsys.readouterr().out)["alerts"]}
    assert shown[one.id]["state"] == "acted" and [done["act"] for done in shown[one.id]["acts"]] == [
        "order",
        "act",
    ]


def test_a_round_that_is_gone_round_again_raises_nothing_twice(fleet, monkeypatch):
    before = alerts.lives(fleet.store())
    fleet.send(48)
    state = fleet.store().state(alerts.STATE)
    fleet.round()
    new = alerts.lives(fleet.store())
    # As if it had been killed before it wrote down up to where it had decided.
    fleet.store().state(alerts.STATE, state)
    fleet.send(49)
    fleet.round()
    again = alerts.lives(fleet.store())
    assert {one.id for one in before} <= {one.id for one in new} <= {one.id for one in again}
    assert len({one.id for one in again}) == len(again)
    assert max(one.moment for one in again) > max(one.moment for one in new) or len(again) == len(new)


def test_what_cannot_be_and_what_was_known(fleet):
    kept = fleet.store()
    with pytest.raises(errors.DataError, match="no alert 'zz'"):
        alerts.do(kept, "zz", "ack", WHO)
    one = alerts.lives(kept)[0]
    alerts.do(kept, one.id, "ack", WHO)
    # Somebody else was faster: their act has this number.
    stale = Store.open(fleet.bound.store, fleet.page.data)
    real = alerts.one
    try:
        alerts.one = lambda kept_, which: one
        with pytest.raises(errors.DataError, match="changed by somebody else"):
            alerts.do(stale, one.id, "ack", WHO)
    finally:
        alerts.one = real
    # A digest of acts is of what was known at the cut.
    at = alerts.one(kept, one.id).acts[-1].seen
    alerts.do(kept, one.id, "act", WHO, at=one.moment, now=at + 1)
    alerts.do(kept, one.id, "found", WHO, at=one.moment, now=at + 9)
    rows = alerts.acts(kept)
    assert alerts.digest(rows, at) == "" and alerts.digest(rows, at + 1) != alerts.digest(rows, at + 9)
    assert rows.known(at + 9).floats("found").tolist() == [1.0]


def test_a_work_order_ends_the_alert_that_it_was_opened_for_once_and_corrections_count(fleet):
    kept = fleet.store()
    first, second, *_ = alerts.lives(kept)
    at = kept.horizon()
    for alert, number in ((first, "WO-1"), (second, "WO-2")):
        alerts.do(kept, alert.id, "order", WHO, order=number, now=at)
    hour = int(units.hours(1))
    done = [
        stage.Order("WO-1", first.moment + 5 * hour, at + hour, True),
        stage.Order("WO-2", second.moment - hour, at + hour, True),  # before it was asked: of something else
        stage.Order("WO-9", at, at + hour, True),
    ]
    assert alerts.ended(kept, done, at + hour) == 1
    one = alerts.one(kept, first.id)
    assert (one.state, one.found, one.acted_at) == ("found", True, first.moment + 5 * hour)
    assert [(act.act, act.who) for act in one.acts[1:]] == [
        ("act", "work order WO-1"),
        ("found", "work order WO-1"),
    ]
    assert alerts.one(kept, second.id).state == "ordered"
    # The same orders again, as in every later round: nothing is told twice.
    assert alerts.ended(fleet.store(), done, at + 2 * hour) == 0
    corrected = [stage.Order("WO-1", first.moment + 5 * hour, at + 3 * hour, False)]
    assert alerts.ended(kept, corrected, at + 3 * hour) == 1
    assert (
        alerts.one(kept, first.id).state == "not found" and alerts.ended(kept, corrected, at + 4 * hour) == 0
    )


def test_whoever_was_killed_between_the_act_and_what_was_found_goes_on(fleet, monkeypatch):
    kept = fleet.store()
    one = alerts.lives(kept)[0]
    at = kept.horizon()
    alerts.do(kept, one.id, "order", WHO, order="WO-1", now=at)
    order = [stage.Order("WO-1", one.moment + 1, at, True)]
    real, did = alerts.do, []

    def killed(kept_, which, act, *rest, **more):
        if act == "found" and not did:
            did.append(act)
            raise KeyboardInterrupt
        return real(kept_, which, act, *rest, **more)

    monkeypatch.setattr(alerts, "do", killed)
    with pytest.raises(KeyboardInterrupt):
        alerts.ended(kept, order, at)
    assert alerts.one(kept, one.id).state == "acted"
    assert alerts.ended(fleet.store(), order, at) == 1
    assert [act.act for act in alerts.one(fleet.store(), one.id).acts] == ["order", "act", "found"]
