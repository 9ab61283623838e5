import numpy as np
import pytest

from flyball import data, features, labels, model

KIND = labels.Probability()


def asked(n=400, seed=0):
    rng = np.random.default_rng(seed)
    names = [f"m{2 * i // n}" for i in range(n)]
    level = np.where(np.arange(n) < n // 2, 0.0, 100.0)  # two machines of very different level
    x = features.Matrix(
        features.Moments.of(names, np.arange(n)),
        {"c.one": level + rng.normal(size=n), "c.two": 5 * rng.normal(size=n), "other": rng.normal(size=n)},
    )
    failed = rng.random(n) < 0.1
    x.columns["c.one"][failed] += 6.0
    why = data.Words(np.full(n, -1, dtype=np.int32), ())
    return x, labels.Answers(failed.astype(float), np.ones(n, dtype=bool), why), failed


def test_each_machine_is_held_to_its_own_level():
    x, y, failed = asked()
    fitted = model.ThreeSigma(("c.*",)).fit(x, y, KIND, 0)
    assert fitted.names == ("c.one", "c.two")
    assert np.mean(fitted.outside(x)[failed] > 0) > 0.95 and np.mean(fitted.outside(x)[~failed] > 0) < 0.02
    assert fitted.predict(x)[failed].mean() > 0.8
    # Held to the fleet's level the two machines hide one another's faults.
    fleet = model.ThreeSigma(("c.*",), enough=10**6).fit(x, y, KIND, 0)
    assert fleet.machines == () and fleet.outside(x)[failed].mean() < 0.1


def test_limits_are_those_of_healthy_training_rows():
    x, y, failed = asked()
    fitted = model.ThreeSigma(("c.one",)).fit(x, y, KIND, 0)
    mine = (x.moments.codes == 0) & ~failed
    assert fitted.mean[1, 0] == pytest.approx(x.columns["c.one"][mine].mean())
    assert fitted.deviation[1, 0] == pytest.approx(x.columns["c.one"][mine].std(ddof=1))
    assert fitted.sigmas == 3.0 and fitted.influence() == {"c.one": 1.0}


def test_more_outside_is_never_less_probable_and_missing_is_inside():
    x, y, _ = asked()
    y = labels.Answers(1.0 - y.value, y.known, y.why)  # the wrong way round: the slope stays above zero
    fitted = model.ThreeSigma(("c.*",)).fit(x, y, KIND, 0)
    assert fitted.slope > 0
    gone = features.Matrix(x.moments, {**x.columns, "c.one": np.full(len(x), np.nan)})
    assert fitted.outside(gone).max() <= 1


def test_a_stranger_is_held_to_the_fleet():
    x, y, _ = asked()
    fitted = model.ThreeSigma(("c.one",)).fit(x, y, KIND, 0)
    strange = features.Matrix(features.Moments.of(["new"] * 2, [0, 1]), {"c.one": np.array([50.0, 1e4])})
    assert fitted.outside(strange).tolist() == [0.0, 1.0]


def test_a_channel_that_a_machine_never_had_is_never_outside():
    x, y, _ = asked()
    x.columns["c.two"][x.moments.codes == 1] = np.nan
    fitted = model.ThreeSigma(("c.two",)).fit(x, y, KIND, 0)
    assert not fitted.outside(x)[x.moments.codes == 1].any()
    assert np.isfinite(fitted.mean).all()
