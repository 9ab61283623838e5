import math

import numpy as np
import pytest

from flyball.monitoring import means


def test_without_clusters_it_is_the_textbooks_interval():
    value = np.random.default_rng(0).normal(3, 2, 400)
    found = means.Rows(value, np.arange(400), np.zeros(400, dtype=int)).mean()
    assert found.value == pytest.approx(value.mean())
    assert found.variance == pytest.approx(value.var(ddof=1) / 400)
    told = found.measured("loss")
    assert told.high - told.value == pytest.approx(1.966 * math.sqrt(found.variance), rel=1e-3)


@pytest.mark.parametrize("shared", ["machine", "time"])
def test_intervals_of_clustered_rows_hold_what_they_say_and_plain_ones_do_not(shared):
    rng = np.random.default_rng(1)
    held, plain = 0, 0
    for _ in range(200):
        machine, span = (
            axis.reshape(-1) for axis in np.meshgrid(np.arange(20), np.arange(20), indexing="ij")
        )
        level = rng.normal(0, 1, 20)
        value = level[machine if shared == "machine" else span] + rng.normal(0, 1, 400)
        told = means.Rows(value, machine, span).mean().measured("loss")
        held += told.low <= 0 <= told.high
        plain += abs(value.mean()) <= 1.96 * value.std() / 20
    assert held >= 180 > 120 > plain


def rows(value, machine=None, weight=None):
    value = np.array(value, dtype=float)
    codes = np.arange(len(value)) if machine is None else np.array(machine)
    return means.Rows(value, codes, np.zeros(len(value), dtype=int), weight)


def test_a_weighted_mean_and_a_difference():
    a = rows([1.0, 2.0, 3.0], weight=np.array([0.0, 1.0, 1.0]))
    b = rows([1.0, 1.0, 1.5, 0.5], machine=[10, 11, 12, 13])
    assert a.mean().value == 2.5
    found = means.apart(a, b)
    assert found.value == pytest.approx(1.5)
    assert found.variance == pytest.approx(a.mean().variance + b.mean().variance, rel=0.2)
    assert means.above(found) < 0.05 < means.above(means.apart(b, a))


def test_machines_are_compared_with_themselves():
    rng = np.random.default_rng(0)
    level = rng.normal(0, 5, 12)
    machine = np.repeat(np.arange(12), 30)
    old, new = (level[machine] + rng.normal(0, 0.3, 360) + more for more in (0.0, 0.2))
    spans = np.zeros(360, dtype=int)
    one, other = means.Rows(new, machine, spans), means.Rows(old, machine, spans)
    alone = means.Rows(old, machine + 100, spans)
    assert means.above(means.apart(one, other)) < 0.01 < 0.4 < means.above(means.apart(one, alone))


def test_where_nothing_can_be_told_nothing_is_sure():
    one = means.Rows(np.array([5.0, 6.0]), np.array([0, 0]), np.array([0, 1])).mean()
    assert math.isnan(one.variance) and means.above(one) == 1.0
    assert one.measured("loss").high == math.inf
    assert math.isnan(rows([]).mean().value) and math.isnan(means.apart(rows([1.0]), rows([])).value)
    assert means.above(rows([1.0] * 5).mean()) == 0.0
