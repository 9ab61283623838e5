import dataclasses
import itertools
import random

import numpy as np
import pytest

from flyball import data, errors, features, part, units
from flyball.runtime import build, plan
from flyball.runtime.store import Store

ALWAYS = (
    features.Rolling("telemetry.vibration", over=units.days(3), by="mean"),
    features.Last("telemetry.current"),
)
WINDOWS = (
    features.Rolling("telemetry.vibration", over=units.days(3), by="mean"),
    features.Last("telemetry.current", at_most=units.days(2)),
)


def seeing(page, columns):
    return part.replace(page, features=part.replace(page.features, columns=columns))


def keys(page, store):
    return {item.name: item.key for item in build.partitions(page, store)}


def changed(before, after):
    return sorted(name for name in after if before.get(name) != after[name])


def days(files, since, until):
    return [file for day in list(files)[since:until] for file in files[day]]


def same(a, b):
    assert a.moments.keys == b.moments.keys and list(a.columns) == list(b.columns)
    assert (a.moments.codes.tobytes(), a.moments.at.tobytes()) == (
        b.moments.codes.tobytes(),
        b.moments.at.tobytes(),
    )
    for name in a.columns:
        assert a.columns[name].tobytes() == b.columns[name].tobytes(), name


@pytest.fixture
def bounded(daily):
    return seeing(daily.page, WINDOWS)


def test_a_new_day_changes_only_the_days_that_can_look_back_on_it(bounded, daily, sent):
    store = sent(bounded, days(daily.files, 0, 20))
    before = keys(bounded, store)
    store.ingest(days(daily.files, 20, 21))
    assert changed(before, keys(bounded, store)) == ["2026-01-21"]


def test_the_morning_after_the_last_day_is_asked_once_it_has_begun(bounded, daily, sent, tmp_path):
    store = sent(bounded, days(daily.files, 0, 5))
    assert max(keys(bounded, store)) == "2026-01-05"
    more = tmp_path / "telemetry-next.csv"
    more.write_text("machine,time,seen,vibration,current\nm00,2026-01-05T07:00:00,2026-01-06T01:00:00,1,1\n")
    store.ingest([more])
    assert max(keys(bounded, store)) == "2026-01-06"
    x, _ = build.matrix(bounded, store, plan.Plan(store))
    assert int(x.moments.at.max()) == build._day("2026-01-06")[0]


def test_a_late_row_changes_its_day_and_those_that_look_back_on_it(bounded, daily, sent, tmp_path):
    store = sent(bounded, days(daily.files, 0, 20))
    before = keys(bounded, store)
    late = tmp_path / "telemetry-late.csv"
    late.write_text("machine,time,vibration,current\nm00,2026-01-10T07:00:00,9,9\n")
    store.ingest([late])
    reached = changed(before, keys(bounded, store))
    # Three days of window and one for the day's own length.
    assert reached == [f"2026-01-{day}" for day in (10, 11, 12, 13, 14)]


def test_without_a_bound_every_later_day_changes_and_no_earlier_one(daily, sent, tmp_path):
    page = seeing(daily.page, ALWAYS)
    store = sent(page, days(daily.files, 0, 20))
    before = keys(page, store)
    late = tmp_path / "telemetry-late.csv"
    late.write_text("machine,time,vibration,current\nm00,2026-01-10T07:00:00,9,9\n")
    store.ingest([late])
    assert changed(before, keys(page, store)) == [f"2026-01-{day}" for day in range(10, 21)]


def test_a_file_that_is_sent_again_changes_nothing(bounded, daily, sent):
    store = sent(bounded, days(daily.files, 0, 20))
    before = keys(bounded, store)
    store.ingest(days(daily.files, 3, 6))
    assert keys(bounded, store) == before


