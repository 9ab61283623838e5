"""Every engine weighs the same, a cut is a cut, one net is trained once, and the interval is of held-out flights."""

import numpy as np
import pytest

from flyball import data, features, labels, model, part
from flyball.model.stage import Learner, Predictor
from flyball.systems.turbofan import Calibrated, Engines, Reading, learners

KIND = labels.Quantity("1", low=0.0)
ASKED = []


class Said(Predictor):
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def predict(self, x):
        value = np.asarray(x.columns["left"]) + self.rng.normal(0, 5, len(x))
        return np.repeat(value[:, None], 3, axis=1)


class Spy(Learner):
    """Keeps what it was fitted on, and answers the truth with an error of five cycles."""

    name: str = "spy"

    def accepts(self):
        return (labels.Quantity,)

    def fit(self, x, y, kind, seed):
        ASKED.append((x, y, kind))
        return Said(seed)


@pytest.fixture(autouse=True)
def forgotten():
    ASKED.clear()
    learners._FITTED.clear()


def rows(lives, twins=(), heal=None):
    """Engines of some lives; `twins` fly the settings of the engine before them."""
    rng = np.random.default_rng(0)
    names, at, left, steps, history = [], [], [], [], []
    for number, life in enumerate(lives):
        if number not in twins:
            settings = rng.normal(size=(max(lives), 3))
        for cycle in range(1, life + 1):
            names.append(f"u{number:02d}")
            at.append(cycle)
            left.append(life - cycle)
            history.append(cycle if heal is None or cycle < heal + 12 else cycle - heal)
            window = np.full((30, 4), np.nan)
            flown = settings[max(0, cycle - 30) : cycle]
            window[30 - len(flown) :, 1:] = flown
            window[30 - len(flown) :, 0] = 1.0
            steps.append(window)
    moments = features.Moments.of(names, at)
    columns = {
        "left": np.array(left, float), "cycles.history": np.array(history, float),
        "last": np.array(steps, np.float32),
    }  # fmt: skip
    y = labels.Answers(
        np.array(left, float), np.ones(len(at), bool), data.Words(np.full(len(at), -1, np.int32), ())
    )
    return features.Matrix(moments, columns), y


def test_every_engine_weighs_the_same_and_the_young_rows_are_left_out():
    x, y = rows((10, 40))
    Engines(Spy(), seen=5).fit(x, y, KIND, 0)
    ((seen, told, kind),) = ASKED
    assert seen.moments.at.min() == 5 and len(seen) == 6 + 36
    weights = [told.weight[seen.moments.codes == code].sum() for code in (0, 1)]
    assert weights[0] == pytest.approx(weights[1]) and kind is KIND


def test_a_cut_is_of_target_and_answer():
    x, y = rows((200,))
    Engines(Spy(), cut=125.0).fit(x, y, KIND, 0)
    ((_, told, kind),) = ASKED
    assert told.value.max() == 125.0 and kind.high == 125.0 and kind.low == 0.0


def test_a_spliced_record_is_learned_from_after_the_splice_alone():
    x, y = rows((80,), heal=30)
    Engines(Spy()).fit(x, y, KIND, 0)
    ((seen, _, _),) = ASKED
    assert seen.moments.at.min() == 42 and seen.moments.at.max() == 80


def test_the_same_fit_is_done_once_and_another_one_is_done():
    x, y = rows((30, 40))
    learner = Engines(Spy())
    assert learner.fit(x, y, KIND, 0) is learner.fit(x.take(slice(None)), y, KIND, 0)
    assert len(ASKED) == 1
    learner.fit(x, y, KIND, 1)
    learner.fit(x.take(np.arange(len(x) - 1)), y.take(np.arange(len(x) - 1)), KIND, 0)
    part.replace(learner, cut=9.0).fit(x, y, KIND, 0)
    other = features.Matrix(x.moments, {**x.columns, "left": x.columns["left"] + 1e-9})
    learner.fit(other, y, KIND, 0)
    assert len(ASKED) == 5


def test_an_interval_holds_as_often_as_it_says_and_twins_are_held_out_together():
    lives = tuple(np.random.default_rng(1).integers(60, 120, 60).tolist())
    twins = tuple(range(1, 60, 2))
    x, y = rows(lives, twins)
    found = Calibrated(Spy(), share=0.3).fit(x, y, KIND, 0)
    answers = found.predict(x)
    held = ((answers[:, 1] <= y.value) & (y.value <= answers[:, 2]))[y.value > 20].mean()
    assert held == pytest.approx(0.9, abs=0.03)
    learned = {name for name in ASKED[0][0].moments.names()}
    for one in range(0, 60, 2):
        assert (f"u{one:02d}" in learned) == (f"u{one + 1:02d}" in learned)
    assert len(learned) == pytest.approx(42, abs=2) and len(set(ASKED[1][0].moments.names())) == 60


def test_the_errors_of_an_interval_are_those_of_answers_that_may_be_asked():
    x, y = rows((100,) * 20)
    seen = []

    class Told(Said):
        def predict(self, x):
            seen.append(x.moments.at)
            return super().predict(x)

    class Teller(Spy):
        def fit(self, x, y, kind, seed):
            return Told(seed)

    Calibrated(Teller(), low=0.5, seen=20).fit(x, y, KIND, 0)
    assert seen[0].min() == 50 and seen[0].max() == 99


def test_two_readings_of_one_net_train_it_once():
    x, y = rows((60,) * 12)
    net = Engines(
        model.Dense(
            layers=(4,),
            columns=("left",),
            caps=(30.0, None),
            training=model.Training(epochs=20, batch=64, rate=2e-2),
        )
    )
    cut = Reading(net, (1.0,), high=30.0).fit(x, y, KIND, 0)
    whole = Reading(net, (0.0, 1.0)).fit(x, y, KIND, 0)
    both = Reading(net, (0.5, 0.5)).fit(x, y, KIND, 0)
    assert cut.model is whole.model is both.model
    assert cut.predict(x)[:, 0].max() <= 30.0 < whole.predict(x)[:, 0].max()
    plain = Reading(net, (1.0,)).fit(x, y, KIND, 0).predict(x)[:, 0]
    inside = (plain > 0) & (whole.predict(x)[:, 0] > 0)
    np.testing.assert_allclose(
        both.predict(x)[inside, 0], (plain[inside] + whole.predict(x)[inside, 0]) / 2, rtol=1e-6
    )
