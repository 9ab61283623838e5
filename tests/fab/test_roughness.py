"""Edges are as rough as they are drawn, and are found as rough in noisy pictures once the noise is taken off."""

import numpy as np
import pytest

from flyball import errors
from flyball.fab import roughness, sem


def test_edges_have_the_spectrum_they_are_drawn_from():
    edge = roughness.Edge(0.8, 20.0, 0.6)
    whole = 2048
    drawn = roughness.edges(edge, 400, whole // 4, 0.8, np.random.default_rng(0))
    assert drawn.std() == pytest.approx(0.8, rel=0.03)
    rough, smooth = (
        roughness.edges(roughness.Edge(0.8, length, 0.6), 200, 512, 0.8, np.random.default_rng(1))
        for length in (10.0, 25.0)
    )
    assert np.diff(rough).std() > 1.3 * np.diff(smooth).std()


@pytest.mark.parametrize(("electrons", "within"), [(10.0, 0.10), (20.0, 0.06), (40.0, 0.06)])
def test_unbiased_roughness_is_the_truth(electrons, within):
    """Over twelve scenes the mean is right; the roughness as it is seen is far too large."""
    rng, pattern = np.random.default_rng(3), sem.Lines()
    truth, biased, unbiased = [], [], []
    for _ in range(12):
        signal, edges = sem.lines(pattern, rng)
        picture = sem.grey(sem.scanned(sem.blurred(signal, sem.Optics()), electrons, 1, rng))
        told = roughness.measure(roughness.find(picture, pattern.places(), sem.PIXEL))
        truth.append(3.0 * (edges - edges.mean(axis=1, keepdims=True)).std())
        biased.append(told.biased)
        unbiased.append(told.unbiased)
    assert np.mean(unbiased) == pytest.approx(np.mean(truth), rel=within)
    assert np.mean(biased) > 1.15 * np.mean(truth)


def test_a_straight_edge_in_noise_is_not_rough():
    noise = 0.7 * np.random.default_rng(0).normal(size=(60, 512))
    told = roughness.measure(noise)
    assert told.biased == pytest.approx(2.1, rel=0.02)
    assert told.unbiased < 0.5


def test_what_cannot_be_measured_is_told():
    with pytest.raises(errors.DataError, match="border"):
        roughness.find(np.zeros((64, 64)), np.array([1.0]), 0.8)
    with pytest.raises(errors.DataError, match="32 or more"):
        roughness.measure(np.zeros((3, 10)))
