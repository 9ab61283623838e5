import numpy as np
import pytest

from flyball import errors, features, model, part, units
from flyball.model import stage
from flyball.runtime import build, contest, plan

FITTED = []


class Spy(stage.Learner):
    """Notes what it was fitted on and with which seed, and asks for what it is given to predict."""

    def accepts(self):
        return model.Prior().accepts()

    def fit(self, x, y, kind, seed):
        FITTED.append(
            ({*zip(x.moments.names(), x.moments.at.tolist(), strict=True)}, bool(y.known.all()), seed)
        )
        return model.Prior().fit(x, y, kind, seed)


@pytest.fixture(scope="module")
def world(daily, tmp_path_factory):
    """The matrix, the truth and the tables of the whole fleet."""
    from flyball.runtime.store import Store

    store = Store.open(tmp_path_factory.mktemp("contest") / "store", daily.page.data)
    store.ingest([file for files in daily.files.values() for file in files])
    x, every = build.matrix(daily.page, store, plan.Plan(store))
    cut = store.horizon()
    x, y, _ = build.learned(daily.page, store, plan.Plan(store), x, build.key_until(every, cut), cut)
    return x, y, build.tables(daily.page, store, None, None, None)


@pytest.fixture
def faster(monkeypatch):
    monkeypatch.setattr(contest, "RESAMPLES", 100)


def held(page, world, **changes):
    page = part.replace(page, model=part.replace(page.model, **changes))
    return contest.hold(page, *world, seed=7)


def questions(x, rows):
    return {*zip(x.moments[rows].names(), x.moments.at[rows].tolist(), strict=True)}


def test_nothing_is_fitted_on_a_row_of_the_test_split_or_on_what_is_not_known(daily, world, faster):
    FITTED.clear()
    found = held(daily.page, world, challenger=Spy())
    x = world[0]
    test, train = questions(x, found.test.rows), questions(x, found.trained)
    assert len(FITTED) == 3 and not test & train
    for fitted, known, seed in FITTED:
        assert fitted and fitted <= train and known and seed == 7
    # The folds lie within the rows to learn from, each is judged on what no fit of it saw, and later.
    assert questions(x, found.rolling.rows) <= train
    for fold, (fitted, _, _) in enumerate(FITTED[:2]):
        judged = questions(x, found.rolling.rows[found.rolling.folds == fold])
        assert judged and not judged & fitted
        assert min(at for _, at in judged) - max(at for _, at in fitted) >= int(units.days(3))
    assert min(at for _, at in test) - max(at for _, at in train) >= int(units.days(3))


def test_sabotage_a_split_that_shares_rows_is_noticed(daily, world, faster):
    class Shared(stage.Split):
        def split(self, moments, tables):
            every = np.arange(len(moments))
            return (stage.Fold(every, every[-200:]),)

    FITTED.clear()
    found = held(daily.page, world, challenger=Spy(), test=Shared())
    assert any(fitted & questions(world[0], found.test.rows) for fitted, _, _ in FITTED)


def test_the_test_split_is_asked_for_once_and_its_rows_are_predicted_once(daily, world, faster):
    asked, predicted = [], []

    class Counted(stage.Split):
        def split(self, moments, tables):
            asked.append(len(moments))
            return model.Latest(share=0.25, guard=units.days(3)).split(moments, tables)

    class Watched(stage.Learner):
        def accepts(self):
            return model.Prior().accepts()

        def fit(self, x, y, kind, seed):
            inner = model.Prior().fit(x, y, kind, seed)

            class Noted(stage.Predictor):
                def predict(self, x):
                    predicted.append(questions(x, np.arange(len(x))))
                    return inner.predict(x)

            return Noted()

    found = held(daily.page, world, challenger=Watched(), test=Counted())
    test = questions(world[0], found.test.rows)
    assert len(asked) == 1 and [bool(rows & test) for rows in predicted] == [False, False, True]


def test_differences_are_paired_and_the_same_on_every_run(daily, world, faster):
    found = held(daily.page, world, peers=part.Frozen({"again": daily.page.model.challenger}))
    assert contest.contestants(part.replace(daily.page.model, peers=part.Frozen({"a": model.Prior()}))).keys() == {
        "baseline", "challenger", "a",
    }  # fmt: skip
    m = found.measured
    gap = m["difference.average_precision"]
    assert gap.value == pytest.approx(
        m["challenger.average_precision"].value - m["baseline.average_precision"].value
    )
    assert gap.low <= gap.value <= gap.high
    # An equal contestant differs by nothing in every resample: that is what paired means.
    same = m["difference.again.average_precision"]
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    again = held(daily.page, world, peers=part.Frozen({"again": daily.page.model.challenger}))
    assert again.measured == m and again.threshold == found.threshold
    assert again.test.answers["challenger"].tobytes() == found.test.answers["challenger"].tobytes()


