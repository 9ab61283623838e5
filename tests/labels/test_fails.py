import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.labels import plain

from flyball import data, errors, features, labels
from flyball.units import days, steps


def truth_of(label, table, key, m, as_of):
    """(value, reason) by the definition, one moment at a time."""
    rows = plain.known(table, key, as_of)
    everything = [
        max(table.at[row], table.seen[row]) for name in table.keys for row in plain.known(table, name, None)
    ]
    cut = max(everything, default=-(10**9)) if as_of is None else as_of
    opens, closes = m + label.gap, m + label.gap + label.within
    events = [table.at[row] for row in rows if table.columns["failed"][row] == 1]
    planned = [table.at[row] for row in rows if table.columns["planned"][row] == 1 and table.at[row] > m]
    shown = max((table.at[row] for row in rows if table.at[row] <= m), default=-(10**9))
    before = [at for at in events if at <= m]
    inside = [at for at in events if opens < at <= closes]
    if before and shown <= before[-1]:
        return math.nan, "failed"
    if before and label.blackout and m <= before[-1] + label.blackout:
        return math.nan, "blackout"
    if any(m < at <= opens for at in events):
        return math.nan, "gap"
    if closes + label.wait > cut:
        return math.nan, "future"
    if label.censored_by and planned and planned[0] <= closes and not (inside and inside[0] <= planned[0]):
        return math.nan, "censored"
    if inside:
        return 1.0, None
    if max((table.at[row] for row in rows), default=-(10**9)) < closes - label.silence:
        return math.nan, "censored"
    return 0.0, None


SPAN = st.integers(0, 3).map(lambda n: steps(n) if n else 0)


@given(
    plain.logs(),
    plain.moments(),
    st.integers(1, 5),
    SPAN,
    SPAN,
    SPAN,
    SPAN,
    st.booleans(),
    st.none() | st.integers(0, 18),
)
def test_as_the_oracle(table, asked, within, gap, blackout, silence, wait, planned, as_of):
    label = labels.FailsWithin(
        steps(within), event="t.failed", gap=gap, blackout=blackout, silence=silence, wait=wait,
        censored_by="t.planned" if planned else None,
    )  # fmt: skip
    found = label.label({"t": table}, asked, as_of)
    wanted = [
        truth_of(label, table, key, m, as_of) for key, m in zip(asked.names(), asked.at.tolist(), strict=True)
    ]
    assert found.why.texts() == [why for _, why in wanted]
    np.testing.assert_array_equal(found.value, np.array([value for value, _ in wanted], dtype=float))
    assert found.known.tolist() == [why is None for _, why in wanted]
    followed_as_told(label, table, asked, found)


def followed_as_told(label, table, asked, found):
    """How long each machine was followed agrees with the answer, and with the events of the table."""
    opens, closes = label.window()
    for row, (key, m) in enumerate(zip(asked.names(), asked.at.tolist(), strict=True)):
        until, came, why = int(found.until[row]), bool(found.came[row]), found.why.texts()[row]
        assert until >= m and not (came and until <= m + opens)
        if why in ("failed", "blackout", "gap"):
            assert (until, came) == (m, False)
        elif why is None:
            assert until >= m + closes or came
            assert (found.value[row] == 1.0) == (came and until <= m + closes)
        elif why == "censored":
            assert not came
        if came:
            events = plain.known(table, key, None)
            assert until in [table.at[one] for one in events if table.columns["failed"][one] == 1]


@given(plain.logs(), plain.moments(), st.integers(0, 16))
def test_rows_seen_after_the_cut_change_nothing(table, asked, as_of):
    label = labels.FailsWithin(steps(3), event="t.failed", blackout=steps(1))
    before = label.label({"t": table.take(table.seen <= as_of)}, asked, as_of)
    after = label.label({"t": table}, asked, as_of)
    np.testing.assert_array_equal(after.value, before.value)
    assert after.why.texts() == before.why.texts()


def test_any_table_shows_that_a_machine_lives_unless_one_is_named():
    tables = {
        "telemetry": data.Rows.of(["a"] * 10, at=[days(day) for day in range(10)]),
        "repairs": data.Rows.of(["a"], at=[days(1)], columns={"failed": [1.0]}),
        "answers": data.Rows.of(["a"], at=[days(99)]),
    }
    asked = features.Moments.of(["a"] * 2, [days(4), days(8)])
    label = labels.FailsWithin(days(3), event="repairs.failed")
    assert label.label(tables, asked, days(20)).why.texts() == [None, "censored"]
    named = labels.FailsWithin(days(3), event="repairs.failed", alive="repairs")
    assert named.label(tables, asked, days(20)).why.texts() == ["failed", "failed"]


