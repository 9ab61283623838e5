import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import data, errors, features
from flyball.data import context
from flyball.units import hours, minutes, steps

CLOCK = data.WallClock()
LOTS = data.Table("lots", columns={"lot": "category", "product": "category", "dose": "mJ"}, unique=("lot",))
TELEMETRY = data.Table("telemetry", columns={"power": "kW"}, unique=("at",))
JOIN = data.Context("telemetry", of="lots", columns=("product",), within=minutes(30), orphans=0.02)


def fleet(*joins, tables=(TELEMETRY, LOTS), clock=CLOCK, **more):
    return data.Fleet("machine", clock, tables, context=joins, **more)


class Page:
    def __init__(self, fleet):
        self.data = fleet


def told(fleet):
    page = Page(fleet)
    found = [str(problem) for problem in fleet.problems(page)]
    return found + [str(problem) for join in fleet.context for problem in join.problems(page)]


def test_what_is_joined_is_named_like_any_other_column():
    page = fleet(JOIN, expect=(data.Missing("telemetry.product", at_most=0.1),))
    assert page.columns()["telemetry.product"] == "category" and told(page) == []
    assert "telemetry.product" not in page.arriving()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"to": "telemtry"}, "no table 'telemtry', did you mean 'telemetry'?"),
        ({"of": "lotz"}, "no table 'lotz', did you mean 'lots'?"),
        ({"of": "telemetry", "columns": ("power",)}, "its own context"),
        ({"columns": ("prodct",)}, "no column 'lots.prodct', did you mean 'lots.product'?"),
        ({"columns": ()}, "no column is taken"),
        ({"columns": ("product", "product")}, "'telemetry.product' is there already"),
        ({"within": minutes(-1)}, "would look ahead"),
        ({"within": 30}, "a bare 30 is no span"),
        ({"within": steps(3)}, "is not of the page's clock"),
        ({"orphans": 2.0}, "2.0 is no share"),
        ({"of": "still"}, "table 'still' has no time"),
        ({"of": "maps", "columns": ("map",)}, "'maps.map' is an image"),
        ({"to": "events"}, "give the table unique="),
    ],
)
def test_mistakes_are_told_before_anything_runs(change, what):
    more = (
        data.Table("still", columns={"product": "category"}, time=None),
        data.Table("maps", columns={"map": "image"}),
        data.Table("events", columns={"code": "category"}),
    )
    found = told(fleet(dataclasses.replace(JOIN, **change), tables=(TELEMETRY, LOTS, *more)))
    assert any(what in problem for problem in found), found


def test_a_name_that_is_taken_is_told():
    taken = data.Table("telemetry", columns={"product": "category"}, unique=("at",))
    assert "'telemetry.product' is there already" in told(fleet(JOIN, tables=(taken, LOTS)))[0]
    assert "'telemetry.product' is there already" in told(fleet(JOIN, JOIN))[0]


def test_context_of_context_is_joined_in_the_order_of_the_page():
    jobs = data.Table("jobs", columns={"plan": "category"}, unique=("at",))
    first = data.Context("lots", of="jobs", columns=("plan",), within=hours(1))
    second = dataclasses.replace(JOIN, columns=("product", "plan"))
    assert told(fleet(first, second, tables=(TELEMETRY, LOTS, jobs))) == []
    assert "no column 'lots.plan'" in told(fleet(second, first, tables=(TELEMETRY, LOTS, jobs)))[0]
    tables = {
        "telemetry": data.Rows.of(["a"], [int(minutes(20))], unique=("at",)),
        "lots": data.Rows.of(["a"], [int(minutes(10))], columns={"product": ["x"]}, unique=("at",)),
        "jobs": data.Rows.of(["a"], [0], seen=[int(hours(9))], columns={"plan": ["p"]}, unique=("at",)),
    }
    found = context.joined((first, second), tables)["telemetry"]
    assert found.words("plan").texts() == [None, "p"] and found.words("product").texts() == ["x", "x"]
    assert found.seen.tolist() == [int(minutes(20)), int(hours(9))]


