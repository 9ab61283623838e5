"""The drives page: its parts against plain definitions, its labels on the real fleet, and whole runs."""

import datetime
import gzip
import hashlib
import itertools
import math
import zlib

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts import test_features as contract

from flyball import data, features, part, system, systems, units
from flyball.model import metrics
from flyball.runtime import run
from flyball.systems import drives
from flyball.systems.drives import inputs
from flyball.units import DAY, days, hours

PAGE = drives.page.system
PARTS = (
    drives.Behind("t.x", over=(days(1), days(3)), per=hours(2)),
    drives.Change("t.x", over=(days(2), days(7))),
    drives.Rises("t.x", over=days(3)),
    drives.SinceRise("t.x", at_most=days(4), per=hours(1)),
    drives.Standstill("t.x", rows=2),
)
each_part = contract.of_each("feature", PARTS)


def day(text):
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()) * 1_000_000


# --- the page -------------------------------------------------------------------------------------------------


def test_the_page_has_no_problems_and_reads_back():
    assert list(PAGE.problems()) == []
    assert system.read(repr(PAGE)) == PAGE
    assert system.read(repr(PAGE)).fingerprint() == PAGE.fingerprint()
    assert systems.load("drives") is PAGE


def test_the_parts_of_the_system_decide_the_fingerprint():
    assert "flyball.systems.drives.parts" in part._modules(PAGE)


def test_the_guards_keep_the_truth_of_the_training_rows_out_of_what_is_judged():
    horizon = PAGE.labels.horizon()
    assert int(PAGE.model.choose.guard) >= horizon and int(PAGE.model.test.guard) >= horizon


@pytest.mark.parametrize("wrong, place", [
    (drives.Change("logs.model", over=days(3)), "column"),
    (drives.Change("logs.failure", over=units.steps(3)), "over"),
    (drives.Behind("logs.smart_9_raw", over=days(1), per=units.steps(1)), "per"),
    (drives.Rises("logs.model", over=days(3)), "column"),
    (drives.SinceRise("logs.smart_5_raw", at_most=days(0)), "at_most"),
    (drives.Standstill("logs.smart_9_raw", rows=0), "rows"),
])  # fmt: skip
def test_what_is_wrong_with_a_part_is_told_with_its_place(wrong, place):
    assert [problem.place for problem in wrong.problems(PAGE)] == [place]


# --- the parts: the contracts of every feature, and plain definitions --------------------------------------------


@each_part
@contract.TRIED
@given(drawn=st.data())
def test_later_rows_never_change_an_earlier_value(feature, drawn):
    contract.test_later_rows_never_change_an_earlier_value.hypothesis.inner_test(feature, drawn)


@each_part
@contract.TRIED
@given(drawn=st.data())
def test_one_question_at_a_time_or_all_at_once(feature, drawn):
    contract.test_one_question_at_a_time_or_all_at_once.hypothesis.inner_test(feature, drawn)


@each_part
@contract.TRIED
@given(drawn=st.data())
def test_the_stream_is_the_batch(feature, drawn):
    contract.test_the_stream_is_the_batch.hypothesis.inner_test(feature, drawn)


@each_part
def test_names_are_those_that_are_made(feature):
    contract.test_names_are_those_that_are_made(feature)


@each_part
def test_repr_evaluates_back(feature):
    assert system.read(repr(feature)) == feature


@st.composite
def fleets(draw):
    """Reports of two drives on some of twenty days, a value of which may be missing."""
    one = st.one_of(st.none(), st.tuples(st.sampled_from((0.0, 24.0, 48.0)), st.booleans()))
    return {key: draw(st.lists(one, min_size=20, max_size=20)) for key in "ab"}


def plain(reports, moment, over):
    """What the recipe says of one drive on one day, in the plainest way: known values by day, oldest first."""
    known = [(day, value) for day, value in reports if day <= moment and not math.isnan(value)]
    if not known:
        return dict.fromkeys(("change", "behind", "rises", "since", "standstill"), math.nan) | {
            "rises": 0.0, "since": float(over),
        }  # fmt: skip
    earlier = [value for day, value in known if day <= moment - over] or [known[0][1]]
    change = known[-1][1] - earlier[-1]
    passed = 24.0 * min(over, moment - known[0][0])
    rose = [b[0] for a, b in itertools.pairwise(known) if b[1] > a[1] and b[0] > moment - over]
    still = 0
    while still + 1 < len(known) and known[-1 - still][1] <= known[-2 - still][1]:
        still += 1
    ran = still + 1 < len(known)
    return {
        "change": change,
        "behind": min(max(passed - change, -24.0 * over), 24.0 * over),
        "rises": float(len(rose)),
        "since": float(moment - rose[-1]) if rose else float(over),
        "standstill": float(ran and 1 <= still <= over),
    }


