"""Values that stand still though they usually change."""

import hypothesis
import hypothesis.strategies as st
import numpy as np

from flyball.data.doctor import stuck


def noise(size=600, seed=1):
    return np.random.default_rng(seed).normal(size=size)


def test_the_longest_stretch_is_told_where_it_lies():
    values = noise()
    values[100:130], values[300:400] = values[100], values[300]
    assert stuck.find(values) == (2, 130, 300, 100, values[300])


def test_in_the_order_of_time_and_within_one_machine():
    values = noise()
    values[200:260] = 1.25
    shuffle = np.random.default_rng(2).permutation(600)
    order = np.argsort(shuffle)
    found = stuck.find(values[shuffle], order)
    assert (found.longest, shuffle[found.first]) == (60, 200)
    machines = (np.arange(600) // 230).astype(np.int32)
    assert stuck.find(values, None, machines).longest == 30


def test_what_stands_still_by_nature_is_not_told():
    assert stuck.find(noise()) is None
    assert stuck.find(np.repeat(noise(30), 20)) is None, "a setpoint"
    mostly_zero = noise() * (np.arange(600) % 40 == 0)
    assert stuck.find(mostly_zero) is None
    assert stuck.find(np.full(600, np.nan)) is None
    assert stuck.find(noise(10)) is None


def test_missing_cells_are_passed_over():
    values = noise()
    values[100:130], values[115] = values[100], np.nan
    assert stuck.find(values)[:4] == (1, 29, 100, 29)
    sparse = np.full(6_000, np.nan)
    sparse[::10] = values
    assert stuck.find(sparse)[:4] == (1, 29, 1_000, 29)


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(20, 80), st.integers(0, 500))
@hypothesis.settings(max_examples=30)
def test_a_stretch_that_was_put_in_is_found(seed, length, place):
    values = noise(seed=seed)
    values[place : place + length] = 17.0
    found = stuck.find(values)
    assert (found.stretches, found.first, found.longest, found.value) == (1, place, length, 17.0)
