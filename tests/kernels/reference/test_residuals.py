"""The plain twin of residuals, by hand."""

import numpy as np

from flyball.kernels import reference

IMAGE = np.array([[10, 20, 40], [11, 19, 44], [12, 18, 48], [13, 17, 52], [14, 16, 56]], np.uint8)


def test_what_is_left():
    left = [reference.residuals(IMAGE, rule).view(np.int8).reshape(5, 3) for rule in range(5)]
    assert left[0].tolist() == IMAGE.astype(int).tolist()
    assert left[1][0].tolist() == [10, 10, 20]
    assert left[2][1].tolist() == [1, -1, 4]
    assert left[3][1].tolist() == [1, -1, 4]
    # (10 + 11 + 12 + 13 + 2) // 4 = 12, (20 + 19 + 18 + 17 + 2) // 4 = 19, (40 + 44 + 48 + 52 + 2) // 4 = 46
    assert left[3][4].tolist() == [2, -3, 10]
    # (10 + 20 + 20 + 2) // 4 = 13, (10 + 40 + 40 + 2) // 4 = 23, (20 + 80 + 40 + 2) // 4 = 35
    assert left[4][1].tolist() == [-2, -4, 9]


def test_sixteen_bits_are_folded_into_two_planes():
    image = np.array([[300, 299, 300]], np.uint16)
    laid = reference.residuals(image, 1)
    assert laid.tolist() == [600 & 0xFF, 1, 2, 600 >> 8, 0, 0]
    back = np.empty_like(image)
    reference.restore(laid, 1, back)
    assert back.tolist() == image.tolist()


def test_bytes_are_counted_by_rule():
    counts = reference.count_residuals(IMAGE)
    assert counts.shape == (5, 1, 256)
    assert counts.sum(axis=(1, 2)).tolist() == [15] * 5
    assert counts[2, 0, 1] == 4 and counts[2, 0, 255] == 4 and counts[2, 0, 4] == 4
    tall = np.zeros((1000, 100), np.uint8)
    assert reference.count_residuals(tall)[0, 0].tolist() == [7000] + [0] * 255


def test_halves_by_hand():
    # Folded: 1 -> 2, -1 -> 1, 16 -> 32, -128 -> 255, 0 -> 0.
    low, high = reference.halve(np.array([1, 255, 16, 128, 0], np.uint8))
    assert low.tolist() == [2 | 15 << 4, 1, 0] and high.tolist() == [15 << 4, 0, 2]
    assert reference.rejoin(low, high, 5).tolist() == [1, 255, 16, 128, 0]
