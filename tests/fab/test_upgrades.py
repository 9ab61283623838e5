"""Files call channels as their site's software does, and the bindings beside them undo it."""

import numpy as np
import polars as pl
import pytest

from flyball import data, fab
from flyball.data import bindings
from flyball.fab import channels, clocks, fleet, injected, regimes, upgrades
from flyball.runtime.store import Store

FLEET = fab.Fab("tiny", seed=4, machines=4, days=20, every_h=12)
ALL = data.Fleet(
    "machine",
    data.WallClock(),
    (data.Table("telemetry", columns=dict(fab.UNITS), time="time", unique=("at",)),),
)


def taken_in(folder, fleet_, binding, page=ALL, **how):
    fab.write(fleet_, folder / "sent", only=("telemetry",), with_truth=False, **how)
    store = Store.open(folder / "store", page)
    given = None if binding is None else bindings.read(folder / "sent" / "bindings")
    receipt = store.ingest([folder / "sent"], given)
    assert not any(receipt.quarantined.values())
    return receipt, pl.concat(store.journal.read("tables/telemetry")).sort("key", "seen", "at")


@pytest.mark.parametrize(("form", "per"), [("habit", "machine"), ("habit", "site"), ("csv.gz", "machine")])
def test_bindings_give_the_fleet_without_renames_back(tmp_path, form, per):
    _, plain = taken_in(tmp_path / "plain", FLEET, None, form="csv.gz", per="fleet")
    receipt, bound = taken_in(tmp_path / "bound", FLEET, True, form=form, per=per)
    assert receipt.good["telemetry"] == plain.height
    for name in ("key", "at", "seen"):
        assert bound[name].to_list() == plain[name].to_list()
    for name in fab.UNITS:
        mine, theirs = (frame[name].fill_null(float("nan")).to_numpy() for frame in (bound, plain))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9, err_msg=name)
    # And without the bindings something is missing: that they are needed is no matter of course.
    receipt, lacking = taken_in(tmp_path / "lacking", FLEET, None, form=form, per=per)
    renamed = {one.channel for one in upgrades.renamings(FLEET)}
    assert {f"telemetry.{name}" for name in renamed} <= set(receipt.absent)
    assert any(lacking[name].null_count() > plain[name].null_count() for name in renamed)


def test_summer_time_is_undone_by_the_zone(tmp_path):
    # A row a day just after midnight: none in the hour that comes twice.
    long = fab.Fab("tiny", seed=4, machines=2, days=310, every_h=24)
    page = data.Fleet(
        "machine", data.WallClock(), (data.Table("telemetry", columns={"vibration": "mm/s"}, time="time"),)
    )
    _, plain = taken_in(tmp_path / "plain", long, None, page, form="parquet", per="fleet")
    _, bound = taken_in(tmp_path / "bound", long, True, page, form="habit", per="site")
    plain, bound = (frame.sort("key", "at", "seen", "vibration") for frame in (plain, bound))
    assert plain["key"].to_list() == bound["key"].to_list()
    ahead = ((plain["at"] - bound["at"]) / 3_600_000_000).to_numpy()
    assert set(ahead) == {0.0, 1.0} and 0.6 < ahead.mean() < 0.8
    machine = np.where(bound["key"] == "A-001", 0, 1)
    stamps = clocks.stamped(long, machine, fleet.to_hours(bound["at"].to_numpy()), logger=False)
    true = clocks.true(long, machine, fleet.to_hours(plain["at"].to_numpy()), logger=True)
    assert np.abs(3600.0 * (stamps - true)).max() < 2 * 40.0  # what is left are offsets of seconds


def test_from_an_upgrade_on_columns_have_the_new_names_and_units(tmp_path):
    fab.write(FLEET, tmp_path, form="parquet", per="machine", only=("telemetry",))
    units = fab.UNITS
    for site in (0, 1):
        who = f"{'AB'[site]}-001"
        for first, last, names in upgrades.epochs(FLEET, site):
            there = [
                pl.read_parquet(file) for file in sorted((tmp_path / "AB"[site] / "telemetry" / who).iterdir())
                if (not first or file.stem >= first) and (not last or file.stem < last)
            ]  # fmt: skip
            has = {name for where, name, since, until in regimes.existing(FLEET) if where == site}
            for one in names:
                assert one.channel in has or all(one.name in frame.columns for frame in there)
                assert not any(one.channel in frame.columns for frame in there)
    converted = [one for one in upgrades.renamings(FLEET) if one.unit != units[one.channel]]
    assert len(converted) == 4 and len(upgrades.renamings(FLEET)) == 16
    assert len({(one.site, one.channel) for one in upgrades.renamings(FLEET)}) == 16


def test_the_truth_tells_every_name_and_the_bindings_are_valid():
    whole = injected.join(upgrades.truth(FLEET))
    assert len(whole["kind"]) == len(upgrades.renamings(FLEET))
    found = upgrades.bindings(FLEET)
    assert len(found) == 6
    assert not bindings.Bindings(found).check(ALL)
    for one in found:
        assert not list(one.problems(ALL))


def test_without_mess_files_are_plain(tmp_path):
    clean = fab.Fab("tiny", seed=4, machines=2, days=20, every_h=12, mess=False)
    told = fab.write(clean, tmp_path, form="csv.gz", per="machine", only=("telemetry",))
    assert told["bindings"]["files"] == 0 and not (tmp_path / "bindings").exists()
    file = next((tmp_path / "A" / "telemetry" / "A-001").iterdir())
    assert {channel.name for channel in channels.CHANNELS} <= set(pl.read_csv(file).columns)
