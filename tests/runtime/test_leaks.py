import dataclasses

import numpy as np
import pytest

from flyball import data, errors, features, labels, part, units
from flyball.features import stage
from flyball.runtime import build, leaks, plan

DAY = int(units.DAY)


class Tomorrow(stage.Feature):
    """Looks ahead: the value of the first row after the moment."""

    column: str

    def reads(self):
        return (self.column,)

    def names(self):
        return (f"{self.column}.tomorrow",)

    def lookback(self):
        return int(units.days(3))

    def compute(self, tables, moments):
        table, name = stage.split(self.column)
        out = np.full(len(moments), np.nan)
        for place, (key, at) in enumerate(zip(moments.names(), moments.at, strict=True)):
            rows = tables[table].machine(key)
            later = np.flatnonzero(rows.at > at)
            out[place] = rows.columns[name][later[0]] if len(later) else np.nan
        return {self.names()[0]: out}


class Centred(data.Cleaner):
    """Looks ahead: subtracts the mean of all the machine's rows."""

    def clean(self, name, rows):
        if name != "telemetry":
            return rows
        column = rows.columns["vibration"] - np.nanmean(rows.columns["vibration"])
        return dataclasses.replace(rows, columns={**rows.columns, "vibration": column})


@pytest.fixture
def looked(daily, sent):
    """Look for leaks in the features of some days of a page."""

    def look(page):
        store = sent(page, [file for day in list(daily.files)[:20] for file in daily.files[day]])
        x, _ = build.matrix(page, store, plan.Plan(store))
        return leaks.ahead(page, x, lambda: build.raw(page, store), store.absent())

    return look


def test_features_that_look_back_only_are_found_the_same_again(daily, looked):
    assert looked(daily.page) > 100


def test_a_feature_that_looks_ahead_is_refused_by_name(daily, looked):
    columns = (*daily.page.features.columns, Tomorrow("telemetry.vibration"))
    page = part.replace(daily.page, features=part.replace(daily.page.features, columns=columns))
    with pytest.raises(
        errors.LeakError, match=r"column 'telemetry.vibration.tomorrow' of m00 at 2026-01-\d\d .*looks ahead"
    ):
        looked(page)


def test_a_cleaner_that_looks_ahead_is_refused(daily, looked):
    page = part.replace(daily.page, data=part.replace(daily.page.data, clean=(Centred(),)))
    with pytest.raises(errors.LeakError, match="or a cleaner before it"):
        looked(page)


def test_sabotage_with_all_rows_given_again_nothing_is_found(daily, looked, monkeypatch):
    columns = (*daily.page.features.columns, Tomorrow("telemetry.vibration"))
    page = part.replace(daily.page, features=part.replace(daily.page.features, columns=columns))
    monkeypatch.setattr(data.Rows, "take", lambda self, index: self)
    assert looked(page) > 100


def matrix(**columns):
    n = len(next(iter(columns.values())))
    moments = features.Moments.of([f"m{row:04d}" for row in range(n)], np.zeros(n))
    return stage.Matrix(moments, columns)


def truth(value):
    known = np.ones(len(value), dtype=bool)
    return labels.Answers(value.astype(float), known, data.Words(np.full(len(value), -1, np.int32), ()))


def test_a_column_that_holds_the_answer_is_refused(daily):
    rng = np.random.default_rng(0)
    y = rng.random(2000) < 0.05
    noise = rng.normal(size=2000)
    leaks.alone(daily.page, matrix(noise=noise, good=noise + 2 * y), truth(y))
    found = {
        "equal": y.astype(float),
        "turned": -5.0 * y + 0.1 * noise,
        "missing": np.where(y, np.nan, noise),
        "words": data.Words(y.astype(np.int32), ("runs", "stops")),
    }
    for name, column in found.items():
        with pytest.raises(
            errors.LeakError, match=f"column '{name}' alone tells the {int(y.sum())} events of 2000"
        ):
            leaks.alone(daily.page, matrix(noise=noise, **{name: column}), truth(y))


def test_a_few_events_and_answers_given_now_are_no_proof(daily):
    y = np.arange(2000) < leaks.EACH - 1
    leaks.alone(daily.page, matrix(x=y.astype(float)), truth(y))
    now = part.replace(daily.page, labels=labels.Given("repairs.failed", labels.Probability()))
    y = np.arange(2000) < 500
    leaks.alone(now, matrix(x=y.astype(float)), truth(y))
    with pytest.raises(errors.LeakError):
        leaks.alone(daily.page, matrix(x=y.astype(float)), truth(y))


def test_the_area_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    for _ in range(20):
        event, values = rng.random(60) < 0.3, rng.integers(0, 8, 60).astype(float)
        assert leaks._area(values, event) == pytest.approx(roc_auc_score(event, values))


def test_context_that_was_seen_later_is_no_leak_unless_it_is_joined_before(
    daily, sent, tmp_path, monkeypatch
):
    lots = data.Table("lots", columns={"dose": "number"}, time="time", unique=("at",))
    near = data.Context("telemetry", of="lots", columns=("dose",), within=units.hours(2), orphans=1.0)
    page = part.replace(
        daily.page,
        data=part.replace(daily.page.data, tables=(*daily.page.data.tables, lots), context=(near,)),
        features=part.replace(daily.page.features, columns=(features.Last("telemetry.dose", at_most=units.days(3)),)),
    )  # fmt: skip
    late = tmp_path / "lots.csv"
    dates = [np.datetime64("2026-01-01") + day for day in range(20)]
    late.write_text(
        "machine,time,seen,dose\n"
        + "".join(f"m{n:02d},{d}T05:00:00,{d + 2}T00:30:00,{n}\n" for d in dates for n in range(12))
    )
    store = sent(page, [late, *(file for day in list(daily.files)[:20] for file in daily.files[day])])

    def look(name):
        monkeypatch.setattr(build, "partitions", lambda page, store, real=build.partitions: tuple(
            dataclasses.replace(item, key=plan.key(item.key, name)) for item in real(page, store)
        ))  # fmt: skip
        x, _ = build.matrix(page, store, plan.Plan(store))
        return leaks.ahead(page, x, lambda: build.raw(page, store), build.absent(page, store))

    assert look("as it is") > 100
    real = data.Context.join
    monkeypatch.setattr(
        data.Context,
        "join",
        lambda self, rows, source: real(
            self, rows, dataclasses.replace(source, seen=np.minimum(source.seen, source.at))
        ),
    )
    with pytest.raises(errors.LeakError, match=r"'telemetry.dose.last' of m\d\d at"):
        look("whenever it was seen")
