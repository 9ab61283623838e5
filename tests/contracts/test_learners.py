"""What holds for every learner and every step, whatever kind it answers with."""

import copy

import numpy as np
import pytest

from flyball import data, errors, features, labels, model
from flyball.model import unpack

KINDS = {
    labels.Probability: labels.Probability(),
    labels.Classes: labels.Classes(("low", "middle", "high")),
    labels.Quantity: labels.Quantity("h"),
}
QUICK = model.Training(epochs=2, batch=32, hold=0.2)
TREES = model.BoostedTrees(trees=8, leaves=7, min_rows=5, row_share=0.8)
LEARNERS = (
    model.Blend((model.Prior(), TREES), weights=(1, 2)),
    TREES,
    model.BoostedTrees(trees=5, min_rows=5, negatives=0.5, seeds=2, balance=0.5, monotone={"a": 1}),
    model.Candidates((model.Prior(), TREES), metric="log_loss"),
    model.Chain(model.Normalise(by="machine", robust=True), TREES),
    model.Chain(model.Regimes(("a", "b"), k=3), model.Normalise(by="regime", suffix=".z"), TREES),
    model.Chain(
        model.Encode("kind"), model.Quantiles(), model.Log(("b",)), model.Flag("a", above=0), model.Logistic()
    ),
    model.Chain(model.Encode("kind", by="onehot"), model.Ridge()),
    model.Conformal(model.Chain(model.Normalise(), model.Ridge()), share=0.4),
    model.Conformal(TREES, folds=3),
    model.Dense(layers=(8,), columns=("a", "b", "kind"), training=QUICK, seeds=2),
    model.Logistic(),
    model.Prior(),
    model.Rate("a"),
    model.Rate("kind"),
    model.Ridge(),
    model.ThreeSigma(("a", "b"), sigmas=1.0, enough=8),
    model.Threshold(("a", "b"), by="max"),
    model.WeibullAge(("a", "b"), within=0.5, rounds=5),
)
NETS = (
    model.Conv("map", size=(6, 6), width=2, columns=("b",), turned=True, training=QUICK),
    model.Recurrent("window", units=4, width=4, kernel=2, training=QUICK),
)