def test_cleaners_come_before_context():
    (problem,) = told(fleet(JOIN, clean=(data.HoldGaps(hours(1), ("telemetry.product",)),)))
    assert "no column 'telemetry.product'" in problem


def test_a_row_that_nothing_tells_from_others_keeps_what_was_known_first():
    rows = data.Rows.of(["a", "a"], [10, 10], columns={"wafer": ["w", None]}, unique=("wafer",))
    lots = data.Rows.of(["a"], [5], seen=[20], columns={"product": ["x"]})
    found = dataclasses.replace(JOIN, within=steps(9)).join(rows, lots)
    assert [*zip(found.words("wafer").texts(), found.words("product").texts(), strict=True)] == [
        ("w", None), (None, None), ("w", "x"),
    ]  # fmt: skip


def test_context_that_says_the_same_again_makes_no_version():
    rows = data.Rows.of(["a"], [10], unique=("at",))
    lots = data.Rows.of(["a"] * 3, [5] * 3, [6, 20, 30], {"product": ["x", "x", "y"]}, unique=("at",))
    found = dataclasses.replace(JOIN, within=steps(9)).join(rows, lots)
    assert (found.seen.tolist(), found.words("product").texts()) == ([10, 30], ["x", "y"])


def test_numbers_are_taken_and_images_are_refused():
    rows = data.Rows.of(["a", "b"], [10, 10], unique=("at",))
    lots = data.Rows.of(["a"], [5], columns={"dose": [3.0]})
    join = dataclasses.replace(JOIN, columns=("dose",), within=steps(9))
    assert np.array_equal(join.join(rows, lots).floats("dose"), [3.0, np.nan], equal_nan=True)
    with pytest.raises(errors.DataError, match="no context"):
        join.join(rows, dataclasses.replace(lots, columns={"dose": object()}))


def test_orphans_are_counted_by_machine_as_known_at_the_cut():
    rows = data.Rows.of(["a"] * 4 + ["b"], [10, 20, 30, 99, 10], unique=("at",))
    lots = data.Rows.of(["a"] * 2, [5, 25], [5, 50], {"product": ["x", "y"]}, unique=("at",))
    join = dataclasses.replace(JOIN, within=steps(6), orphans=0.5)
    finding, counts = join.judge(rows, lots)
    assert (finding.figure, finding.passed) == (0.6, False)
    assert counts == {"rows": 5, "orphans": 3, "first": 4, "machines": {"a": [2, 4], "b": [1, 1]}}
    assert (
        finding.why == "3 of 5 rows have no row of lots within steps(6) before them; most: b 1 of 1, a 2 of 4"
    )
    # At 40 the row at 99 is not there yet, and the second lot is not seen.
    then, early = join.judge(rows, lots, 40)
    assert early == {"rows": 4, "orphans": 3, "first": 3, "machines": {"a": [2, 3], "b": [1, 1]}}
    assert then.figure == 0.75 and dataclasses.replace(join, orphans=0.75).judge(rows, lots, 40)[0].passed


def test_without_context_rows_every_row_is_an_orphan():
    rows = data.Rows.of(["a"], [10], unique=("at",))
    none = data.Rows.of((), (), columns={"product": data.Words.of(())})
    assert JOIN.join(rows, none).words("product").texts() == [None]
    assert JOIN.judge(rows, none)[0].figure == 1.0
    assert JOIN.judge(none, rows)[0].figure == 0.0


TIME = st.integers(0, 12)
ROW = st.tuples(st.sampled_from("ab"), TIME, TIME, st.sampled_from([None, "u", "v", "w"]))


def known(rows, moment):
    """The rows that hold at a moment, by loops: [(key, at, seen, fact, value)], later seen last."""
    found = {}
    for number, (key, at, seen, fact, value) in enumerate(rows):
        if seen <= moment:
            found[(key, fact) if fact is not None else number] = (key, at, seen, fact, value)
    return list(found.values())


