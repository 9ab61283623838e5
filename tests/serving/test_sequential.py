import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.serving.sequential import Losses, Rate, detectable


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20))
def test_how_counts_are_chunked_and_ordered_changes_nothing(seen):
    seen = [(n, min(n, bad)) for n, bad in seen]
    one, other = Rate(), Rate()
    for n, bad in seen:
        one = one.seen(n, bad)
    for n, bad in reversed(seen):
        other = other.seen(n, bad)
    assert one == other == Rate(sum(n for n, _ in seen), sum(bad for _, bad in seen))


@given(
    st.lists(st.lists(st.floats(-1, 1), min_size=1, max_size=8), min_size=1, max_size=12), st.floats(0, 0.2)
)
def test_losses_in_any_chunks_come_to_the_same_and_to_no_more_than_one_by_one(chunks, margin):
    whole, one = Losses(), Losses()
    for chunk in chunks:
        whole = whole.seen(len(chunk), sum(chunk), sum(d * d for d in chunk), margin)
        for d in chunk:
            one = one.seen(1, d, d * d, margin)
    assert whole.e() == pytest.approx(one.e(), rel=1e-6)
    exact = 0.0
    from flyball.serving.sequential import STAKES

    for stake in STAKES:
        wealth = 1.0
        for chunk in chunks:
            for d in chunk:
                wealth *= 1 + stake * (d - margin) / (1 + margin)
        exact += wealth / len(STAKES)
    assert whole.e() <= exact * (1 + 1e-6)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_looked_at_after_every_answer_a_good_rate_is_blamed_no_more_often_than_said(share):
    limit, alpha, blamed = 0.05, 0.1, 0
    for seed in range(200):
        rng, rate = random.Random(seed), Rate()
        for _ in range(150):
            rate = rate.seen(5, sum(rng.random() < limit * share for _ in range(5)))
            if rate.e(limit) >= 1 / alpha:
                blamed += 1
                break
    # Three standard deviations above what is promised, of 200 tries.
    assert blamed <= 200 * alpha + 3 * (200 * alpha * (1 - alpha)) ** 0.5


def test_what_is_worse_is_found():
    rng, rate, losses = random.Random(1), Rate(), Losses()
    for _ in range(60):
        rate = rate.seen(10, sum(rng.random() < 0.15 for _ in range(10)))
        found = [max(-1.0, min(1.0, rng.gauss(0.15, 0.3))) for _ in range(10)]
        losses = losses.seen(10, sum(found), sum(d * d for d in found), 0.02)
    assert rate.e(0.05) > 1000 and losses.e() > 1000


def test_what_can_be_detected_shrinks_with_answers():
    assert detectable(10_000, 0.01, 0.005) < detectable(1_000, 0.01, 0.005) < detectable(100, 0.01, 0.005)