class Images:
    """A late column whose references are the images themselves."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays)

    def __getitem__(self, index):
        return Images(self.arrays[index])

    def load(self):
        return list(self.arrays)


def matrix(seed=0, n=240):
    rng = np.random.default_rng(seed)
    moments = features.Moments.of([f"m{i:02d}" for i in rng.integers(0, 15, n)], rng.integers(0, 90, n))
    a = rng.normal(size=n)
    a[rng.random(n) < 0.1] = np.nan
    window = rng.normal(size=(n, 4, 2))
    window[:9, :2] = np.nan
    columns = {
        "b": rng.normal(size=n),
        "a": a,
        "kind": data.Words.of(rng.choice(["x", "y", "z"], n).tolist()),
        "map": Images(rng.integers(0, 256, (n, 7, 9)).astype(np.uint8)),
        "window": window,
    }
    return features.Matrix(moments, columns)


X = matrix()
SIGNAL = np.nan_to_num(X.columns["a"]) + X.columns["b"]


def truth(kind):
    value = SIGNAL
    if isinstance(kind, labels.Probability):
        value = (SIGNAL > 1).astype(float)
    elif isinstance(kind, labels.Classes):
        value = np.digitize(SIGNAL, (-0.5, 1.0)).astype(float)
    return labels.Answers(value, np.ones(len(value), bool), data.Words(np.full(len(value), -1, np.int32), ()))


def cases():
    for number, learner in enumerate((*LEARNERS, *NETS)):
        kinds = learner.accepts()[:1] if learner in NETS else learner.accepts()
        for accepted in kinds:
            if not (
                isinstance(learner, model.Candidates) and accepted is labels.Quantity
            ):  # it has no log loss
                name = f"{type(learner).__name__}-{accepted.__name__}-{number}"
                yield pytest.param((learner, KINDS[accepted]), id=name)


@pytest.fixture(scope="module")
def fits():
    """What was fitted already: fitting is the slow part, and no test changes a predictor."""
    return {}


@pytest.fixture(params=cases())
def case(request, fits):
    learner, kind = request.param
    if request.param not in fits:
        fits[request.param] = learner.fit(X, truth(kind), kind, 3)
    return learner, kind, fits[request.param]


def digest(packed):
    return (
        packed.runner,
        repr(packed.settings),
        tuple(sorted(packed.files.items())),
        tuple(digest(inner) for inner in packed.inner),
    )


def names_of(matrix, keep):
    return features.Matrix(matrix.moments, {name: matrix.columns[name] for name in keep})


def test_answers_have_the_shape_of_their_kind_and_no_nan(case):
    _, kind, fitted = case
    answers = fitted.predict(X)
    k = {labels.Probability: (), labels.Classes: (3,), labels.Quantity: (3,)}[type(kind)]
    assert answers.shape == (len(X), *k) and answers.dtype == np.float64
    assert np.isfinite(answers).all()
    if isinstance(kind, labels.Classes):
        assert answers.sum(axis=1) == pytest.approx(np.ones(len(X)))
    if not isinstance(kind, labels.Quantity):
        assert answers.min() >= 0 and answers.max() <= 1


def test_the_input_is_left_as_it_was(case):
    learner, kind, fitted = case
    before = copy.deepcopy({name: c for name, c in X.columns.items() if isinstance(c, np.ndarray)})
    fitted.predict(X)
    if not isinstance(learner, (model.Conv, model.Recurrent, model.Dense)):
        learner.fit(X, truth(kind), kind, 3)
    for name, column in before.items():
        assert np.array_equal(column, X.columns[name], equal_nan=True), name


def test_the_same_rows_and_seed_give_the_same_bytes(case):
    learner, kind, fitted = case
    if learner in NETS:
        pytest.skip("held by the tests of training and export, a second training adds nothing")
    assert digest(learner.fit(X, truth(kind), kind, 3).pack()) == digest(fitted.pack())


def test_packing_changes_nothing(case):
    _, _, fitted = case
    packed = fitted.pack()
    assert digest(packed) == digest(fitted.pack())
    again = unpack.unpack(packed)
    assert np.array_equal(again.predict(X), fitted.predict(X))
    assert digest(again.pack()) == digest(packed)


def test_settings_are_plain_json(case):
    import json

    def walk(packed):
        assert json.loads(json.dumps(packed.settings)) == json.loads(json.dumps(dict(packed.settings)))
        assert all(isinstance(content, bytes) for content in packed.files.values())
        for inner in packed.inner:
            walk(inner)

    walk(case[2].pack())


def test_the_order_of_columns_does_not_matter(case):
    learner, kind, fitted = case
    turned = names_of(X, sorted(X.columns, reverse=True))
    assert np.array_equal(fitted.predict(turned), fitted.predict(X))
    if learner not in NETS and not isinstance(learner, model.Dense):
        assert digest(learner.fit(turned, truth(kind), kind, 3).pack()) == digest(fitted.pack())


def test_a_new_column_is_ignored(case):
    _, _, fitted = case
    more = features.Matrix(X.moments, {**X.columns, "new": np.full(len(X), np.nan)})
    assert np.array_equal(fitted.predict(more), fitted.predict(X))


def test_a_missing_column_is_named_and_a_stopped_one_is_missing(case):
    learner, _, fitted = case
    if isinstance(learner, model.Prior):
        return  # it needs none
    needed = [name for name in X.columns if needs(fitted, name)]
    assert needed
    for name in needed:
        less = names_of(X, set(X.columns) - {name})
        with pytest.raises(errors.DataError, match=repr(name)):
            fitted.predict(less)
        if name in ("map", "window"):
            continue  # nothing can stand in for a picture
        stopped = features.Matrix(X.moments, less.columns, {name: "its table column is missing"})
        assert np.isfinite(fitted.predict(stopped)).all()


def needs(fitted, name):
    try:
        fitted.predict(names_of(X, set(X.columns) - {name}))
    except errors.DataError:
        return True
    return False


def test_one_row_is_answered_as_in_a_batch(case):
    _, _, fitted = case
    batch = fitted.predict(X)
    for row in (0, 100, len(X) - 1):
        assert fitted.predict(X.take(slice(row, row + 1)))[0] == pytest.approx(batch[row], abs=1e-6)


def test_missing_and_wild_values_are_answered(case):
    _, _, fitted = case
    wild = np.resize([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0], len(X))
    words = data.Words(np.resize(np.array([-1, 0], np.int32), len(X)), ("never seen",))
    x = features.Matrix(X.moments, {**X.columns, "a": wild, "b": wild[::-1].copy(), "kind": words})
    assert not np.isnan(fitted.predict(x)).any()


def test_a_machine_never_seen_is_answered(case):
    _, _, fitted = case
    new = features.Moments(("stranger",), np.zeros(len(X), np.int32), X.moments.at)
    assert np.isfinite(fitted.predict(features.Matrix(new, X.columns))).all()


def test_influence_is_never_negative(case):
    told = case[2].influence()
    assert all(value >= 0 for value in told.values())
