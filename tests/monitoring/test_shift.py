import numpy as np
import pytest

from flyball.features import stage as features
from flyball.monitoring import means, shift

N = 3000


def rows(rng, level, concept, prefix="m"):
    """A loss that grows with x; `level` shifts x, `concept` adds a loss that x does not explain."""
    x = rng.normal(level, 1, N)
    lost = 0.3 + 0.2 * (x > 1) + concept + rng.normal(0, 0.1, N)
    moments = features.Moments.of([f"{prefix}{i % 30:02d}" for i in range(N)], np.arange(N))
    return features.Matrix(moments, {"x": x, "other": rng.normal(0, 1, N)}), lost


def clustered(x, lost):
    return means.Rows(lost, x.moments.codes, np.zeros(N, dtype=int))


@pytest.mark.parametrize(
    ("level", "concept", "cause"),
    [(1.0, 0.0, "data"), (0.0, 0.1, "concept"), (0.0, -0.1, ""), (1.0, 0.1, "concept")],
)
def test_a_rise_is_told_to_be_of_the_data_or_of_the_concept(level, concept, cause):
    rng = np.random.default_rng(0)
    (old, was), (new, now) = rows(rng, 0.0, 0.0), rows(rng, level, concept)
    weight = shift.weights(old, new, seed=0)
    assert weight.mean() == pytest.approx(1.0)
    found = shift.explain(clustered(old, was), weight, clustered(new, now), drifted=False)
    assert found.cause == cause
    assert found.rise.value == pytest.approx(now.mean() - was.mean())
    assert found.explained.value + found.rest.value == pytest.approx(found.rise.value)
    if level:  # half of the rows now lie above 1, one in six did
        assert found.explained.value == pytest.approx(0.2 * (0.5 - 0.159), abs=0.03)


def test_inputs_that_the_reference_does_not_hold_are_told_by_its_worth():
    rng = np.random.default_rng(0)
    (old, was), (new, now) = rows(rng, 0.0, 0.0), rows(rng, 12.0, 0.5)
    weight = shift.weights(old, new, seed=0)
    far = shift.explain(clustered(old, was), weight, clustered(new, now), drifted=True)
    assert far.cause in ("data", "concept") and far.share <= 1.0


def test_without_columns_or_rows_all_weigh_the_same():
    rng = np.random.default_rng(0)
    old, _ = rows(rng, 0.0, 0.0)
    nothing = features.Matrix(old.moments, {})
    assert shift.weights(nothing, old, 0).tolist() == [1.0] * N
    assert shift.weights(old, old.take(np.arange(0)), 0).tolist() == [1.0] * N
    alone = features.Matrix(features.Moments.of(["a"] * 50, np.arange(50)), {"x": np.arange(50.0)})
    assert shift.weights(alone, alone, 0).tolist() == [1.0] * 50
