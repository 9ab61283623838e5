"""What prepares the inputs of a graph, against plain loops."""

import numpy as np
import pytest

from flyball import errors, features
from flyball.model import tensors


def matrix(**columns):
    n = len(next(iter(columns.values())))
    return features.Matrix(features.Moments.of(["a"] * n, range(n)), columns)


def test_settings_come_back(rows, make_images):
    window = np.random.default_rng(0).normal(size=(len(rows.x), 4, 2))
    x = features.Matrix(rows.moments, {**rows.x.columns, "w": window})
    for maker in (
        tensors.Scaled.of(x, ("a", "b", "kind")),
        tensors.Sequence.of(x, "w"),
        tensors.Image("map", (4, 4), ((2,), (1, 2))),
    ):
        assert tensors.read(maker.settings()) == maker
    with pytest.raises(errors.DataError, match="no tensor 'cube'"):
        tensors.read({"tensor": "cube"})


def test_numbers_are_standardised_and_categories_spread_out(rows):
    made = tensors.Scaled.of(rows.x).make(rows.x)
    assert made.shape == (len(rows.x), 3 + 3) and made.dtype == np.float32
    assert made[:, :3].mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-6)
    assert np.array_equal(made[:, 3:].sum(axis=1), np.ones(len(rows.x)))
    wild = features.Matrix(rows.moments, {**rows.x.columns, "a": np.full(len(rows.x), 1e30)})
    told = tensors.Scaled.of(rows.x).make(wild)
    assert np.isfinite(told).all() and told.max() == 6


def test_a_sequence_says_which_steps_are_there():
    window = np.array([[[np.nan, np.nan], [1.0, np.nan], [3.0, 5.0]]])
    maker = tensors.Sequence.of(matrix(w=window), "w")
    made = maker.make(matrix(w=window))
    assert made[0, :, 2].tolist() == [0, 1, 1]
    assert made[0, :, 0].tolist() == [0, -1, 1] and made[0, 0, 1] == 0
    with pytest.raises(errors.DataError, match="3 channels, 2 in training"):
        maker.make(matrix(w=np.zeros((1, 3, 3))))


@pytest.mark.parametrize(("shape", "size"), [((7, 5), (4, 4)), ((3, 3), (5, 8)), ((6, 6), (6, 6))])
def test_images_are_resized_by_area(make_images, shape, size):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 3, (2, *shape)).astype(np.uint8)
    made = tensors.Image("m", size, ((2,), (1, 2))).make(matrix(m=make_images(images)))
    fine = np.repeat(np.repeat(images == 2, size[0], axis=1), size[1], axis=2).astype(float)
    slow = fine.reshape(2, size[0], shape[0], size[1], shape[1]).mean(axis=(2, 4))
    assert made.shape == (2, 2, *size)
    assert made[:, 0] == pytest.approx(slow, abs=0.5 / 255 + 1e-6)


def test_images_of_many_shapes_keep_their_places(make_images):
    class Mixed(make_images):
        def __getitem__(self, index):
            return Mixed([self.arrays[i] for i in np.arange(len(self.arrays))[index]])

    mixed = Mixed([np.full((3, 3), 255), np.zeros((4, 2)), np.full((5, 5), 51)])
    made = tensors.Image("m", (2, 2), None).make(matrix(m=mixed))
    assert made[:, 0, 0, 0] == pytest.approx([1.0, 0.0, 0.2])


def test_what_was_stopped_says_why(make_images):
    x = features.Matrix(
        features.Moments.of(["a"], [0]), {}, {"m": "the column maps.map is missing", "w": "gone"}
    )
    with pytest.raises(errors.DataError, match=r"maps\.map is missing"):
        tensors.Image("m", (2, 2), None).make(x)
    with pytest.raises(errors.DataError, match="gone"):
        tensors.Sequence("w", (0.0,), (1.0,), 6.0).make(x)