def test_a_table_that_has_not_arrived_is_said():
    asked = features.Moments.of(["a"], [0])
    tables = {"repairs": data.Rows.of(["a"], at=[0], columns={"failed": [0.0]})}
    with pytest.raises(errors.DataError, match="table 'telemetry' has not arrived"):
        labels.FailsWithin(days(3), event="repairs.failed", alive="telemetry").label(tables, asked, None)
    with pytest.raises(errors.DataError, match="did you mean 'repairs'"):
        labels.FailsWithin(days(3), event="repair.failed").label(tables, asked, None)
    with pytest.raises(errors.DataError, match="did you mean 'failed'"):
        labels.FailsWithin(days(3), event="repairs.fialed").label(tables, asked, None)


def test_horizon_and_kind():
    label = labels.FailsWithin(days(7), event="t.failed", gap=days(1), wait=days(2))
    assert label.horizon() == days(10) and label.kind() == labels.Probability()
    assert label.reads() == ("t.failed",)
    assert labels.FailsWithin(days(7), event="t.failed", censored_by="t.planned").reads()[1] == "t.planned"


@pytest.mark.parametrize(
    "change, said",
    [
        ({"within": 7}, "a bare 7 is no horizon"),
        ({"within": days(-7)}, "look ahead"),
        ({"gap": days(-1)}, "gap: a span of"),
        ({"blackout": 3}, "blackout: a bare 3"),
        ({"wait": steps(1)}, "wait: a span of steps(1)"),
        ({"event": "t.fialed"}, "no column 't.fialed'"),
        ({"event": "t.x"}, "a bool is needed"),
        ({"censored_by": "t.code"}, "a bool is needed"),
        ({"alive": "tt"}, "did you mean 't'?"),
    ],
)
def test_problems(page, change, said):
    declared = {"within": days(7), "event": "t.on"}
    found = [
        str(problem) for problem in labels.FailsWithin(**declared | change).problems(page(data.WallClock()))
    ]
    assert len(found) == 1 and said in found[0], found


def test_no_problem(page):
    assert list(labels.FailsWithin(days(7), event="t.on", gap=days(1)).problems(page(data.WallClock()))) == []


def test_the_test_week_of_a_real_fleet(data_folder):
    """198 drive-days of 58 drives are positive in 2013-05-06 to 05-12, and 137 drives vanish without a failure."""
    import polars

    found = polars.read_parquet(
        data_folder / "backblaze_2013" / "drive_days_2013-04-10_2013-05-19.parquet",
        columns=["date", "serial_number", "failure"],
    )
    at = found["date"].cast(polars.Datetime("us")).to_physical().to_numpy()
    failed = found["failure"].cast(polars.Float64).to_numpy()
    logs = data.Rows.of(found["serial_number"].cast(str).to_list(), at, columns={"failure": failed})
    first = int(np.datetime64("2013-05-06", "us").astype(np.int64))
    asked = features.Every(days(1)).moments({"logs": logs}, since=first, until=first + days(7))
    truth = labels.FailsWithin(days(7), event="logs.failure").label({"logs": logs}, asked, None)
    positive = truth.value == 1
    assert int(positive.sum()) == 198
    assert len({name for name, yes in zip(asked.names(), positive, strict=True) if yes}) == 58
    last = logs.starts[1:] - 1
    vanished = (logs.at[last] < logs.at.max()) & (logs.columns["failure"][last] != 1)
    assert int(vanished.sum()) == 137


def test_until_when_a_machine_was_followed_and_what_ended_it():
    logs = data.Rows.of(
        ["a"] * 12 + ["b"] * 12 + ["c"] * 4,
        at=[days(day) for day in (*range(12), *range(12), *range(4))],
        columns={
            "failed": [float(day == 9) for day in range(12)] + [0.0] * 16,
            "planned": [0.0] * 12 + [float(day == 5) for day in range(12)] + [0.0] * 4,
        },
    )
    label = labels.FailsWithin(
        days(3), event="logs.failed", gap=days(1), wait=days(1), censored_by="logs.planned"
    )
    asked = features.Moments.of(["a", "a", "b", "b", "c"], [days(0), days(7), days(3), days(6), days(1)])
    found = label.label({"logs": logs}, asked, days(11))
    assert found.why.texts() == [None, "future", "censored", None, "censored"]
    assert [at // days(1) for at in found.until.tolist()] == [9, 9, 5, 10, 3]
    assert found.came.tolist() == [True, True, False, False, False]
    assert label.window() == (days(1), days(4))
    assert found.take([0, 2]).until.tolist() == [days(9), days(5)]