def test_the_threshold_is_settled_on_the_folds(daily, world, faster):
    found = held(daily.page, world)
    rolling = found.rolling
    expected = daily.page.serving.decide.settle(rolling.answers["challenger"], world[0].moments[rolling.rows])
    assert found.threshold == expected


@pytest.mark.parametrize(
    ("until", "said"), [(9, "no event|no rows|no fold|no question"), (0, "no question has a known")]
)
def test_too_short_a_history_is_a_clear_error(daily, world, faster, until, said):
    x, y, tables = world
    rows = np.flatnonzero(x.moments.at < x.moments.at.min() + until * int(units.DAY))
    with pytest.raises(errors.DataError, match=said):
        contest.hold(daily.page, x.take(rows), y.take(rows), tables)


def ceiling(world):
    """The probability of a failure given the truth of every row, between nine tenths and all but sure."""
    x, y, _ = world
    told = dict(
        zip(zip(x.moments.names(), x.moments.at.tolist(), strict=True), y.value.tolist(), strict=True)
    )

    def probability(moments):
        value = np.array([told[pair] for pair in zip(moments.names(), moments.at.tolist(), strict=True)])
        return 0.9 * value + 0.1 * np.random.default_rng(0).random(len(value))

    return probability


def test_a_challenger_below_the_ceiling_passes_and_one_above_it_is_a_leak(daily, world, faster):
    page, (x, y, tables) = daily.page, world
    honest = contest.hold(page, x, y, tables, ceiling=ceiling(world))
    assert (
        honest.measured["ceiling.average_precision"].value
        > honest.measured["challenger.average_precision"].value
    )

    def weak(moments):
        return np.random.default_rng(0).random(len(moments))

    with pytest.raises(
        errors.LeakError, match=r"challenger is better than the ceiling by .* knows the future"
    ):
        contest.hold(page, x, y, tables, ceiling=weak)


def test_the_ceiling_judges_every_metric_in_which_it_is_the_best(daily, world, faster):
    def unsure(moments):
        return 0.5 + 0.001 * ceiling(world)(moments)  # ranks without fail, and is no probability

    page = part.replace(
        daily.page, model=part.replace(daily.page.model, metrics=("roc_auc", "calibration_error"))
    )
    contest.hold(page, *world, ceiling=unsure)
    page = part.replace(daily.page, model=part.replace(daily.page.model, metrics=("roc_auc", "brier")))
    with pytest.raises(errors.LeakError, match="in brier"):
        contest.hold(page, *world, ceiling=unsure)


def test_true_severity_is_reported_by_its_order_and_refuses_nobody(daily, world, faster):
    def severity(moments):
        return 7.0 * ceiling(world)(moments)

    found = contest.hold(daily.page, *world, ceiling=ceiling(world), severity=severity)
    assert found.measured["severity.average_precision"].value > 0.9
    told = [name for name in found.measured if "severity" in name]
    assert told == ["severity.average_precision"]


def test_a_planted_column_fails_the_contest_without_a_ceiling(daily, world, faster):
    x, y, tables = world
    planted = np.where(y.known, y.value, 0.5) + 0.01 * np.random.default_rng(0).random(len(y))
    leaky = features.Matrix(x.moments, {**x.columns, "telemetry.code.last": planted})
    with pytest.raises(errors.LeakError, match=r"column 'telemetry\.code\.last' alone tells"):
        contest.hold(daily.page, leaky, y, tables)


def test_a_test_split_is_one_fold(daily, world, faster):
    with pytest.raises(errors.DeclarationError, match="one fold, this one gave 2"):
        held(daily.page, world, test=daily.page.model.choose)


def test_slices_of_several_columns_are_told_with_their_column(daily, world, faster):
    x, y, _ = world
    from flyball import data

    sites = data.Words.of(["left" if code % 2 else "right" for code in x.moments.codes])
    x = features.Matrix(x.moments, {**x.columns, "site": sites, "half": sites}, x.stopped)
    rows = np.flatnonzero(y.known)[:200]
    answers = {name: np.full(len(rows), p) for name, p in (("baseline", 0.5), ("challenger", 0.4))}
    judged = contest.Judged(rows, y.value[rows], answers)
    page = part.replace(daily.page, model=part.replace(daily.page.model, slices=("site", "half")))
    found = contest.measure(page, x, judged, "")
    assert {"site=left.difference.log_loss", "half=right.difference.log_loss"} <= set(found)
    assert "challenger.site=left.log_loss" in found
    gate = model.NotWorse("log_loss", than=1.0, per="site")
    assert [verdict.passed for verdict in gate.judge(found)] == [True, True]
    one = part.replace(page, model=part.replace(page.model, slices="site"))
    assert "left.difference.log_loss" in contest.measure(one, x, judged, "")
