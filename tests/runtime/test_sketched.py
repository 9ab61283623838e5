import base64

import numpy as np
import pytest

from flyball import data, errors, monitoring, units
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.monitoring import sketches
from flyball.runtime import sketched
from flyball.runtime.inbox import Inbox
from flyball.serving import formats, release
from flyball.site.spool import Batch

DAY, HOUR = 86_400_000_000, 3_600_000_000
RELEASE = "ab" * 32


def fleet(shift=0.0, days=120, machines=8, first=0, seed=0):
    """Days of hourly rows of some machines; `shift` moves a column, as a sensor that tells wrong would."""
    rng = np.random.default_rng(seed)
    names = [f"s{number}" for number in range(machines) for _ in range(24 * days)]
    at = np.tile(first + np.arange(24 * days) * HOUR, machines)
    moments = features.Moments.of(names, at)
    codes = data.Words.of(rng.choice(["idle", "run", "hold"], len(at)).tolist())
    return features.Matrix(moments, {"jitter": rng.normal(shift, 1, len(at)), "mode": codes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A release's folder with what its detector keeps and its sketches; and a week of every machine, quiet."""
    place = tmp_path_factory.mktemp("release")
    x = fleet()
    answers = np.random.default_rng(1).uniform(size=len(x))
    detector = monitoring.Drift(units.days(7))
    columns, said = detector.reference(x, None, 0), detector.reference(x, answers, 0)
    settings = {"detector": "drift", "columns": columns.settings}
    settings["answers"] = {**said.settings, "columns": {"answer": said.settings["columns"]["answer"]}}
    import json

    (place / "reference.json").write_text(json.dumps(settings))
    sketched.write(place, x, features.Matrix(x.moments, {}), answers, labels.Probability())
    return place


def leaves(shift=0.0, answers=True, **how):
    """What machines send of a week: a sketch a day each."""
    x = fleet(shift, days=7, first=500 * DAY, seed=3, **how)
    said = np.random.default_rng(4).uniform(size=len(x)) if answers else None
    return sketches.Sketches().push(x, said, labels.Probability()).closed()


def sent(inbox, sender, *found, release=RELEASE, first=0, **changed):
    records = tuple(sketched.record(sender, "scanner", release, 9, one) | changed for one in found)
    inbox.take(sender, [Batch("e", "sketches", first, records)])


def test_a_release_carries_sketches_of_what_it_learned_from_and_they_are_admitted(folder):
    found = sketched.reference(folder)
    assert set(found) == {"columns", "answers"}
    assert found["columns"].rows == 120 * 24 * 8
    assert set(found["columns"].columns) == {"jitter", "mode"}
    assert set(found["answers"].columns) == {"answer"}
    for name in (sketched.COLUMNS, sketched.ANSWERS):
        formats.check(folder / sketched.FOLDER / name)
    assert sketched.reference(folder / "nowhere") == {}


def test_a_release_with_a_changed_sketch_is_refused(folder, tmp_path):
    import shutil

    place = tmp_path / "release"
    shutil.copytree(folder, place)
    digest = release.sealed(place)
    release.admit(place, digest)
    file = place / sketched.FOLDER / sketched.COLUMNS
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(errors.TamperedError):
        release.admit(place, digest)
    with pytest.raises(errors.FormatError, match="damaged"):
        formats.check(file)
    with pytest.raises(errors.DataError, match="damaged"):
        sketched.reference(place)


def test_each_sketch_is_taken_once_over_restarts_and_however_it_came(tmp_path):
    inbox, found = Inbox(tmp_path / "received"), leaves()
    sent(inbox, "m1", *found[:5])
    assert sketched.Kept(tmp_path / "sketches").take(inbox) == (5, [])
    sent(inbox, "m1", found[4], found[5], first=5)  # told again, as after a spool that began anew
    assert sketched.Kept(tmp_path / "sketches").take(inbox) == (1, [])
    (tmp_path / "sketches" / "taken.json").write_bytes(b"damaged")
    kept = sketched.Kept(tmp_path / "sketches")
    assert kept.take(inbox) == (0, [])
    assert sorted(one.to_bytes() for one in kept.of("scanner")) == sorted(one.to_bytes() for one in found[:6])


def test_spans_and_releases_are_told_apart(tmp_path):
    inbox, kept, found = Inbox(tmp_path / "received"), sketched.Kept(tmp_path / "sketches"), leaves()
    sent(inbox, "m1", *found[:7])
    sent(inbox, "m1", found[7], release="cd" * 32, first=7)
    assert kept.take(inbox) == (8, [])
    since = 500 * DAY
    assert [one.since for one in kept.of("scanner", RELEASE)] == [since + day * DAY for day in range(7)]
    assert len(kept.of("scanner", since=since + DAY, until=since + 3 * DAY)) == 2
    assert len(kept.of("scanner")) == 8
    assert kept.of("wafer") == []


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"machine": "m2"}, "in the name of 'm2'"),
        ({"page": "../outside"}, "passed over"),
        ({"release": "*"}, "passed over"),
        ({"sketch": "%%%"}, "no base64"),
        ({"sketch": base64.b64encode(b"something").decode()}, "no sketch"),
        ({"sketch": None}, "no sketch"),
    ],
)
def test_what_is_no_sketch_of_the_sender_is_told_and_stops_nobody(tmp_path, changed, why):
    inbox, kept, found = Inbox(tmp_path / "received"), sketched.Kept(tmp_path / "sketches"), leaves()
    sent(inbox, "m1", found[0], **changed)
    sent(inbox, "m1", found[1], first=1)
    count, refused = kept.take(inbox)
    assert (count, len(refused)) == (1, 1)
    assert why in refused[0]
    assert not (tmp_path / "outside").exists()


