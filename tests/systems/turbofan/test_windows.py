"""Windows against a slow reference; as-of exact; the stream is the batch; spliced records begin anew."""

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import data, features, system
from flyball.systems.turbofan import Inspected, Windows, conditions, windows

SENSORS = tuple(f"cycles.{name}" for name in conditions.DAMAGE)
SETTINGS = ("cycles.a", "cycles.b", "cycles.c")
FEATURE = Windows(SENSORS, SETTINGS, means=(3, 10, 40), slopes=(4,))
TRIED = hypothesis.settings(max_examples=25)


def table(seed, engines=("a", "b"), n=30, late=0.0, missing=0.0, unique=()):
    """Rows of some engines in random conditions; some seen late, some with a missing sensor."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 6, n * len(engines))
    columns = {
        name.partition(".")[2]: np.array(conditions.LEVELS)[kinds, place] + rng.normal(size=len(kinds))
        for place, name in enumerate(SENSORS)
    }
    columns["s2"][rng.random(len(kinds)) < missing] = np.nan
    centres = np.array(conditions.CENTRES)[kinds] + rng.normal(0, 1e-3, (len(kinds), 3))
    columns |= {name: centres[:, place] for place, name in enumerate("abc")}
    at = np.tile(np.arange(1, n + 1), len(engines))
    seen = at + np.where(rng.random(len(at)) < late, rng.integers(1, 9, len(at)), 0)
    return data.Rows.of([key for key in engines for _ in range(n)], at, seen, columns, unique)


def slow(rows, key, moment):
    """Return what the feature says of one engine at one moment, row by row."""
    mine = rows.machine(key)
    mine = mine.take((mine.seen <= moment) & (mine.at <= moment) & (mine.until > moment))
    sensors = np.stack([mine.columns[s.partition(".")[2]] for s in SENSORS], axis=1)
    settings = np.stack([mine.columns[s] for s in "abc"], axis=1)
    whole = np.isfinite(sensors).all(axis=1)
    sensors, kind = sensors[whole], conditions.of(settings[whole])
    begin, best = 0, windows.LIMIT
    worn = conditions.damage(kind, sensors)
    for t in range(windows.AROUND, len(worn) - windows.AROUND + 1):
        fall = worn[t - windows.AROUND : t].mean() - worn[t : t + windows.AROUND].mean()
        if fall > best:
            begin, best = t, fall
    sensors, kind = sensors[begin:], kind[begin:]
    n, out = len(sensors), {}

    def told(rows_, weights):
        sums = np.zeros((6, len(SENSORS) + 1))
        for row, weight in zip(rows_, weights, strict=True):
            sums[kind[row]] += weight * np.append(sensors[row], 1.0)
        return sums

    for name, rows_ in (
        *((f"mean.{w}", range(max(0, n - w), n)) for w in FEATURE.means),
        ("mean.all", range(n)),
        ("mean.new", range(min(n, windows.NEW))),
    ):
        out[f"cycles.{name}"] = told(rows_, [1 / max(len(rows_), 1)] * len(rows_))
    k = min(n, 4)
    i = np.arange(k) - (k - 1) / 2
    weights = i / (i**2).sum() * (k / 4) ** 1.5 if k > 1 else np.zeros(k)
    out["cycles.slope.4"] = told(range(n - k, n), weights)
    out["cycles.history"] = float(n)
    return out


@TRIED
@given(seed=st.integers(0, 10**6), late=st.sampled_from((0.0, 0.3)), missing=st.sampled_from((0.0, 0.2)))
def test_it_is_what_the_slow_reference_says(seed, late, missing):
    rows = table(seed, late=late, missing=missing)
    asked = features.Moments.of(["a", "a", "b", "b", "c"], [1, 17, 5, 30, 4])
    found = FEATURE.compute({"cycles": rows}, asked)
    assert tuple(found) == FEATURE.names()
    for place, (key, moment) in enumerate(zip(asked.names(), asked.at.tolist(), strict=True)):
        for name, wanted in slow(rows, key, moment).items():
            where = f"{name} {key} {moment}"
            np.testing.assert_allclose(found[name][place], wanted, rtol=2e-6, atol=2e-5, err_msg=where)


@TRIED
@given(seed=st.integers(0, 10**6), cut=st.integers(1, 30))
def test_later_rows_and_other_engines_change_not_one_bit(seed, cut):
    rows = table(seed, late=0.2, unique=("at",))
    asked = features.Moments.of(["a"] * 30, range(1, 31))
    early = asked[asked.at <= cut]
    whole = FEATURE.compute({"cycles": rows}, asked)
    before = FEATURE.compute({"cycles": rows.take(rows.seen <= cut)}, early)
    alone = FEATURE.compute({"cycles": rows.machine("a")}, asked)
    for name in FEATURE.names():
        np.testing.assert_array_equal(whole[name][: len(early)], before[name])
        np.testing.assert_array_equal(whole[name], alone[name])


@TRIED
@given(seed=st.integers(0, 10**6))
def test_the_stream_is_the_batch(seed):
    rows = table(seed, engines=("a",), late=0.2)
    page = features.AsOf(Inspected("cycles.on"), (FEATURE,))
    kinds = {name: "number" for name in (*conditions.DAMAGE, "a", "b", "c")}
    fleet = data.Fleet("unit", data.Counter("cycle"), (data.Table("cycles", columns=kinds),))
    asked = features.Moments.of(["a"] * 4, [3, 11, 12, 30])
    batch, stream, done = page.compute({"cycles": rows}, asked), features.Stream(page, fleet), 0
    for place, now in enumerate(asked.at.tolist()):
        stream.push("cycles", rows.take((rows.seen > done) & (rows.seen <= now)))
        done = now
        alone = stream.ask("a", now)
        for name in FEATURE.names():
            np.testing.assert_array_equal(alone.columns[name][0], batch.columns[name][place])


def healed(jump=40, n=80):
    """An engine that wears by three spreads until the jump and is as new after it."""
    rng = np.random.default_rng(3)
    wear = np.where(np.arange(n) < jump, np.linspace(0, 3, n), 0.0)[:, None]
    sensors = np.array(conditions.LEVELS[0]) + np.array(conditions.SPREADS[0]) * (
        wear + rng.normal(0, 0.1, (n, 5))
    )
    columns = {name: sensors[:, place] for place, name in enumerate(conditions.DAMAGE)}
    columns |= {"a": np.zeros(n), "b": np.zeros(n), "c": np.full(n, 100.0)}
    return data.Rows.of(["a"] * n, range(1, n + 1), columns=columns)


def test_a_record_that_heals_begins_anew_once_that_is_visible():
    rows = healed()
    history = FEATURE.compute({"cycles": rows}, features.Moments.of(["a"] * 80, range(1, 81)))[
        "cycles.history"
    ]
    assert history[:48].tolist() == list(range(1, 49))
    assert history[52:].tolist() == list(range(13, 41))


def test_wear_alone_is_no_splice():
    rows = healed(jump=80)
    history = FEATURE.compute({"cycles": rows}, features.Moments.of(["a"], [80]))["cycles.history"]
    assert history.tolist() == [80.0]


def test_inspections_are_asked_once_in_order_and_within_the_span():
    rows = data.Rows.of(["b", "a", "a", "a"], [2, 3, 1, 2], columns={"on": [1.0, 1.0, 0.0, np.nan]})
    asked = Inspected("cycles.on")
    found = asked.moments({"cycles": rows})
    assert (found.names(), found.at.tolist()) == (["a", "b"], [3, 2])
    assert asked.moments({"cycles": rows}, since=3).names() == ["a"]
    assert asked.moments({"cycles": rows}, until=3).names() == ["b"]


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (Windows(SENSORS[1:], SETTINGS), "no s2"),
        (Windows(SENSORS, SETTINGS[:2]), "2 settings"),
        (Windows(SENSORS, SETTINGS, means=(0,)), "a window of no row"),
    ],
)
def test_problems_of_a_page_are_told(part, what):
    from flyball.systems.turbofan import page

    assert what in "; ".join(map(str, part.problems(page.system)))
    assert system.read(repr(part)) == part
