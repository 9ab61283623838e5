"""Pictures of lines and holes: where material is, how noise falls with electrons and scans, what optics change."""

import numpy as np
import pytest

from flyball.fab import sem


def psnr(picture, clean):
    return -10.0 * np.log10(((picture - clean) ** 2).mean())


@pytest.fixture(scope="module")
def scene():
    signal, edges = sem.lines(sem.Lines(), np.random.default_rng(0))
    return signal, edges, sem.blurred(signal, sem.Optics())


def test_lines_lie_between_their_edges(scene):
    signal, edges, _ = scene
    x = np.arange(sem.SIDE) * sem.PIXEL
    deep = np.zeros(signal.shape, dtype=bool)
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        deep |= (x > left[:, None] + 6.0) & (x < right[:, None] - 6.0)
    assert signal[deep].mean() == pytest.approx(sem.LINE, abs=0.01)
    outside = (x < edges[0].min() - 8.0) & (x > 1.0)
    assert signal[:, outside].mean() == pytest.approx(sem.SPACE, abs=0.01)
    rim = np.rint(edges[2] / sem.PIXEL).astype(int)
    assert (signal[np.arange(sem.SIDE), rim] > sem.LINE + 0.2).all()


def test_noise_is_of_the_scale_that_electrons_give(scene):
    clean = scene[2]
    rng = np.random.default_rng(1)
    found = [psnr(sem.scanned(clean, dose, 1, rng), clean) for dose in (2.0, 5.0, 10.0, 20.0, 40.0)]
    # 3.3, 8.9, 12.7, 16.1 and 19.3 dB were published for such a setting.
    np.testing.assert_allclose(found, [3.3, 8.9, 12.7, 16.1, 19.3], atol=1.2)


def test_scans_are_averaged_and_drift_away(scene):
    clean = scene[2]
    rng = np.random.default_rng(2)
    one, four, many = (psnr(sem.scanned(clean, 10.0, scans, rng), clean) for scans in (1, 4, 32))
    assert one + 3.0 < four < many
    assert many < one + 10.0 * np.log10(32.0)  # drift and jitter stay


def test_blur_gain_and_contrast_do_what_they_say(scene):
    signal = scene[0]
    plain = sem.blurred(signal, sem.Optics())
    assert sem.blurred(signal, sem.Optics(blur_x=3.0)).std() < plain.std()
    assert sem.blurred(signal, sem.Optics(gain=1.1)).mean() > 1.05 * plain.mean()
    assert sem.blurred(signal, sem.Optics(contrast=1.2)).std() == pytest.approx(1.2 * plain.std(), rel=0.02)
    # Charging: what lies behind much brightness is darker.
    flat = np.full((8, 512), 0.3)
    flat[:, :256] = 0.9
    behind = sem.blurred(flat, sem.Optics())[:, 270:]
    assert behind[:, 0].mean() < behind[:, -1].mean()


def test_holes_are_dark_where_they_are():
    signal, holes = sem.contacts(sem.Contacts(), np.random.default_rng(0))
    assert len(holes) == 100
    for x, y, _ in holes[:20]:
        assert signal[int(y / sem.PIXEL), int(x / sem.PIXEL)] == pytest.approx(sem.SPACE, abs=0.02)
    assert np.median(signal) == pytest.approx(sem.LINE, abs=0.02)


def test_grey_is_eight_bits():
    assert sem.grey(np.array([[-1.0, 0.0, sem.WHITE, 9.0]])).tolist() == [[0, 0, 255, 255]]