def test_a_damaged_file_is_told(tmp_path):
    inbox, kept = Inbox(tmp_path / "received"), sketched.Kept(tmp_path / "sketches")
    sent(inbox, "m1", leaves()[0])
    kept.take(inbox)
    (file,) = (tmp_path / "sketches").rglob("*.sketch")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(errors.StoreError, match="bring it back from a copy"):
        kept.of("scanner")


def alarmed(found):
    return {one.column for one in found if one.alarm}


def test_a_quiet_week_is_quiet_and_a_sensor_that_moved_alarms(folder):
    quiet = sketched.judged(folder, leaves())
    assert {one.column for one in quiet} == {"jitter", "mode", "answer"}
    assert alarmed(quiet) == set()
    assert alarmed(sketched.judged(folder, leaves(shift=0.5))) == {"jitter"}
    jitter = next(one for one in quiet if one.column == "jitter")
    assert jitter.n == 7 * 24 * 8
    assert 0 < jitter.shown["ks_error"] <= 0.0101
    assert 0 < jitter.shown["wasserstein"] < 0.2
    assert "answer" not in {one.column for one in sketched.judged(folder, leaves(answers=False))}


def test_the_judgement_by_sketches_is_that_by_rows(folder):
    """What the detector says of the same week's rows, within what the sketches lose."""
    detector = monitoring.Drift(units.days(7))
    x = fleet(0.3, days=7, first=500 * DAY, seed=3)
    reference = detector.reference(fleet(), None, 0)
    by_rows = {one.column: one for one in detector.watch(reference, x, None) if one.n == len(x)}
    by_sketch = {one.column: one for one in sketched.judged(folder, leaves(0.3, answers=False))}
    for column in ("jitter", "mode"):
        assert by_sketch[column].statistic == pytest.approx(by_rows[column].statistic, abs=0.004)
        assert by_sketch[column].limit == by_rows[column].limit


def test_a_column_that_is_gone_and_values_that_are_new_are_told_apart_from_drift(folder):
    x = fleet(days=7, first=500 * DAY, seed=3)
    modes = data.Words.of(["idle", "new"] * (len(x) // 2))
    changed = features.Matrix(x.moments, {"mode": modes})
    found = {one.column: one for one in sketched.judged(folder, sketches.Sketches().push(changed).closed())}
    assert "jitter" not in found
    assert found["jitter: missing"].shown["share"] == 1
    assert found["mode: missing"].shown["share"] == 0.5
    assert {"jitter: missing", "mode: missing"} <= alarmed(found.values())


def test_nothing_is_judged_where_nothing_is_watched_or_met(folder, tmp_path):
    assert sketched.judged(tmp_path, leaves()) == ()
    (tmp_path / "reference.json").write_text("{}")
    assert sketched.judged(tmp_path, leaves()) == ()
    assert sketched.judged(folder, []) == ()


def test_the_newest_window_is_judged_by_the_packed_release_that_serves(pumps, tmp_path):
    found = pumps.result
    place = next(place for place in (pumps.store / "releases").iterdir() if place.name == found.release)
    packed = tmp_path / "release.tar"
    release.pack(place, packed)
    inbox, kept = Inbox(tmp_path / "received"), sketched.Kept(tmp_path / "sketches")
    assert sketched.newest(packed, place.name, kept, "scanner") == ()
    last = int(found.x.moments.at.max())
    rows = found.x.take(np.flatnonzero(found.x.moments.at > last - 21 * DAY))
    sent(inbox, "m1", *sketches.Sketches().push(rows).closed(), release=place.name)
    kept.take(inbox)
    told = sketched.newest(packed, place.name, kept, "scanner")
    assert set(sketched.reference(place)["columns"].columns) <= {one.column for one in told}
    assert all(one.until - one.since == 7 * DAY for one in told)
    assert sketched.newest(tmp_path / "gone.tar", place.name, kept, "scanner") == ()


def test_old_sketches_go_and_newer_ones_stay_as_they_came(tmp_path):
    inbox, kept = Inbox(tmp_path / "received"), sketched.Kept(tmp_path / "sketches")
    old = [sketches.of({"x": np.arange(9.0)}, f"s{day}", day * DAY, (day + 1) * DAY) for day in range(5)]
    sent(inbox, "s0", old[0])
    for day in range(1, 5):
        sent(inbox, f"s{day}", old[day])
    assert kept.take(inbox) == (5, [])
    assert kept.drop(120 * DAY) == 0 and len(kept.of("scanner")) == 5
    assert kept.drop(123 * DAY) == 3
    assert [one.since for one in kept.of("scanner")] == [3 * DAY, 4 * DAY]
    assert kept.drop(124 * DAY - 1) == 0, "a day is looked through once"
    assert sketched.Kept(tmp_path / "sketches").drop(123 * DAY) == 0
    assert kept.take(inbox) == (0, []), "what went is not taken in again"
