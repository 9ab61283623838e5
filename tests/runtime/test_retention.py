import json
import os
import shutil

import numpy as np
import pytest

from flyball import cli, data, durable, errors, features, part, units
from flyball.runtime import retention, run, runs
from flyball.runtime.intake import Intake
from flyball.runtime.store import Store

COLUMNS = (
    features.Last("telemetry.vibration", at_most=units.days(2)),
    features.Rolling("telemetry.vibration", over=units.days(3), by="mean"),
)
FIRST = 1_767_225_600_000_000  # 2026-01-01
DAY = int(units.DAY)


def keeping(page, **rule):
    return part.replace(page, data=part.replace(page.data, retain=data.Retention(**rule)))


def days(files, since, until):
    return [file for day in list(files)[since:until] for file in files[day]]


def ats(store, table="telemetry"):
    return sorted({int(at - FIRST) // DAY for at in store.rows(table).at})


@pytest.fixture
def page(daily):
    return part.replace(daily.page, features=part.replace(daily.page.features, columns=COLUMNS))


def test_rows_go_by_days_counted_from_the_newest_but_for_tables_that_never_do(page, daily, sent):
    store = sent(keeping(page, rows=units.days(7), never=("repairs",)), days(daily.files, 0, 30))
    assert ats(store) == list(range(22, 30)) and min(ats(store, "repairs")) == 15
    assert retention.since(store) == FIRST + 22 * DAY
    assert not any(int(p.name[:8]) == 0 for p in (store.folder / "tables" / "telemetry").glob("*.parquet"))
    store.ingest(days(daily.files, 30, 31))
    assert ats(store) == list(range(23, 31))


def test_a_row_of_a_day_let_go_of_is_counted_and_not_kept(page, daily, sent, tmp_path):
    store = sent(keeping(page, rows=units.days(7)), days(daily.files, 5, 20))
    told = store.ingest(days(daily.files, 4, 5))
    assert (
        told.let_go["telemetry"] == 12
        and told.good["telemetry"] == 0
        and told.quarantined == {"telemetry": {}}
    )
    assert any("12 of days that are not kept" in line for line in told.lines())
    sources = store.sources()
    balance = sources["sent"] - sources["good"] - sources["quarantined"] - sources["duplicates"]
    assert balance.sum() == 12 and "12 rows of days that are not kept" in "".join(
        sources["note"].drop_nulls()
    )
    assert store.ingest(days(daily.files, 4, 5)).known == 1


def test_what_is_kept_gives_the_features_that_it_gave(page, daily, sent, quick):
    store = sent(page, days(daily.files, 0, 60))
    whole = run.run(page, run.Bound(store.folder))
    for one in (store.folder / "releases").iterdir():
        shutil.rmtree(one)
    small = keeping(page, rows=units.days(40))
    told = Store.open(store.folder, small.data).retain()
    assert told.changed and told.rows["telemetry"] == 12 * 19 and told.held == ""
    shutil.rmtree(store.folder / "steps")
    part_ = run.run(small, run.Bound(store.folder))
    since = retention.since(store) + (3 + 1) * DAY  # the look back and a day
    assert part_.x.moments.at.min() == since
    stays = whole.x.take(np.flatnonzero(whole.x.moments.at >= since))
    for name in stays.columns:
        assert stays.columns[name].tobytes() == part_.x.columns[name].tobytes()


def test_rows_that_a_release_was_trained_on_stay_while_it_may_answer_and_go_when_later_ones_do(
    page, daily, sent, quick
):
    small = keeping(page, rows=units.days(40))
    store = sent(page, days(daily.files, 0, 50))
    first = run.run(page, run.Bound(store.folder)).release
    kept = Store.open(store.folder, small.data)
    told = kept.retain()
    assert first[:12] in told.held and "2026-01-10 and later" in told.held and ats(kept)[0] == 0
    kept.ingest(days(daily.files, 50, 54))
    second = run.run(small, run.Bound(store.folder))
    assert second.x.moments.at.min() >= FIRST + 13 * DAY and second.release != first
    # The one before may have to answer again: it is two releases until its days go.
    assert set(retention.live(kept)) == {first, second.release}
    kept.ingest(days(daily.files, 54, 57))
    third = run.run(small, run.Bound(store.folder)).release
    assert set(retention.live(kept)) == {second.release, third}
    assert kept.retain().held and ats(kept)[0] >= 9


def test_a_release_of_which_no_run_tells_pins_what_it_was_trained_on(page, daily, sent, quick):
    store = sent(page, days(daily.files, 0, 50))
    release = run.run(page, run.Bound(store.folder)).release
    for one in (store.folder / "runs").glob("*.json"):
        one.unlink()
    assert set(retention.live(store)) == {release}
    (store.folder / "releases" / release / "data.json").unlink()
    told = store.retain(data.Retention(rows=units.days(3)))
    assert "from the first on" in told.held and not told.changed


def test_a_cap_takes_results_first_then_days_until_it_holds(page, daily, sent, quick):
    store = sent(page, days(daily.files, 0, 60))
    run.run(page, run.Bound(store.folder))
    for record in runs.listed(store):
        (store.folder / "runs" / f"{record['run']}.json").unlink()
    shutil.rmtree(store.folder / "releases")
    before = retention.size(store)
    steps = sum(retention._size(one) for one in (store.folder / "steps").iterdir())
    told = store.retain(data.Retention(at_most=units.octets(before - steps // 3)))
    assert told.steps > 0 and not any(told.rows.values()) and told.bytes <= before - steps // 3
    cap = retention.size(store) - retention._size(store.folder / "steps") - 2000
    told = store.retain(data.Retention(at_most=units.octets(cap)))
    assert told.rows["telemetry"] > 0 and told.bytes <= cap and ats(store)[-1] == 59
    assert abs(told.bytes - retention.size(store)) < 1000  # the audit's line


def test_a_cap_that_cannot_hold_is_told(page, daily, sent):
    store = sent(page, days(daily.files, 0, 5))
    told = store.retain(data.Retention(at_most=units.octets(1000)))
    assert ("raise it" in told.held and ats(store) == [4]) or ats(store) == [3, 4]


def test_results_of_a_run_that_goes_on_are_not_touched(page, daily, sent, quick):
    store = sent(page, days(daily.files, 0, 50))
    run.run(page, run.Bound(store.folder))
    before = {one.name for one in (store.folder / "steps").iterdir()}
    with durable.lock(store.folder / "run.lock"):
        store.retain(data.Retention(at_most=units.octets(1)))
    assert {one.name for one in (store.folder / "steps").iterdir()} == before


def test_a_trial_says_what_would_go_and_touches_nothing(page, daily, sent):
    store = sent(page, days(daily.files, 0, 20))
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*") if path.name != "lock"}
    told = store.retain(data.Retention(rows=units.days(7)), trial=True)
    assert told.rows["telemetry"] > 0 and told.since == FIRST + 12 * DAY
    assert any("would go" in line for line in told.lines())
    after = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*") if path.name != "lock"}
    assert before == after and ats(store)[0] == 0


@pytest.fixture
def pictured(tmp_path):
    """A store of pictures, the dice they are made of, and eight of a stream that no row names."""
    fleet = data.Fleet(
        "machine", data.WallClock(), (data.Table("frames", columns={"picture": "image"}, unique=("at",)),)
    )
    store = Store.open(tmp_path / "store", fleet)
    rng = np.random.default_rng(0)
    with Intake(store) as intake:
        alone = intake.take([rng.integers(0, 255, (64, 64), dtype=np.uint8) for _ in range(8)])
    return store, rng, alone


def test_images_that_no_row_names_go_first_and_those_of_a_day_with_it(tmp_path, pictured):
    store, rng, alone = pictured
    for day in range(6):
        folder = tmp_path / f"{day}" / "frames"
        folder.mkdir(parents=True)
        lines = ["machine,at,picture"]
        for number in range(4):
            np.save(folder / f"{number}.npy", rng.integers(0, 255, (64, 64), dtype=np.uint8))
            lines.append(f"m{number},2026-01-0{day + 1},{number}.npy")
        (folder / "day.csv").write_text("\n".join(lines) + "\n")
        store.ingest([tmp_path / f"{day}"])
    size = store.archive.bytes()
    told = store.retain(data.Retention(at_most=units.octets(retention.size(store) - 10)))
    assert told.images == len(alone.digests) and not any(told.rows.values())
    told = store.retain(data.Retention(at_most=units.octets(retention.size(store) - 10)))
    assert told.rows["frames"] in (4, 8) and told.images in (4, 8) and told.images <= told.rows["frames"]
    pictures = store.rows("frames").columns["picture"]
    assert len(pictures.load()) == 24 - told.rows["frames"] and store.archive.bytes() < size * 0.9


def test_a_stream_of_images_stays_where_rows_have_their_time_and_there_is_no_cap(tmp_path, pictured):
    store, rng, alone = pictured
    for day in range(4):
        folder = tmp_path / f"{day}" / "frames"
        folder.mkdir(parents=True)
        np.save(folder / "a.npy", rng.integers(0, 255, (64, 64), dtype=np.uint8))
        (folder / "day.csv").write_text(f"machine,at,picture\nm1,2026-01-0{day + 1},a.npy\n")
        store.ingest([tmp_path / f"{day}"])
    told = store.retain(data.Retention(rows=units.days(2)))
    assert told.rows["frames"] == told.images == 1
    kept = store.archive.shards().places
    assert set(alone.digests) <= set(kept) and len(kept) == 8 + 3


@pytest.mark.parametrize("fails", range(12))
def test_a_crash_in_the_middle_leaves_whole_days_and_is_gone_on_with(page, daily, sent, monkeypatch, fails):
    small = keeping(page, rows=units.days(7))
    store = sent(page, days(daily.files, 0, 14), days(daily.files, 14, 20))
    steps = iter(range(1000))

    def crash(operation, path):
        if next(steps) == fails:
            raise KeyboardInterrupt

    monkeypatch.setattr(durable, "hook", crash)
    with pytest.raises(KeyboardInterrupt):
        Store.open(store.folder, small.data).retain()
    monkeypatch.setattr(durable, "hook", None)
    again = Store.open(store.folder, small.data)
    assert ats(again) in (list(range(20)), list(range(12, 20)))
    again.retain()
    assert ats(again) == list(range(12, 20))
    for path in (store.folder / "tables" / "telemetry").glob("*.parquet"):
        os.utime(path, (0, 0))  # an hour later nobody reads what is in no table any more
    again = Store.open(store.folder, small.data)
    assert {file.path for file in again.journal.files("tables/telemetry")} == {
        path.name for path in (store.folder / "tables" / "telemetry").glob("*.parquet")
    }


def test_the_command_says_what_went_and_exits_1_when_a_release_holds_more(daily, tmp_path, capsys, quick):
    page, store = str(daily.file), tmp_path / "store"
    with pytest.raises(SystemExit) as done:
        cli.main(["ingest", page, "--from", str(daily.file.parent / "whole"), "--store", str(store)])
    assert done.value.code == 0
    for options, code in ((["--days", "20", "--trial"], 0), (["--days", "20", "--json"], 0), ([], 2)):
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            cli.main(["retain", page, "--store", str(store), *options])
        out = capsys.readouterr()
        assert done.value.code == code
        if "--json" in options:
            assert json.loads(out.out)["rows"]["telemetry"] == 12 * 39
    assert "keeps all of the past" in out.err
    with pytest.raises(SystemExit) as done:
        cli.main(["retain", page, "--store", str(tmp_path / "none")])
    assert done.value.code == 3


def test_what_was_given_later_is_not_there_in_a_store_read_as_it_was(page, daily, sent, quick, monkeypatch):
    store = Store.open(sent(page).folder, page.data)
    store.ingest(days(daily.files, 0, 45), now=FIRST + 45 * DAY)
    before = run.run(page, run.Bound(store.folder, as_of=FIRST + 45 * DAY))
    late = days(daily.files, 45, 60)
    store.ingest(late, now=FIRST + 60 * DAY)
    # History of days long gone, loaded late: its `seen` is assumed, so a cut by `seen` alone would let it in.
    more = daily.files[next(iter(daily.files))][0].parent.parent / "more.csv"
    more.write_text("machine,time,vibration,current\nm99,2026-01-05T06:00:00,9,9\n")
    folder = store.folder.parent / "telemetry"
    folder.mkdir()
    shutil.move(more, folder / "more.csv")
    store.ingest([folder], now=FIRST + 61 * DAY)
    bound = run.Bound(store.folder, as_of=FIRST + 45 * DAY, stored=FIRST + 50 * DAY)
    again = run.run(page, bound)
    assert again.release == before.release and again.x.moments.at.tobytes() == before.x.moments.at.tobytes()
    assert len(run.run(page, run.Bound(store.folder, as_of=FIRST + 45 * DAY)).x) > len(again.x)
    view = Store.open(store.folder, page.data, FIRST + 50 * DAY)
    assert view.horizon() < store.horizon() and view.holds()["good"]["telemetry"] == 12 * 45
    with pytest.raises(errors.StoreError, match="read as it was"):
        view.ingest(late)
