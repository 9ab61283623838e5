"""Residuals against the plain twin, and back to every bit."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest

from flyball import kernels
from flyball.kernels import backend, reference

IMAGES = st.sampled_from([np.uint8, np.uint16]).flatmap(
    lambda kind: hnp.arrays(kind, st.tuples(st.integers(1, 9), st.integers(1, 40)))
)


@hypothesis.given(IMAGES, st.sampled_from(range(5)))
@hypothesis.settings(max_examples=150, deadline=None)
def test_every_path_gives_what_the_twin_gives_and_comes_back(image, number):
    rule = kernels.RULES[number]
    want = reference.residuals(image, number)
    assert np.array_equal(kernels.residuals(image, rule), want)
    assert np.array_equal(kernels.restore(want.tobytes(), rule, image.shape, image.dtype), image)
    back = np.empty_like(image)
    reference.restore(want, number, back)
    assert np.array_equal(back, image)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_large_image_on_every_path(path, kind):
    rng = np.random.default_rng(0)
    image = (rng.normal(0, 9, (300, 257)) + np.linspace(0, 200, 257)).astype(kind)
    for number, rule in enumerate(kernels.RULES):
        want = reference.residuals(image, number)
        assert np.array_equal(kernels.residuals(image, rule), want)
        assert np.array_equal(kernels.restore(want, rule, image.shape, kind), image)
    chosen = kernels.choose_rule(image)
    with backend.using("reference"):
        assert kernels.choose_rule(image) == chosen
        assert np.array_equal(kernels.restore(want, rule, image.shape, kind), image)


@hypothesis.given(st.binary(max_size=70))
@hypothesis.settings(max_examples=100, deadline=None)
def test_halves_equal_the_twin_and_come_back(laid):
    low, high = kernels.halve(laid)
    want = reference.halve(np.frombuffer(laid, np.uint8))
    assert np.array_equal(low, want[0]) and np.array_equal(high, want[1])
    assert kernels.rejoin(low, high, len(laid)).tobytes() == laid
    assert reference.rejoin(low, high, len(laid)).tobytes() == laid


def test_halves_on_every_path(path):
    laid = np.random.default_rng(0).integers(0, 256, 10_001).astype(np.uint8)
    low, high = kernels.halve(laid)
    want = reference.halve(laid)
    assert np.array_equal(low, want[0]) and np.array_equal(high, want[1])
    assert np.array_equal(kernels.rejoin(low, high, len(laid)), laid)
    with backend.using("reference"):
        assert np.array_equal(kernels.rejoin(*kernels.halve(laid), len(laid)), laid)


def entropy(values):
    shares = np.bincount(values, minlength=256) / len(values)
    return -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()


def test_the_rule_follows_the_image():
    rng = np.random.default_rng(0)
    lines = np.tile(100 + 50 * (np.arange(256) // 16 % 2), (256, 1))
    noisy = (lines + rng.normal(0, 4, lines.shape)).astype(np.uint8)
    assert kernels.choose_rule(noisy) == "mean"
    assert kernels.choose_rule(np.ascontiguousarray(np.repeat(noisy[:1].T, 256, axis=1))) == "left"
    # Whatever the distance of lines that run across, they are seen.
    for period in (16, 31, 32, 64):
        across = np.repeat((100 + 50 * (np.arange(1024) // (period // 2) % 2))[:, None], 1024, axis=1)
        image = (across + rng.normal(0, 4, across.shape)).astype(np.uint8)
        best = min(entropy(kernels.residuals(image, rule)) for rule in kernels.RULES)
        assert entropy(kernels.residuals(image, kernels.choose_rule(image))) < 1.01 * best
    smooth = np.hypot(*np.mgrid[0:300, 0:300]).astype(np.uint8) + rng.integers(0, 3, (300, 300)).astype("u1")
    assert kernels.choose_rule(smooth) == "cone"
    assert kernels.choose_rule(rng.choice(np.array([0, 255], np.uint8), (64, 64))) == "none"
    # Even levels only: averages of them would be odd half of the time.
    few = (2 * rng.poisson(40, (300, 300))).astype(np.uint8)
    assert kernels.choose_rule(few) in ("none", "left", "up")


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: kernels.residuals(np.zeros((2, 2)), "up"), "image: float64"),
        (lambda: kernels.residuals(np.zeros(4, np.uint8), "up"), "two dimensions"),
        (lambda: kernels.residuals(np.zeros((2, 2), np.uint8), "paeth"), "rule: no 'paeth'"),
        (lambda: kernels.restore(b"123", "up", (2, 2), "u1"), "laid: 3 bytes"),
        (lambda: kernels.restore(b"1234", "up", (2, 2), "f4"), "neither uint8 nor uint16"),
        (lambda: kernels.rejoin(b"12", b"1", 3), "low, high: 2 and 1"),
        (lambda: kernels.choose_rule(np.zeros((2, 2, 3), np.uint8)), "two dimensions"),
    ],
)
def test_wrong_arguments_are_named(call, what):
    with pytest.raises(ValueError, match=what):
        call()