@pytest.mark.parametrize("columns", [WINDOWS, ALWAYS], ids=["windows", "no bound"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_order_and_grouping_of_files_the_features_are_the_same_bits(
    daily, tmp_path, columns, seed
):
    page = seeing(daily.page, columns)
    whole = Store.open(tmp_path / "whole", page.data)
    whole.ingest(days(daily.files, 0, 20))
    expected, _ = build.matrix(page, whole, plan.Plan(whole))
    chance = random.Random(seed)
    files = days(daily.files, 0, 20)
    chance.shuffle(files)
    store = Store.open(tmp_path / "grown", page.data)
    while files:
        count = chance.randint(3, 12)
        store.ingest(files[:count])
        del files[:count]
        # Features are computed in between, so that most of them come from kept steps.
        found, _ = build.matrix(page, store, plan.Plan(store))
    same(found, expected)


def test_sabotage_keys_that_hold_their_own_day_alone_keep_what_is_stale(
    bounded, daily, tmp_path, monkeypatch
):
    monkeypatch.setattr(build, "_within", lambda own, names, days, span: [own[name] for name in names])
    with pytest.raises(AssertionError):
        for seed in range(3):
            test_whatever_the_order_and_grouping_of_files_the_features_are_the_same_bits(
                daily, tmp_path / str(seed), WINDOWS, seed
            )


def test_an_absent_column_stops_its_features_with_the_reason(bounded, daily, sent, tmp_path):
    store = sent(bounded, days(daily.files, 0, 5))
    poor = tmp_path / "telemetry-2026-01-06.csv"
    poor.write_text("machine,time,vibration,amps\nm00,2026-01-06T06:00:00,1,2\n")
    store.ingest([poor])
    x, _ = build.matrix(bounded, store, plan.Plan(store))
    assert list(x.columns) == ["telemetry.vibration.mean.3d"]
    (why,) = x.stopped.values()
    assert "no column 'current' in telemetry-2026-01-06.csv" in why and "1 of" in why


def test_an_empty_store_says_what_to_do(bounded, sent):
    store = sent(bounded)
    with pytest.raises(errors.DataError, match="holds no rows: give it files"):
        build.matrix(bounded, store, plan.Plan(store))


def test_without_a_wall_clock_a_partition_is_a_group_of_machines(daily, tmp_path):
    table = data.Table("cycles", columns={"x": "number"}, time="at")
    asked = features.AsOf(asked=features.Each("cycles"), columns=(features.Last("cycles.x"),))
    page = part.replace(
        daily.page, data=data.Fleet("unit", clock=data.Counter("cycle"), tables=(table,)), features=asked
    )
    store = Store.open(tmp_path / "store", page.data)
    rows = [f"u{unit},{cycle},{unit * cycle}" for unit in range(30) for cycle in range(3)]
    first = tmp_path / "cycles-1.csv"
    first.write_text("unit,cycle,x\n" + "\n".join(rows) + "\n")
    store.ingest([first])
    before = keys(page, store)
    assert 2 < len(before) <= 16 and all(item.since is None for item in build.partitions(page, store))
    more = tmp_path / "cycles-2.csv"
    more.write_text("unit,cycle,x\nu7,3,1\n")
    store.ingest([more])
    assert changed(before, keys(page, store)) == [store.partition_of("u7")]
    x, _ = build.matrix(page, store, plan.Plan(store))
    assert len(x) == 91 and x.columns["cycles.x.last"][x.moments.names().index("u7") + 3] == 1


def learned(page, store, cut):
    x, every = build.matrix(page, store, plan.Plan(store))
    return build.learned(page, store, plan.Plan(store), build.until(x, cut), build.key_until(every, cut), cut)


CUT = build._day("2026-01-18")[0]


def later(tmp_path):
    """Rows that tell of older days and are seen after the cut: late ones, a corrected one, a machine unheard of."""
    file = tmp_path / "telemetry-later.csv"
    file.write_text(
        "machine,time,seen,vibration,current\n"
        "m00,2026-01-10T06:00:00,2026-01-30T00:00:00,99,99\n"
        "m03,2026-01-12T07:00:00,2026-01-30T00:00:00,99,99\n"
        "zz,2026-01-10T06:00:00,2026-01-30T00:00:00,1,1\n"
    )
    failed = tmp_path / "repairs-later.csv"
    failed.write_text("machine,time,seen,failed\nm05,2026-01-11T00:00:00,2026-01-30T00:00:00,true\n")
    return [file, failed]


def test_what_was_known_at_a_cut_stays_byte_for_byte_what_it_was(bounded, daily, sent, tmp_path):
    store = sent(bounded, days(daily.files, 0, 20))
    x, y, key = learned(bounded, store, CUT)
    store.ingest(days(daily.files, 20, 40) + later(tmp_path))
    again, truth, again_key = learned(bounded, store, CUT)
    same(again, x)
    assert (truth.value.tobytes(), truth.known.tobytes()) == (y.value.tobytes(), y.known.tobytes())
    assert again_key == key
    _, known_now, newer = learned(bounded, store, None)
    assert newer != key and len(known_now) > len(y)


def test_sabotage_asked_by_all_rows_a_cut_is_not_kept(bounded, daily, sent, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "asked_by", lambda page, found, moments, cut: np.arange(len(moments)))
    store = sent(bounded, days(daily.files, 0, 20))
    key = learned(bounded, store, CUT)[2]
    store.ingest(later(tmp_path))
    assert learned(bounded, store, CUT)[2] != key


def test_a_matrix_is_made_compact_and_told_by_all_of_its_content(bounded, daily, sent):
    x, y, key = learned(bounded, sent(bounded, days(daily.files, 0, 12)), CUT)
    wide = dataclasses.replace(
        x, columns={**x.columns, "word": data.Words(np.zeros(len(x), np.int32), ("b", "later"))}
    )
    assert build.compact(wide).columns["word"].labels == ("b",)
    assert build.content(x, y) == key
    seen = {key}
    for name in x.columns:
        touched = x.columns[name].copy()
        touched[3] += 1e-12
        seen.add(build.content(dataclasses.replace(x, columns={**x.columns, name: touched}), y))
    seen.add(build.content(x, dataclasses.replace(y, value=y.value + 1)))
    assert len(seen) == len(x.columns) + 2


def test_answers_are_written_and_read_back(bounded, daily, sent, tmp_path):
    _, y, _ = learned(bounded, sent(bounded, days(daily.files, 0, 12)), CUT)
    y = dataclasses.replace(y, weight=np.linspace(0, 1, len(y)))
    build.write_answers(tmp_path / "y.npz", y)
    back = build.read_answers(tmp_path / "y.npz")
    for name in ("value", "known", "weight"):
        assert getattr(back, name).tobytes() == getattr(y, name).tobytes()
    assert back.why.texts() == y.why.texts()
    told = build.settled(build.features.Matrix(features.Moments.of([], []), {}), back)
    assert sum(told.values()) == len(y) and list(itertools.islice(told, 1)) == ["known"]


LOTS = data.Table("lots", columns={"lot": "category", "product": "category"}, time="time", unique=("lot",))
NEAR = data.Context("telemetry", of="lots", columns=("product",), within=units.hours(12), orphans=0.01)


@pytest.fixture
def producing(daily):
    """A page whose telemetry takes the product from lots, and looks for it three days back."""
    fleet = part.replace(daily.page.data, tables=(*daily.page.data.tables, LOTS), context=(NEAR,))
    columns = (*WINDOWS, features.Last("telemetry.product", at_most=units.days(3)))
    return part.replace(seeing(daily.page, columns), data=fleet)


def lots(folder, since=0, until=20, late_days=0, only=range(12)):
    """Write a lot a day and machine, half an hour before the telemetry; told some days late, on paper."""
    made = []
    for day in range(since, until):
        date = np.datetime64("2026-01-01") + day
        seen = f"{date + late_days}T05:40:00"
        rows = [
            f"m{n:02d},{date}T05:30:00,{seen},l{n}-{day},{'xy'[(n + day) % 2]}" for n in only if (n + day) % 7
        ]
        file = folder / f"lots-{date}.csv"
        file.write_text("\n".join(["machine,time,seen,lot,product", *rows]) + "\n")
        made.append(file)
    return made


def test_context_is_joined_and_its_orphans_are_counted(producing, daily, sent, tmp_path):
    store = sent(producing, days(daily.files, 0, 20) + lots(tmp_path))
    x, _ = build.matrix(producing, store, plan.Plan(store))
    asked = dict(zip(zip(x.moments.names(), x.moments.at.tolist(), strict=True), range(len(x)), strict=True))
    told = x.columns["telemetry.product.last"].texts()
    # The morning after a day asks of its lot; a day without a lot leaves the one before.
    assert told[asked["m03", build._day("2026-01-09")[0]]] == "x"
    assert told[asked["m03", build._day("2026-01-06")[0]]] == told[asked["m03", build._day("2026-01-05")[0]]]
    (found,) = build.orphans(producing, build.cleaned(producing, build.raw(producing, store)), None)
    assert (found["check"], found["by"], found["passed"], found["rows"]) == ("Context", "context", False, 240)
    assert (
        found["orphans"] == found["first"] == sum((n + day) % 7 == 0 for n in range(12) for day in range(20))
    )


def test_late_context_changes_the_days_that_can_look_back_on_it(producing, daily, sent, tmp_path):
    store = sent(producing, days(daily.files, 0, 20) + lots(tmp_path))
    before = keys(producing, store)
    late = tmp_path / "lots-late.csv"
    late.write_text("machine,time,lot,product\nm00,2026-01-10T05:00:00,other,z\n")
    store.ingest([late])
    # Three days of window, half a one of tolerance, and one for the day's own length.
    assert changed(before, keys(producing, store)) == [f"2026-01-{day}" for day in (10, 11, 12, 13, 14, 15)]


@pytest.mark.parametrize("seed", range(2))
def test_whatever_comes_first_rows_or_context_the_features_are_the_same(producing, daily, tmp_path, seed):
    files = days(daily.files, 0, 20) + lots(tmp_path, late_days=2)
    whole = Store.open(tmp_path / "whole", producing.data)
    whole.ingest(files)
    expected, _ = build.matrix(producing, whole, plan.Plan(whole))
    random.Random(seed).shuffle(files)
    store = Store.open(tmp_path / "grown", producing.data)
    for begin in range(0, len(files), 15):
        store.ingest(files[begin : begin + 15])
        found, _ = build.matrix(producing, store, plan.Plan(store))
    same(words_apart(found), words_apart(expected))
    assert texts(found) == texts(expected) and None in texts(found) and "x" in texts(found)


def texts(x):
    return x.columns["telemetry.product.last"].texts()


def words_apart(x):
    columns = {name: column for name, column in x.columns.items() if not isinstance(column, data.Words)}
    return dataclasses.replace(x, columns=columns)


def test_sabotage_keys_that_leave_context_out_keep_what_is_stale(producing, daily, tmp_path, monkeypatch):
    real = Store.partitions
    monkeypatch.setattr(Store, "partitions", lambda self, table: {} if table == "lots" else real(self, table))
    with pytest.raises(AssertionError):
        test_whatever_comes_first_rows_or_context_the_features_are_the_same(producing, daily, tmp_path, 0)


def test_context_corrected_after_a_cut_leaves_what_was_known_at_it(producing, daily, sent, tmp_path):
    store = sent(producing, days(daily.files, 0, 20) + lots(tmp_path))
    x, _, key = learned(producing, store, CUT)
    corrected = tmp_path / "lots-corrected.csv"
    corrected.write_text(
        "machine,time,seen,lot,product\nm03,2026-01-08T05:30:00,2026-01-30T00:00:00,l3-7,z\n"
        "m00,2026-01-15T05:30:00,2026-01-30T00:00:00,l0-14,z\n"
    )
    store.ingest([corrected, *days(daily.files, 20, 31)])
    again, _, again_key = learned(producing, store, CUT)
    same(words_apart(again), words_apart(x))
    assert texts(again) == texts(x) and again_key == key
    found = build.tables(producing, store, None, None, None)["telemetry"]
    assert "z" in found.known(None).words("product").texts()
    assert "z" not in found.known(CUT).words("product").texts()
    # The lot of the 15th was told only afterwards; of the eleven days that came then there are no lots.
    for cut, orphans in ((CUT, 3), (None, 2 + 11)):
        (told,) = build.orphans(producing, build.cleaned(producing, build.raw(producing, store)), cut)
        assert told["machines"]["m00"][0] == orphans


def test_context_that_comes_late_asks_no_further_question(producing, daily, sent, tmp_path):
    page = part.replace(
        producing, features=part.replace(producing.features, asked=features.Each("telemetry"))
    )
    store = sent(page, days(daily.files, 0, 20) + lots(tmp_path, late_days=2))
    x, _ = build.matrix(page, store, plan.Plan(store))
    assert len(x) == 240 and len(build.tables(page, store, None, None, None)["telemetry"]) > 400


def test_what_is_absent_of_context_is_absent_of_what_takes_it(producing, daily, sent, tmp_path):
    file = tmp_path / "lots-poor.csv"
    file.write_text("machine,time,lot\nm00,2026-01-02T05:30:00,l\n")
    store = sent(producing, [*days(daily.files, 0, 5), file])
    x, _ = build.matrix(producing, store, plan.Plan(store))
    assert "no column 'product'" in x.stopped["telemetry.product.last"]
