"""What holds for every feature and every label, on rows that come late, tie, are corrected or are missing."""

import copy

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts import examples

from flyball import data, features, labels
from flyball.units import days, hours

FEATURES = [example for example in examples.FEATURES if isinstance(example, features.Feature)]
#: A stream holds numbers and texts: an image is asked for with the row that brings it.
HELD = [example for example in FEATURES if not isinstance(example, features.Image)]
LABELS = [example for example in examples.LABELS if isinstance(example, labels.Labeller)]
ASKED = [example for example in examples.FEATURES if isinstance(example, features.Asked)]
HOUR = int(hours(1))


class Pictures:
    """A late column whose references are numbers."""

    def __init__(self, numbers):
        self.numbers = np.asarray(numbers)

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        return Pictures(self.numbers[index])

    def load(self):
        raise AssertionError("decoded while features are computed")


@st.composite
def tables(draw):
    """Table "t" of two machines over ten days, each with a row that every moment knows."""
    items = draw(
        st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.integers(0, 240),
                st.integers(0, 60),
                st.sampled_from((np.nan, -1.0, 0.0, 2.5)),
                st.sampled_from((None, "A", "B")),
            ),
            min_size=1,
            max_size=12,
        )
    )
    items += [("a", -500, 0, 1.0, "A"), ("b", -500, 0, 2.0, None)]
    x = np.array([item[3] for item in items])
    columns = {
        "x": x,
        "y": x * 2,
        "on": (x > 0).astype(float),
        "code": data.Words.of([item[4] for item in items]),
        "map": Pictures(np.arange(len(items))),
    }
    at = np.array([item[1] for item in items]) * HOUR
    seen = at + np.array([item[2] for item in items]) * HOUR
    return data.Rows.of([item[0] for item in items], at, seen, columns, draw(st.sampled_from(((), ("at",)))))


def plain(column):
    if isinstance(column, data.Words):
        return np.array(column.texts(), dtype=object)
    return column.numbers if isinstance(column, Pictures) else column


def same(found, wanted):
    assert list(found) == list(wanted)
    for name, column in wanted.items():
        if isinstance(column, data.Words):
            assert plain(found[name]).tolist() == plain(column).tolist(), name
        else:
            np.testing.assert_allclose(plain(found[name]), plain(column), rtol=1e-9, atol=1e-9, err_msg=name)


def fleet(unique):
    kinds = {"x": "kW", "y": "kW", "on": "bool", "code": "category", "map": "image"}
    return data.Fleet("machine", data.WallClock(), (data.Table("t", columns=kinds, unique=unique),))


def of_each(name, parts):
    return pytest.mark.parametrize(name, parts, ids=lambda part: type(part).__name__)


each_feature, each_label = of_each("feature", FEATURES), of_each("label", LABELS)
#: Every part is tried on so many drawn tables.
TRIED = hypothesis.settings(max_examples=25)


def moments(draw):
    hours_ = draw(st.lists(st.integers(-10, 300), min_size=1, max_size=8, unique=True))
    return features.Moments.of(["ab"[h % 2] for h in hours_], np.array(hours_) * HOUR)


@each_feature
@TRIED
@given(drawn=st.data())
def test_later_rows_never_change_an_earlier_value(feature, drawn):
    table = drawn.draw(tables())
    asked = moments(drawn.draw)
    cut = int(drawn.draw(st.sampled_from(asked.at.tolist())))
    early = asked[asked.at <= cut]
    before = feature.compute({"t": table.take(table.seen <= cut)}, early)
    same(feature.compute({"t": table}, early), before)


@each_feature
@TRIED
@given(drawn=st.data())
def test_one_question_at_a_time_or_all_at_once(feature, drawn):
    table, asked = drawn.draw(tables()), moments(drawn.draw)
    whole = feature.compute({"t": table}, asked)
    for place in range(len(asked)):
        single = np.array([place])
        alone = feature.compute({"t": table}, asked[single])
        same(alone, {name: column[single] for name, column in whole.items()})