def told_at(rows, lots, moment, within):
    """What is known of every row's context at a moment: the slow twin of `Context.join`."""
    out = []
    for key, at, seen, fact, value in known(rows, moment):
        # What nothing tells from other rows has no later version: its context is that of when it was seen.
        then = moment if fact is not None else seen
        near = [lot for lot in known(lots, then) if lot[0] == key and at - within <= lot[1] <= at]
        latest = max(near, key=lambda lot: (lot[1], lot[2], lot[4]), default=None)
        out.append((key, at, str(fact), value, None if latest is None else latest[4]))
    return sorted(out, key=str)


def ordered(rows):
    """The rows as `Rows` sorts them: by machine, time, seen and arrival; a value tells each apart."""
    found = sorted(rows, key=lambda row: (row[0], row[1], row[2]))
    by_seen = sorted(enumerate(found), key=lambda item: (item[1][2], item[0]))
    return [(*row, float(number)) for number, row in by_seen]


def tabled(rows, name):
    keys, at, seen, facts, values = zip(*rows, strict=True) if rows else ((),) * 5
    words = data.Words.of(facts)
    return data.Rows.of(keys, list(at), list(seen), {"fact": words, name: list(values)}, unique=("fact",))


@settings(max_examples=300, deadline=None)
@given(st.lists(ROW, max_size=8), st.lists(ROW, max_size=10), st.integers(0, 8))
def test_at_every_moment_it_is_what_a_loop_over_the_rows_gives(rows, lots, within):
    rows, lots = ordered(rows), ordered(lots)
    join = data.Context("t", of="lots", columns=("told",), within=steps(within))
    found = join.join(tabled(rows, "value"), tabled(lots, "told"))
    assert all((np.diff(found.machine(key).at) >= 0).all() for key in found.keys)
    for moment in range(-1, 14):
        now = found.known(moment)
        columns = (now.words("fact").texts(), now.floats("value").tolist(), now.floats("told").tolist())
        keys = [now.keys[code] for code in now.segments().tolist()]
        given_ = [
            (key, at, str(fact), value, None if lot != lot else lot)
            for key, at, fact, value, lot in zip(keys, now.at.tolist(), *columns, strict=True)
        ]
        assert sorted(given_, key=str) == told_at(rows, lots, moment, within), moment
        orphan = sum(lot is None for *_, fact, _, lot in given_ if fact != "None")
        counts = join.judge(tabled([row for row in rows if row[3]], "value"), tabled(lots, "told"), moment)[1]
        assert counts["orphans"] == orphan


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8), st.lists(ROW, max_size=10), st.integers(0, 8))
def test_a_feature_at_a_moment_sees_nothing_that_came_later(rows, lots, within):
    rows, lots = tabled(ordered(rows), "value"), tabled(ordered(lots), "told")
    join = data.Context("t", of="lots", columns=("told",), within=steps(within))
    asked = features.Moments.of([key for key in "ab" for _ in range(15)], list(range(15)) * 2)
    last = features.Last("t.told")
    every = last.compute({"t": join.join(rows, lots)}, asked)["t.told.last"]
    for moment in range(15):
        then = {"t": join.join(rows.take(rows.seen <= moment), lots.take(lots.seen <= moment))}
        chosen = asked[np.flatnonzero(asked.at == moment)]
        again = last.compute(then, chosen)["t.told.last"]
        assert np.array_equal(every[asked.at == moment], again, equal_nan=True), moment


def test_sabotage_context_that_is_joined_whenever_it_was_seen_is_noticed(monkeypatch):
    def unseen(self, rows, source):
        latest, low = self._latest(rows, source)
        fits = self._fits(rows, source, np.arange(len(rows)), latest, low) if len(source) else latest >= 0
        return np.where(fits, latest, -1), context.Pieces.none()

    monkeypatch.setattr(data.Context, "_pieces", unseen)
    for test in (
        test_at_every_moment_it_is_what_a_loop_over_the_rows_gives,
        test_a_feature_at_a_moment_sees_nothing_that_came_later,
    ):
        with pytest.raises((AssertionError, ExceptionGroup)):
            test()
