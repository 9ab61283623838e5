"""R9: a column that knows the future fails the build, and one whose `seen` is honest does not help."""

import numpy as np
import pytest

from flyball import errors, features, labels, part, units
from flyball.data.formats import judge
from flyball.runtime import contest, leaks, run
from flyball.runtime import run as running
from flyball.runtime.store import Store

DAY = int(units.DAY)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Only what comes before the release is tried here."""
    monkeypatch.setattr(running, "_ship", lambda *rest: ([], None))
    monkeypatch.setattr(running, "_report", lambda *rest: None)
    monkeypatch.setattr(contest, "RESAMPLES", 200)


@pytest.fixture
def planted(daily, tmp_path):
    """A page with a column `ticket` of a table of its own, and its files: `planted(seen)` says when rows are seen."""
    table = features.stage.data.Table("tickets", columns={"ticket": "number"}, time="time")
    page = part.replace(
        daily.page,
        data=part.replace(daily.page.data, tables=(*daily.page.data.tables, table)),
        features=part.replace(
            daily.page.features,
            columns=(*daily.page.features.columns, features.Last("tickets.ticket", at_most=units.days(2))),
        ),
    )
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    rows = [
        line.split(",")
        for day in daily.files.values()
        for file in day
        if file.parent.name == "repairs"
        for line in file.read_text().splitlines()[1:]
    ]
    failed = {(key, time[:10]) for key, time, _ in rows}
    keys = [f"m{number:02d}" for number in range(12)]

    def write(seen, noise=0.0):
        chance = np.random.default_rng(0)
        for files in daily.files.values():
            for file in files:
                (inbox / f"{file.parent.name}-{file.name}").write_bytes(file.read_bytes())
        lines = ["machine,time,seen,ticket"]
        for day in range(60):
            date = np.datetime64("2026-01-01") + day
            for key in keys:
                # The question of the next midnight: does it fail on one of the three days from then on?
                soon = any((key, str(date + ahead)) in failed for ahead in (1, 2, 3))
                lines.append(f"{key},{date}T23:00:00,{seen(date)},{soon + noise * chance.normal():.3f}")
        (inbox / "tickets.csv").write_text("\n".join(lines) + "\n")
        return page, run.Bound(tmp_path / "store", inbox)

    return write


def at_once(date):
    return f"{date}T23:00:00"


def test_a_planted_column_fails_the_build_without_any_known_truth(planted):
    with pytest.raises(
        errors.LeakError, match=r"column 'tickets\.ticket\.last' alone tells .* mend its `seen`"
    ):
        run.run(*planted(at_once))


def test_sabotage_not_looked_at_the_planted_column_wins(planted, monkeypatch):
    monkeypatch.setattr(leaks, "alone", lambda page, x, y: None)
    found = run.run(*planted(at_once))
    assert found.held.measured["challenger.average_precision"].value > 0.95


def test_the_same_column_with_an_honest_seen_is_no_leak_and_no_help(planted):
    found = run.run(*planted(lambda date: f"{date + 5}T00:00:00"))
    assert np.isnan(found.x.columns["tickets.ticket.last"]).all()


def test_a_blurred_leak_is_caught_by_the_ceiling_of_a_simulation(planted):
    from dataclasses import replace

    page, bound = planted(at_once, noise=0.3)
    assert run.run(page, bound).held.measured["challenger.average_precision"].value > 0.7

    def ceiling(moments):
        return np.random.default_rng(0).random(len(moments))

    with pytest.raises(errors.LeakError, match="challenger is better than the ceiling"):
        run.run(page, replace(bound, ceiling=ceiling, ceiling_key="chance"))


def test_rows_seen_before_they_happened_are_set_apart_or_wait_until_they_did(planted):
    page, bound = planted(lambda date: f"{date - 3}T23:00:00")
    store = Store.open(bound.store, page.data)
    receipt = store.ingest([bound.source])
    (why,) = receipt.quarantined["tickets"]
    assert why.startswith("clock: seen more than a day before it happened") and receipt.good["tickets"] == 0
    page, bound = planted(lambda date: f"{date}T12:00:00")
    store.ingest([bound.source])
    rows = store.rows("tickets")
    assert len(rows) and (rows.seen == rows.at).all() and judge.AHEAD == DAY


def test_the_answer_itself_among_the_features_is_a_mistake_of_the_page(daily):
    page = part.replace(
        daily.page,
        labels=labels.Given("telemetry.current", labels.Quantity()),
    )
    assert any("the answer itself is among the features" in str(problem) for problem in page.problems())
