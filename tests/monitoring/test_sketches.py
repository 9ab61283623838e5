"""Sketches: the stated error against all rows, the same bytes in any order, and nothing but sketches read back."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import data, errors, kernels
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.monitoring import bins, sketches

DAY = 86_400_000_000
NUMBERS = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.integers(-3, 3).map(float), st.just(float("nan"))), max_size=120
)
TEXTS = st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), max_size=80)
CUTS = st.lists(st.integers(0, 120), max_size=4).map(sorted)


def matrix(columns, machine="s1", first=0):
    """A matrix of one machine, a row an hour."""
    rows = len(next(iter(columns.values())))
    at = first + np.arange(rows) * (DAY // 24)
    return features.Matrix(features.Moments.of([machine] * rows, at), columns)


def words(values):
    return data.Words.of(values)


def counted(p, q):
    """The divergences of two rows of counts, as they are defined."""
    return bins.divergences(np.array(p) / sum(p), np.array(q) / sum(q))


@given(NUMBERS, CUTS)
def test_the_same_bytes_however_the_rows_are_cut(values, cuts):
    labelled = words([None if v != v else str(round(v)) for v in values])
    x = matrix({"x": np.array(values, float), "c": labelled})
    whole = sketches.Sketches().push(x).closed()
    parts = sketches.Sketches()
    for first, last in zip([0, *cuts], [*cuts, len(values)], strict=True):
        parts.push(x.take(slice(first, last)))
    assert [one.to_bytes() for one in parts.closed()] == [one.to_bytes() for one in whole]


def test_long_streams_are_the_same_however_they_are_cut():
    rng = np.random.default_rng(0)
    x = matrix(
        {"x": rng.normal(size=30_000), "c": words(rng.integers(0, 12_000, 30_000).astype(str).tolist())}
    )
    growing = sketches.Sketches(every=10**15)
    for first in range(0, 30_000, 777):
        growing.push(x.take(slice(first, first + 777)))
    whole = sketches.Sketches(every=10**15).push(x)
    found = growing.closed()[0]
    assert found.to_bytes() == whole.closed()[0].to_bytes()
    assert found.columns["c"].count == found.columns["x"].count == 30_000


@given(st.lists(st.tuples(NUMBERS, TEXTS), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_machines_merge_to_the_same_bytes_in_any_order_and_once(machines, random):
    leaves = []
    for number, (values, texts) in enumerate(machines):
        made = sketches.Sketches()
        made.push(matrix({"x": np.array(values, float)}, f"s{number}"))
        made.push(matrix({"c": words(texts)}, f"s{number}"))
        leaves += made.closed()
    if not leaves:
        with pytest.raises(errors.DataError, match="nothing was met"):
            sketches.merged(leaves)
        return
    first = sketches.merged(leaves, "fleet").to_bytes()
    shuffled = leaves + leaves[:2]
    random.shuffle(shuffled)
    assert sketches.merged(shuffled, "fleet").to_bytes() == first


@given(NUMBERS, NUMBERS)
def test_few_rows_are_compared_exactly(before, now):
    one, other = (sketches.of({"x": np.array(values, float)}) for values in (before, now))
    figures = sketches.apart(one, other)[0].figures
    there, here = (np.array([v for v in values if v == v]) for values in (before, now))
    assert figures["missing"].value == pytest.approx(1 - len(here) / len(now) if now else 0)
    assert figures["was_missing"].value == pytest.approx(1 - len(there) / len(before) if before else 0)
    if not len(there) or not len(here):
        assert set(figures) == {"missing", "was_missing"}
        return
    exact = kernels.SortedReference(there).distances(here)
    assert figures["ks"].value == pytest.approx(exact.ks[0], abs=1e-12)
    assert figures["wasserstein"].value == pytest.approx(exact.wasserstein[0], rel=1e-9, abs=1e-9)
    edges = sketches._edges(one.columns["x"])
    cut = [
        np.bincount(np.searchsorted(edges, v, side="right"), minlength=len(edges) + 1) for v in (there, here)
    ]
    for name, value in counted(*cut).items():
        if name != "ks":
            assert figures[name].value == pytest.approx(max(value, 0), abs=1e-9)
    for figure in figures.values():
        assert figure.low == pytest.approx(figure.value, abs=1e-9) == pytest.approx(figure.high, abs=1e-9)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(["normal", "cauchy", "ties", "walk"]), st.floats(-1, 1),
    st.integers(1_000, 40_000), st.integers(1, 6),
)  # fmt: skip
def test_many_rows_are_compared_within_the_stated_error(seed, kind, shift, rows, machines):
    rng = np.random.default_rng(seed)

    def drawn(size):
        return {
            "normal": lambda: rng.normal(size=size),
            "cauchy": lambda: rng.standard_cauchy(size),
            "ties": lambda: rng.integers(0, 30, size).astype(float),
            "walk": lambda: rng.normal(size=size).cumsum() / 10,
        }[kind]()

    before, parts = drawn(20_000), [drawn(rows) + shift for _ in range(machines)]
    now = np.concatenate(parts)
    one = sketches.of({"x": before})
    leaves = [sketches.of({"x": part}, f"s{place}") for place, part in enumerate(parts)]
    figures = sketches.apart(one, sketches.merged(leaves))[0].figures
    exact = kernels.SortedReference(before).distances(now)
    edges = sketches._edges(one.columns["x"])
    p, q = (
        np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) / len(values)
        for values in (before, now)
    )
    true = bins.divergences(p, q) | {"ks": exact.ks[0], "wasserstein": exact.wasserstein[0]}
    for name, value in true.items():
        found = figures[name]
        assert found.low - 1e-12 <= value <= found.high + 1e-12, name
        assert found.low <= found.value <= found.high
    assert figures["ks"].high - figures["ks"].low <= 2 * 2 * kernels.QuantileSketch.ERROR + 1e-12
    # The bounds are for the worst; a shift of nothing is told as next to nothing.
    assert abs(figures["psi"].value - true["psi"]) <= 0.02 + 0.2 * true["psi"]


@given(TEXTS, TEXTS)
def test_categories_are_exact_while_they_are_few(before, now):
    one, other = (sketches.of({"c": words(values)}) for values in (before, now))
    told = sketches.apart(one, other)[0]
    known, here = [v for v in before if v], [v for v in now if v]
    if not known or not here:
        assert set(told.figures) == {"missing", "was_missing"}
        return
    new = [value for value in here if value not in known]
    assert told.figures["new"].value == pytest.approx(len(new) / len(here))
    assert told.figures["new"].low == told.figures["new"].value == told.figures["new"].high
    assert set(told.names) == set(new)
    kept = [value for value in here if value in known]
    listed = sorted(set(known))
    if kept:
        true = counted([known.count(v) for v in listed], [kept.count(v) for v in listed])
        assert told.figures["psi"].value == pytest.approx(max(true["psi"], 0), abs=1e-12)
        assert told.figures["psi"].high == pytest.approx(told.figures["psi"].value, abs=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.floats(1.1, 3))
def test_many_categories_are_counted_within_what_is_told(seed, machines, power):
    rng = np.random.default_rng(seed)
    drawn = [[f"E-{n}" for n in rng.zipf(power, 3000).tolist()] for _ in range(machines)]
    leaves = [sketches.of({"c": words(values)}, f"s{place}") for place, values in enumerate(drawn)]
    found = sketches.merged(leaves).columns["c"]
    everything = [value for values in drawn for value in values]
    true = {label: everything.count(label) for label in {*found.counts, *everything[:50]}}
    assert found.count == len(everything)
    assert len(found.counts) <= sketches.MOST_CATEGORIES
    for label, many in true.items():
        told = found.counts.get(label)
        if told is None:
            assert many <= found.beyond
        else:
            assert told <= many <= told + found.short
    listed = list(leaves[0].columns["c"].counts)
    shares, off = found.shares(listed)
    all_of_them = sum(everything.count(label) for label in listed)
    for label, share, may in zip(listed, shares, off, strict=True):
        assert abs(everything.count(label) / all_of_them - share) <= may + 1e-12


def test_a_new_category_is_new_only_where_the_reference_lists_all():
    every = words([f"E-{n}" for n in range(150) for _ in range(2)])
    whole, few = sketches.of({"c": every}), sketches.of({"c": words(["a", "b"])})
    now = sketches.of({"c": words(["E-99", "a"])})
    assert sketches.apart(few, now)[0].figures["new"].low == 0.5
    assert whole.columns["c"].other == 100
    told = sketches.apart(whole, now)[0].figures["new"]
    assert (told.low, told.high) == (0, 1)


def test_a_number_that_became_a_category_is_new_altogether():
    number, category = sketches.of({"x": np.ones(3)}), sketches.of({"x": words(["1"])})
    assert sketches.apart(number, category)[0].figures["new"].value == 1
    assert sketches.apart(category, number)[0].figures["new"].value == 1
    with pytest.raises(errors.DataError, match="'x': a number on one machine and a category on another"):
        sketches.merged([number, category])
    growing = sketches.Sketches().push(matrix({"x": np.ones(1)}))
    with pytest.raises(errors.DataError, match="'x': once a number and once a category"):
        growing.push(matrix({"x": words(["1"])}))


def test_a_column_that_is_no_longer_computed_is_missing():
    growing = (
        sketches.Sketches().push(matrix({"x": np.ones(6), "y": np.ones(6)})).push(matrix({"x": np.ones(2)}))
    )
    found = growing.closed()[0]
    assert (found.missing("x"), found.missing("y"), found.missing("z")) == (0, 0.25, 1)
    told = {one.column: one for one in sketches.apart(found, sketches.of({"x": np.ones(1)}))}
    assert told["y"].figures["missing"].value == 1
    assert "psi" not in told["y"].figures


def test_infinite_values_are_missing_as_they_are_to_the_detector():
    found = sketches.of({"x": np.array([1.0, np.inf, -np.inf, np.nan])})
    assert found.missing("x") == 0.75
    extremes = sketches.of({"x": np.array([-1.7e308, 1.7e308])})
    assert sketches.Sketch.from_bytes(extremes.to_bytes()) == extremes
    assert sketches.apart(extremes, found)[0].figures["ks"].value == 0.5


def test_answers_are_told_by_their_kind():
    quantity = np.array([[0.2, 0.1, 0.3]])
    assert sketches.answered(quantity, labels.Quantity())["answer"].tolist() == [0.2]
    assert sketches.answered(np.array([0.4]), labels.Probability())["answer"].tolist() == [0.4]
    assert sketches.answered(np.array([0.4]))["answer"].tolist() == [0.4]
    unsure = sketches.answered(np.array([[np.nan, 1.0], [0.75, 0.25]]), labels.Classes(("a", "b")))
    assert unsure["answer: class"].texts() == [None, "a"]
    assert sketches.answered(None) == {}
    kind = labels.Classes(("a", "b"))
    found = sketches.Sketches().push(matrix({"x": np.ones(2)}), np.array([[0.9, 0.1]] * 2), kind).closed()[0]
    assert found.columns["answer: class"].counts == {"a": 2}


def test_only_finished_spans_are_taken_away():
    growing = sketches.Sketches(begun=5).push(matrix({"x": np.ones(30)}))
    assert [one.rows for one in growing.closed(DAY)] == [24]
    growing.push(matrix({"x": np.ones(1)}, first=DAY + 8 * DAY // 24))
    assert [(one.rows, one.since, one.until, one.begun) for one in growing.closed()] == [(7, DAY, 2 * DAY, 5)]
    assert growing.closed() == []
    with pytest.raises(errors.DeclarationError, match="is no span"):
        sketches.Sketches(every=0)


def test_sketches_of_one_span_are_told_apart_by_when_they_were_begun():
    leaves = [sketches.of({"x": np.ones(4)}, "s1", 0, DAY, begun) for begun in (1, 1, 2)]
    assert sketches.merged(leaves).rows == 8


def full():
    """As large as a sketch becomes: a hundred thousand rows, and categories of every length and script."""
    rng = np.random.default_rng(1)
    names = [f"{'欠' * int(n % 40)}\x01{n}" for n in rng.integers(0, 5000, 100_000)]
    return sketches.of({"number": rng.normal(size=100_000), "category": words(names)}, "s" * 64)


def test_it_takes_a_few_kilobytes_and_no_more():
    found = full()
    number, category = (
        len(sketches.Sketch(found.unit, 0, 0, 0, found.rows, {name: found.columns[name]}).to_bytes())
        for name in ("number", "category")
    )
    assert number <= sketches.NUMBER_BYTES + len("number") + 256 + 64
    assert category <= sketches.CATEGORY_BYTES + len("category") + 256 + 64
    worst = sketches.Categories({f"{n:0>47}"[:47]: 2**60 for n in range(100)}, 2**60, 2**60, 2**60)
    sent = sketches.Sketch("", 2**62, 2**62, 2**62, 2**62 * 100, {"c": worst}).to_bytes()
    assert len(sent) <= sketches.CATEGORY_BYTES + 256
    day = sketches.of({"x": np.arange(24.0)}, "s1", 0, DAY)
    assert len(day.to_bytes()) < 500


def test_what_was_sent_is_read_back_equal_and_to_the_same_bytes():
    found = full()
    back = sketches.Sketch.from_bytes(found.to_bytes())
    assert back == found
    assert back.to_bytes() == found.to_bytes()
    assert sketches.merged([back]).columns == found.columns


@given(st.data())
def test_damage_is_refused(drawn):
    sent = sketches.of({"x": np.arange(9.0), "c": words(["a"] * 9)}, "s1", 0, DAY).to_bytes()
    place = drawn.draw(st.integers(0, len(sent) - 1))
    other = bytes([sent[place] ^ drawn.draw(st.integers(1, 255))])
    for damaged in (sent[:place], sent[:place] + other + sent[place + 1 :], sent + other):
        with pytest.raises(errors.DataError):
            sketches.Sketch.from_bytes(damaged)


def resealed(change):
    """A sketch whose digest is right and whose content is not."""
    import hashlib
    import struct

    body = sketches.of({"x": np.arange(9.0)}, "s1", 0, DAY).to_bytes()[sketches._BEFORE - 4 :]
    (size,) = struct.unpack_from("<I", body)
    told = json.loads(body[4 : 4 + size])
    numbers = change(told) or body[4 + size :]
    head = json.dumps(told).encode()
    body = struct.pack("<I", len(head)) + head + numbers
    return sketches._MAGIC + hashlib.sha256(body).digest() + body


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(rows=3),
        lambda told: told.update(rows=True),
        lambda told: told.update(unit=7),
        lambda told: told.update(more=1),
        lambda told: told.pop("since") and None,
        lambda told: told.update(columns={}),
        lambda told: told["columns"].append(dict(told["columns"][0])),
        lambda told: told["columns"][0].update(bytes=9),
        lambda told: told["columns"].append({"name": "c", "counts": {"a": -1}}),
        lambda told: told["columns"].append({"name": "c", "counts": {"a": 1.5}}),
        lambda told: told["columns"].append({"name": "c", "counts": {str(n): 0 for n in range(101)}}),
        lambda told: told["columns"].append({"name": "c", "counts": {}, "odd": 1}),
        lambda told: told["columns"][0].update(bytes=len(infinite())) or infinite(),
        lambda told: told["columns"][0].update(bytes=4) or b"oops",
    ],
)
def test_a_sound_digest_over_nonsense_is_refused(change):
    with pytest.raises(errors.DataError, match="does not fit together"):
        sketches.Sketch.from_bytes(resealed(change))


def infinite():
    return kernels.QuantileSketch(1).push(np.array([1.0, np.inf])).to_bytes()


def test_what_is_no_sketch_is_told_from_one_of_another_version():
    with pytest.raises(errors.DataError, match="no sketch"):
        sketches.Sketch.from_bytes(b"something else")
    with pytest.raises(errors.DataError, match="another version"):
        sketches.Sketch.from_bytes(sketches._MAGIC.replace(b"1", b"2") + b"0" * 99)
    assert sketches.Sketch.from_bytes(resealed(lambda told: None)).rows == 9


def test_columns_of_different_rows_are_refused():
    with pytest.raises(errors.DataError, match=r"columns of \[1, 2\] rows"):
        sketches.of({"x": np.ones(1), "y": np.ones(2)})


@given(NUMBERS, TEXTS, CUTS)
def test_a_restart_loses_nothing_while_all_values_are_held(values, texts, cuts):
    rows = min(len(values), len(texts))
    x = matrix({"x": np.array(values[:rows], float), "c": words(texts[:rows])})
    growing = sketches.Sketches(begun=1)
    for first, last in zip([0, *cuts], [*cuts, rows], strict=True):
        held = [sketches.Sketch.from_bytes(one.to_bytes()) for one in growing.held()]
        growing = (
            sketches.Sketches(begun=2).resume(held).push(x.take(slice(first, max(first, min(last, rows)))))
        )
    again, whole = growing.closed(), sketches.Sketches().push(x).closed()
    assert [(one.unit, one.since, one.rows, one.columns) for one in again] == [
        (one.unit, one.since, one.rows, one.columns) for one in whole
    ]


@pytest.mark.parametrize(
    "columns", [{"x": np.arange(600.0)}, {"c": data.Words.of([f"{n}" for n in range(101)])}]
)
def test_what_is_no_longer_exact_is_closed_by_a_restart_and_another_begins(columns):
    every = 10**15
    growing = sketches.Sketches(every, begun=1).push(matrix(columns))
    (before,) = growing.held()
    again = sketches.Sketches(every, begun=2).resume([before])
    assert again.held() == [before]
    again.push(matrix(columns))
    assert [(one.begun, one.rows) for one in again.closed(0)] == [(1, before.rows)]
    assert [(one.begun, one.rows) for one in again.closed()] == [(2, before.rows)]
    assert again.held() == []
