import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from flyball import data
from flyball.monitoring import bins

SHARES = st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any)


def shares(counts):
    return np.array(counts) / sum(counts)


@given(SHARES, st.randoms(use_true_random=False))
def test_divergences_are_what_their_definitions_say(counts, random):
    other = [random.randint(0, 50) + 1 for _ in counts]
    p, q = shares(counts) + bins.FLOOR, shares(other) + bins.FLOOR
    p, q = p / p.sum(), q / q.sum()
    found = bins.divergences(shares(counts), shares(other))
    kl = sum(b * np.log(b / a) for a, b in zip(p, q, strict=True))
    back = sum(a * np.log(a / b) for a, b in zip(p, q, strict=True))
    assert found["kl"] == pytest.approx(kl)
    assert (
        found["psi"]
        == pytest.approx(kl + back)
        == pytest.approx(bins.stability(shares(counts), shares(other)))
    )
    assert 0 <= found["js"] <= np.log(2)
    assert 0 <= found["ks"] <= 1


@given(SHARES)
def test_nothing_differs_from_itself(counts):
    assert all(
        value == pytest.approx(0, abs=1e-12)
        for value in bins.divergences(shares(counts), shares(counts)).values()
    )


@given(
    arrays.arrays(
        np.float64, st.integers(0, 60), elements=st.sampled_from([0.0, 1.0, 2.5, -7.0, np.nan, np.inf])
    )
)
def test_every_value_has_one_bin_and_shares_add_up(values):
    told = bins.describe(values)
    codes = bins.codes(told, values)
    assert len(codes) == len(values)
    assert sum(told["shares"]) == pytest.approx(1 if len(values) else 0)
    assert np.array_equal(
        np.bincount(codes, minlength=len(told["shares"])) / max(len(values), 1), told["shares"]
    )
    assert (codes[~np.isfinite(values)] == len(told["shares"]) - 1).all()
    assert (codes[np.isfinite(values)] < len(told["shares"]) - 1).all()


def test_categories_keep_the_frequent_ones_and_the_rest_are_new():
    many = data.Words.of([f"k{i:03d}" for i in range(bins.MOST_CATEGORIES + 50)] * 2 + ["often"] * 9)
    told = bins.describe(many)
    assert len(told["labels"]) == bins.MOST_CATEGORIES
    assert "often" in told["labels"]
    assert bins.codes(told, data.Words.of(["often", "never", None])).tolist() == [
        told["labels"].index("often"),
        bins.MOST_CATEGORIES,
        bins.MOST_CATEGORIES,
    ]


def test_a_column_that_changed_its_kind_is_new_in_every_row():
    number, word = bins.describe(np.arange(5.0)), bins.describe(data.Words.of(["a", "b"]))
    assert set(bins.codes(number, data.Words.of(["a"])).tolist()) == {len(number["shares"]) - 1}
    assert set(bins.codes(word, np.arange(3.0)).tolist()) == {2}