@hypothesis.settings(max_examples=60)
@given(fleet=fleets(), over=st.integers(1, 6))
def test_every_part_says_what_its_definition_says(fleet, over):
    told = {key: [] for key in fleet}
    for key, reports in fleet.items():
        hours_ = 0.0
        for number, report in enumerate(reports):
            if report is not None:
                hours_ += report[0]
                told[key].append((number, math.nan if report[1] and number % 3 == 0 else hours_ % 100))
    flat = [(key, number, value) for key, reports in told.items() for number, value in reports]
    hypothesis.assume(flat)
    rows = data.Rows.of(
        [item[0] for item in flat],
        [days(item[1]) for item in flat],
        columns={"x": [item[2] for item in flat]},
    )
    asked = features.Moments.of([item[0] for item in flat], [days(item[1]) for item in flat])
    made = {
        "change": drives.Change("t.x", over=days(over)),
        "behind": drives.Behind("t.x", over=days(over)),
        "rises": drives.Rises("t.x", over=days(over)),
        "since": drives.SinceRise("t.x", at_most=days(over)),
        "standstill": drives.Standstill("t.x", rows=over),
    }
    wanted = [
        plain(told[key], at // int(DAY), over)
        for key, at in zip(asked.names(), asked.at.tolist(), strict=True)
    ]
    for name, feature in made.items():
        (found,) = feature.compute({"t": rows}, asked).values()
        np.testing.assert_array_equal(found, [want[name] for want in wanted], err_msg=name)


def test_a_rise_counts_against_the_row_before_the_window_as_it_was_known_then():
    # The row of day 0 is corrected from 5 to 1 on day 4: only then did day 2 rise over it.
    rows = data.Rows.of(
        ["a"] * 3,
        at=[0, 0, days(2)],
        seen=[0, days(4), days(2)],
        columns={"x": [5.0, 1.0, 3.0]},
        unique=("at",),
    )
    asked = features.Moments.of(["a"] * 2, [days(3), days(4)])
    found = drives.Rises("t.x", over=days(3)).compute({"t": rows}, asked)["t.x.rises.3d"]
    assert found.tolist() == [0.0, 1.0]


# --- the real fleet -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fleet(data_folder):
    """The whole fleet as the page sees it: its table, what is asked, and the truth at the end of the data."""
    import polars as pl

    frame = pl.read_parquet(data_folder / inputs.FILE).with_columns(
        pl.col("serial_number", "model").cast(pl.String), pl.col("date").cast(pl.Datetime("us"))
    )
    numbers = [name for name, kind in PAGE.data.tables[0].columns.items() if kind != "category"]
    columns = {name: frame[name].cast(pl.Float64).to_numpy() for name in numbers}
    at = frame["date"].to_physical().to_numpy()
    columns["model"] = data.Words.of(frame["model"].to_list())
    logs = data.Rows.of(frame["serial_number"].to_list(), at, columns=columns, unique=("at",))
    asked = PAGE.features.asked.moments({"logs": logs})
    return {"logs": logs}, asked, PAGE.labels.label({"logs": logs}, asked, None)


def test_what_is_asked_and_what_is_known_of_the_real_fleet(fleet):
    tables, asked, truth = fleet
    assert len(tables["logs"]) == len(asked) == 868_524
    positive = truth.known & (truth.value > 0.5)
    week = (asked.at >= day("2013-05-06")) & (asked.at < day("2013-05-13"))
    assert int(positive.sum()) == 766
    assert int((positive & week).sum()) == 198
    assert len(np.unique(asked.codes[positive & week])) == 58
    failed = np.flatnonzero(tables["logs"].columns["failure"] > 0)
    assert len(failed) == 120
    # The failing day's own row is no question that has an answer.
    assert set(truth.why.texts()[row] for row in failed.tolist()) == {"failed"}


def test_the_splits_are_the_weeks_they_are_said_to_be(fleet):
    tables, asked, truth = fleet
    known = asked[np.flatnonzero(truth.known)]
    (test,) = PAGE.model.test.split(known, tables)
    assert known.at[test.train].max() == day("2013-04-28")
    assert (known.at[test.test].min(), known.at[test.test].max()) == (day("2013-05-06"), day("2013-05-12"))
    inner = known[test.train]
    (fold,) = PAGE.model.choose.split(inner, tables)
    assert inner.at[fold.train].max() == day("2013-04-14")
    assert (inner.at[fold.test].min(), inner.at[fold.test].max()) == (day("2013-04-22"), day("2013-04-28"))


@pytest.mark.slow
def test_the_recipe_reaches_on_the_training_days_what_it_was_chosen_for(fleet):
    tables, asked, _ = fleet
    cut = day("2013-05-05")
    logs = {"logs": tables["logs"].take(tables["logs"].at <= cut)}
    early = asked[np.flatnonzero(asked.at <= day("2013-04-28"))]
    truth = PAGE.labels.label(logs, early, cut)
    known = np.flatnonzero(truth.known)
    early, truth = early[known], truth.take(known)
    x = PAGE.features.compute(logs, early)
    learn, judge = early.at <= day("2013-04-14"), early.at >= day("2013-04-22")
    figures = {}
    for name, learner in (("recipe", PAGE.model.challenger), ("rule", PAGE.model.baseline)):
        fitted = learner.fit(x.take(learn), truth.take(learn), PAGE.labels.kind(), seed=0)
        answers = fitted.predict(x.take(judge))
        for metric in ("average_precision", "roc_auc"):
            figures[name, metric] = metrics.measure(metric, PAGE.labels.kind(), truth.value[judge], answers)
    assert figures["recipe", "average_precision"] == pytest.approx(0.245, abs=0.02)
    assert figures["recipe", "roc_auc"] == pytest.approx(0.98, abs=0.005)
    assert figures["rule", "average_precision"] == pytest.approx(0.038, abs=0.001)


@pytest.fixture(scope="module")
def files(data_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drives")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLYBALL_DATA", str(data_folder))
        inputs.prepare(folder)
    return folder


@pytest.fixture(scope="module")
def shrunk(files, tmp_path_factory):
    """Some of the drives, every one that failed among them, day by day: a fleet that is quickly carried through."""
    folder = tmp_path_factory.mktemp("shrunk")
    kept = set()
    for file in sorted(files.iterdir()):
        for line in gzip.decompress(file.read_bytes()).decode().splitlines()[1:]:
            fields = line.split(",")
            if fields[4] == "1" or zlib.crc32(fields[1].encode()) % 64 == 0:
                kept.add(fields[1])
    for file in sorted(files.iterdir()):
        head, *lines = gzip.decompress(file.read_bytes()).decode().splitlines()
        text = "\n".join([head, *(line for line in lines if line.split(",")[1] in kept)]) + "\n"
        (folder / file.name).write_bytes(gzip.compress(text.encode(), mtime=0))
    return folder


@pytest.mark.slow
def test_a_second_run_reuses_every_step_and_a_new_day_only_its_own(shrunk, tmp_path):
    source, store = tmp_path / "logs", tmp_path / "store"
    source.mkdir()
    *all_but_one, last = sorted(shrunk.iterdir())
    for file in all_but_one:
        (source / file.name).write_bytes(file.read_bytes())
    page = part.replace(PAGE, model=part.replace(PAGE.model, metrics=("average_precision", "roc_auc")))
    first = run.run(page, run.Bound(store, source))
    assert not first.x.stopped and first.json()["rows"]["test"] > 0
    again = run.run(page, run.Bound(store, source))
    assert {step.name: step.reused for step in again.steps if not step.reused} == {}
    assert again.json()["contest"] == first.json()["contest"]
    (source / last.name).write_bytes(last.read_bytes())
    newer = run.run(page, run.Bound(store, source))
    made = {step.name for step in newer.steps if not step.reused}
    assert {name for name in made if name.startswith("features/")} == {f"features/{last.name[:10]}"}
    assert {"ingest", "labels", "contest"} <= made


# --- the input ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_input_is_one_file_per_day_with_the_same_bytes_every_time(
    files, tmp_path, data_folder, monkeypatch
):
    first = datetime.date(2013, 4, 10)
    names = [f"{first + datetime.timedelta(days=number)}.csv.gz" for number in range(40)]
    assert sorted(file.name for file in files.iterdir()) == names
    monkeypatch.setenv("FLYBALL_DATA", str(data_folder))
    inputs.prepare(tmp_path)
    for name in names:
        told, again = ((folder / name).read_bytes() for folder in (files, tmp_path))
        assert hashlib.sha256(told).digest() == hashlib.sha256(again).digest()
        days_ = {line.split(",")[0] for line in gzip.decompress(told).decode().splitlines()[1:]}
        assert days_ == {name[:10]}