@each_feature
@TRIED
@given(drawn=st.data())
def test_other_machines_change_nothing(feature, drawn):
    table, asked = drawn.draw(tables()), moments(drawn.draw)
    for key in "ab":
        own = np.flatnonzero([name == key for name in asked.names()])
        whole = feature.compute({"t": table}, asked[own])
        same(feature.compute({"t": table.machine(key)}, asked[own]), whole)


@each_feature
@TRIED
@given(drawn=st.data())
def test_the_input_is_untouched_and_the_order_of_columns_is_no_matter(feature, drawn):
    table, asked = drawn.draw(tables()), moments(drawn.draw)
    kept = copy.deepcopy((table, asked))
    first = feature.compute({"t": table}, asked)
    assert (table.at == kept[0].at).all() and (table.seen == kept[0].seen).all()
    assert (asked.at == kept[1].at).all() and (asked.codes == kept[1].codes).all()
    same(dict(table.columns), dict(kept[0].columns))
    turned = dict(reversed(table.columns.items())) | {"new": np.zeros(len(table))}
    other = data.Rows(table.keys, table.starts, table.at, table.seen, turned, table.unique)
    same(feature.compute({"t": other}, asked), first)


@of_each("feature", HELD)
@TRIED
@given(drawn=st.data())
def test_the_stream_is_the_batch(feature, drawn):
    table, asked = drawn.draw(tables()), moments(drawn.draw)
    page = features.AsOf(features.Every(days(1)), (feature,))
    batch = page.compute({"t": table}, asked)
    stream = features.Stream(page, fleet(table.unique))
    done, answers = -(10**18), {}
    for place in np.argsort(asked.at, kind="stable"):
        now = int(asked.at[place])
        stream.push("t", table.take((table.seen > done) & (table.seen <= now)))
        done = now
        answers[int(place)] = stream.ask(asked.names()[place], now)
    if stream.beyond == 0 or feature.lookback() is not None:
        for place, x in answers.items():
            same(x.columns, batch.take(np.array([place])).columns)


@each_feature
def test_names_are_those_that_are_made(feature):
    table = data.Rows.of(
        ["a"], [0], columns={"x": [1.0], "y": [1.0], "on": [1.0], "code": ["A"], "map": Pictures([0])}
    )
    made = feature.compute({"t": table}, features.Moments.of(["a"], [0]))
    assert tuple(made) == feature.names()
    assert all(name.startswith("t.") for name in feature.reads()) and feature.tables() == ("t",)


@each_label
@TRIED
@given(drawn=st.data())
def test_rows_seen_after_the_cut_change_no_label(label, drawn):
    table, asked = drawn.draw(tables()), moments(drawn.draw)
    cut = drawn.draw(st.integers(-10, 300)) * HOUR
    before = label.label({"t": table.take(table.seen <= cut)}, asked, cut)
    after = label.label({"t": table}, asked, cut)
    np.testing.assert_array_equal(after.value, before.value)
    assert after.why.texts() == before.why.texts()


@each_label
@TRIED
@given(drawn=st.data())
def test_a_label_is_known_or_says_why(label, drawn):
    table, asked = drawn.draw(tables()), moments(drawn.draw)
    found = label.label({"t": table}, asked, None)
    assert len(found) == len(asked)
    assert (np.isnan(found.value) == ~found.known).all()
    assert [why is None for why in found.why.texts()] == found.known.tolist()


@of_each("asked", ASKED)
@given(table=tables(), cut=st.integers(-10, 300))
def test_what_is_asked_depends_on_nothing_later(asked, table, cut):
    moment = cut * HOUR + 1
    before = asked.moments({"t": table.take(np.maximum(table.at, table.seen) < moment)}, until=moment)
    after = asked.moments({"t": table}, until=moment)
    found, known = ({*zip(x.names(), x.at.tolist(), strict=True)} for x in (after, before))
    if isinstance(asked, features.Each):
        assert found == known
    # Every goes by when a row happened: a row seen late may be asked about, but none that happens later.
    happened = asked.moments({"t": table.take(table.at < moment)}, until=moment)
    assert found == {*zip(happened.names(), happened.at.tolist(), strict=True)}
