"""The stream answers as the batch does: for any chunking, resumed anywhere, with rows dropped in between."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features import plain

from flyball import data, errors, features
from flyball.data import context
from flyball.features import rolling
from flyball.units import steps

#: Bit-equal in the stream; `MOMENTS` to a tolerance.
ORDER = ("count", "min", "max", "median", "first", "last")
MOMENTS = ("mean", "std", "sum", "slope")


def fleet(unique):
    columns = {"x": "kW", "code": "category", "order": "number"}
    return data.Fleet("machine", data.Counter("n"), (data.Table("t", columns=columns, unique=unique),))


def newest(window):
    return {"rows": len(window["t.at"]), "newest": window["t.at"][-1] if len(window["t.at"]) else math.nan}


BOUNDED = features.AsOf(
    features.Every(steps(1)),
    (
        features.Rolling("t.x", over=(steps(2), steps(6)), by=(*ORDER, *MOMENTS)),
        features.Count("t.code", over=steps(4), each=plain.CODES),
        features.Departure("t.x", over=steps(2), against=steps(4)),
        features.Last("t.x", at_most=steps(3)),
        features.Smooth("t.x", half_life=steps(1)),
        features.Column(newest, of=("t.code",), makes=("rows", "newest"), over=steps(5)),
    ),
)
UNBOUNDED = features.AsOf(
    features.Every(steps(1)),
    (
        features.Last("t.x"),
        features.Last("t.code"),
        features.Difference("t.x", over=(steps(3), "first")),
        features.Since("t.code", each=plain.CODES, per=steps(1)),
        features.Age("t", per=steps(1)),
        features.Sequence(("t.x", "t.order"), last=3),
    ),
)


def replayed(page, table, asked, cuts, resume, disorder=0, ahead=0):
    """Every answer, with rows pushed in chunks as they are seen, each before the first moment that sees it."""
    stream = features.Stream(page, fleet(table.unique), disorder=steps(disorder) if disorder else 0)
    order = np.argsort(table.seen, kind="stable")
    pushed, answers = 0, {}
    for turn, place in enumerate(np.argsort(asked.at, kind="stable")):
        moment = int(asked.at[place])
        due = int(np.searchsorted(table.seen[order], moment + ahead, side="right"))
        due = max(due, pushed)
        for part in np.array_split(order[pushed:due], cuts):
            # Sorted by arrival, one row at a time: a chunk's own order is the order of its rows.
            stream.push("t", table.take(np.sort(part)))
        pushed = due
        answers[place] = stream.ask(asked.names()[place], moment)
        if resume and turn % 2:
            stream = features.Stream(
                page, fleet(table.unique), stream.disorder, json.loads(json.dumps(stream.state()))
            )
    return stream, answers


def same(found, wanted):
    assert list(found.columns) == list(wanted.columns)
    for name, column in wanted.columns.items():
        other = found.columns[name]
        if isinstance(column, data.Words):
            assert other.texts() == column.texts(), name
        elif name.split(".")[-2] in (*MOMENTS, "smooth") if "." in name else False:
            np.testing.assert_allclose(other, column, rtol=1e-9, atol=1e-9, err_msg=name)
        else:
            np.testing.assert_array_equal(other, column, err_msg=name)


@given(plain.rows(), plain.moments(), st.integers(1, 3), st.booleans(), st.sampled_from((0, 3, 99)))
def test_bounded_features_are_those_of_the_batch_always(table, asked, cuts, resume, ahead):
    batch = BOUNDED.compute({"t": table}, asked)
    stream, answers = replayed(BOUNDED, table, asked, cuts, resume, ahead=ahead)
    for place, x in answers.items():
        same(x, batch.take(np.array([place])))
    assert stream.late == 0


@given(plain.rows(), plain.moments(), st.integers(1, 3), st.booleans(), st.integers(0, 8))
def test_unbounded_features_are_those_of_the_batch_while_none_is_beyond(table, asked, cuts, resume, disorder):
    batch = UNBOUNDED.compute({"t": table}, asked)
    stream, answers = replayed(UNBOUNDED, table, asked, cuts, resume, disorder)
    if stream.beyond == 0:
        for place, x in answers.items():
            same(x, batch.take(np.array([place])))


def test_a_correction_of_the_distant_past_is_counted_and_one_within_the_disorder_is_exact():
    values = {"x": [1.0, 2.0]}
    page = features.AsOf(features.Every(steps(1)), (features.Last("t.x"),))
    for disorder, beyond, answer in ((0, 1, math.nan), (20, 0, 1.0)):
        stream = features.Stream(page, fleet(("at",)), disorder=steps(disorder))
        stream.push("t", data.Rows.of(["a", "a"], at=[1, 2], columns=values))
        stream.ask("a", 10)
        stream.push("t", data.Rows.of(["a"], at=[2], seen=[11], columns={"x": [math.nan]}))
        np.testing.assert_array_equal(stream.ask("a", 12).columns["t.x.last"], [answer])
        assert stream.beyond == beyond


def test_a_corrected_row_does_not_come_back_when_its_correction_is_dropped():
    table = data.Rows.of(
        ["a", "a"],
        at=[10, 5],
        seen=[10, 11],
        columns={"x": [7.0, 1.0], "order": [1.0, 1.0]},
        unique=("order",),
    )
    page = features.AsOf(features.Every(steps(1)), (features.Rolling("t.x", over=steps(4), by="max"),))
    stream = features.Stream(page, fleet(("order",)))
    stream.push("t", table)
    found = [stream.ask("a", moment).columns["t.x.max.4n"][0] for moment in (10, 11, 12)]
    np.testing.assert_array_equal(found, [7.0, math.nan, math.nan])


def test_rows_not_seen_yet_are_kept_until_they_are():
    page = features.AsOf(features.Every(steps(1)), (features.Rolling("t.x", over=steps(4), by="max"),))
    stream = features.Stream(page, fleet(("order",)))
    stream.push("t", data.Rows.of(["a"], [10], columns={"x": [7.0], "order": [1.0]}))
    stream.push("t", data.Rows.of(["a"], [5], seen=[12], columns={"x": [1.0], "order": [1.0]}))
    found = [stream.ask("a", moment).columns["t.x.max.4n"][0] for moment in (10, 11, 12)]
    np.testing.assert_array_equal(found, [7.0, 7.0, math.nan])


def test_rows_said_to_be_seen_before_an_answer_are_counted():
    stream = features.Stream(BOUNDED, fleet(()))
    stream.ask("a", 10)
    stream.push("t", data.Rows.of(["a", "b"], at=[9, 9], columns={"x": [1.0, 1.0]}))
    stream.push("t", data.Rows.of(["a"], at=[9], seen=[11], columns={"x": [1.0]}))
    assert (stream.late, stream.beyond) == (1, 0)


def test_memory_is_bounded_where_the_look_back_is():
    for page, most in ((BOUNDED, 25), (UNBOUNDED, 12)):
        stream = features.Stream(page, fleet(()))
        for step in range(400):
            stream.push("t", data.Rows.of(["a"], [step], columns={"x": [1.0], "code": ["AB"[step % 2]]}))
            stream.ask("a", step)
            assert len(stream) <= most


def test_a_machine_without_rows_is_answered_like_in_batch():
    table = data.Rows.of(["a"], [1], columns={"x": [1.0], "code": ["A"], "order": [1.0]})
    asked = features.Moments.of(["nobody"], [5])
    for page in (BOUNDED, UNBOUNDED):
        same(features.Stream(page, fleet(())).ask("nobody", 5), page.compute({"t": table}, asked))


def test_time_does_not_go_back():
    stream = features.Stream(BOUNDED, fleet(()))
    stream.ask("a", 5)
    with pytest.raises(errors.DataError, match="in order of time"):
        stream.ask("a", 4)


def test_a_table_nobody_reads_is_passed_over_and_an_unknown_one_is_an_error():
    stream = features.Stream(BOUNDED, fleet(()))
    stream.push("u", data.Rows.of(["a"], [1]))
    assert len(stream) == 0
    with pytest.raises(errors.DeclarationError, match="did you mean 't'"):
        features.Stream(features.AsOf(features.Every(steps(1)), (features.Last("tt.x"),)), fleet(()))


def test_a_missing_column_stops_its_feature():
    x = features.Stream(BOUNDED, fleet(())).ask("a", 1, absent={"t.code": "renamed"})
    assert x.stopped["rows"] == "renamed" and "rows" not in x.columns


def test_every_statistic_is_compared():
    assert set(ORDER) | set(MOMENTS) == set(rolling.STATISTICS)


FACTS = st.lists(
    st.tuples(
        st.sampled_from("aab"),
        st.integers(0, 10),
        st.integers(0, 6),
        st.integers(0, 5),
        st.sampled_from("vwx"),
    ),
    min_size=4,
    max_size=20,
)
NEAR = (
    data.Context("u", of="jobs", columns=("plan",), within=steps(4)),
    data.Context("t", of="u", columns=("told", "plan"), within=steps(3)),
)


def facts(items, name, unique):
    """Rows of what was drawn: machine, time, delay, fact and value; texts as `plan`, their place as `told`."""
    columns = {
        "order": [float(item[3]) for item in items],
        "told": [float(place) for place in range(len(items))],
        "plan": data.Words.of([item[4] for item in items]),
    }
    kept = {"t": ("order",), "u": ("order", "told"), "jobs": ("order", "plan")}[name]
    at = np.array([item[1] for item in items], dtype=np.int64)
    seen = at + np.array([item[2] for item in items], dtype=np.int64)
    return data.Rows.of([item[0] for item in items], at, seen, {n: columns[n] for n in kept}, unique)


@given(
    FACTS, FACTS, FACTS, st.lists(st.integers(0, 18), min_size=3, max_size=9), st.booleans(), st.booleans()
)
def test_context_is_joined_in_the_stream_as_in_the_batch(t, u, jobs, asked, resume, by_at):
    unique = ("at",) if by_at else ("order",)
    kinds = {
        "t": {"order": "1"},
        "u": {"order": "1", "told": "1"},
        "jobs": {"order": "1", "plan": "category"},
    }
    tables = tuple(data.Table(name, columns=columns, unique=unique) for name, columns in kinds.items())
    page = data.Fleet("machine", data.Counter("at"), tables, context=NEAR)
    asof = features.AsOf(
        features.Every(steps(1)),
        (
            features.Rolling("t.told", over=steps(6), by=("max", "count")),
            features.Last("t.plan", at_most=steps(5)),
            features.Rolling("t.order", over=steps(4), by="count"),
        ),
    )
    rows = {name: facts(items, name, unique) for name, items in (("t", t), ("u", u), ("jobs", jobs))}
    moments = features.Moments.of(["a"] * len(asked) + ["b"] * len(asked), sorted(asked) * 2)
    batch = asof.compute(context.joined(NEAR, rows), moments)
    stream, pushed = features.Stream(asof, page), -1
    for place, moment in enumerate(sorted(asked)):
        for name, of in rows.items():
            stream.push(name, of.take((of.seen > pushed) & (of.seen <= moment)))
        pushed = moment
        for machine in range(2):
            found = stream.ask("ab"[machine], moment)
            same(found, batch.take(np.array([machine * len(asked) + place])))
        if resume:
            stream = features.Stream(asof, page, state=json.loads(json.dumps(stream.state())))
    assert stream.late == 0


def test_context_that_no_row_can_take_any_more_is_let_go():
    tables = (
        data.Table("t", columns={"order": "1"}, unique=("at",)),
        data.Table("u", columns={"told": "1"}, unique=("at",)),
    )
    near = data.Context("t", of="u", columns=("told",), within=steps(3))
    page = data.Fleet("machine", data.Counter("at"), tables, context=(near,))
    for feature, most in (
        (features.Rolling("t.told", over=steps(6), by="max"), 18),
        (features.Last("t.told"), 8),
    ):
        stream = features.Stream(features.AsOf(features.Every(steps(1)), (feature,)), page)
        for step in range(100):
            stream.push("u", data.Rows.of(["a"], [step], columns={"told": [float(step)]}))
            stream.push("t", data.Rows.of(["a"], [step], columns={"order": [1.0]}))
            assert stream.ask("a", step).columns[feature.names()[0]].tolist() == [step]
            assert len(stream) <= most
        # Context that comes late corrects a row that was asked about: without a bound that is counted.
        stream.push("u", data.Rows.of(["a"], [99], seen=[100], columns={"told": [7.0]}))
        assert stream.beyond == 1


def test_context_of_context_waits_for_the_rows_between():
    kinds = {"t": {"order": "1"}, "u": {"order": "1"}, "jobs": {"plan": "category"}}
    tables = tuple(data.Table(name, columns=columns, unique=("at",)) for name, columns in kinds.items())
    near = (NEAR[0], data.Context("t", of="u", columns=("plan",), within=steps(3)))
    page = data.Fleet("machine", data.Counter("at"), tables, context=near)
    stream = features.Stream(
        features.AsOf(features.Every(steps(1)), (features.Last("t.plan", at_most=steps(6)),)), page
    )
    stream.push("jobs", data.Rows.of(["a"], [7], columns={"plan": ["v"]}))
    stream.push("t", data.Rows.of(["a"], [12], columns={"order": [1.0]}))
    assert stream.ask("a", 13).columns["t.plan.last"].texts() == [None]
    stream.push("u", data.Rows.of(["a"], [11], seen=[14], columns={"order": [1.0]}))
    assert stream.ask("a", 15).columns["t.plan.last"].texts() == ["v"]
