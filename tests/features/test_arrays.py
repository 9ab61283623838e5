import numpy as np

from flyball import data, features
from flyball.features import arrays


class Kept:
    """References that know their digests, as the store gives them."""

    def __init__(self, digests):
        self.digests = list(digests)

    def __len__(self):
        return len(self.digests)

    def __getitem__(self, index):
        return Kept(np.array(self.digests)[index])

    def load(self):
        return [np.array([int(digest)]) for digest in self.digests]


def matrix(keys, at, **stopped):
    n = len(keys)
    columns = {
        "x": np.arange(n) + at[0] + 0.5,
        "code": data.Words.of([f"c{value}" for value in at]),
        "sequence": np.full((n, 2, 1), at[0], dtype=np.float32),
        "map": Kept([str(value) for value in at]),
    }
    moments = features.Moments.of(keys, at)
    return features.Matrix(moments, {name: columns[name] for name in columns if name not in stopped}, stopped)


def same(found, wanted):
    assert found.moments.names() == wanted.moments.names()
    assert found.moments.at.tolist() == wanted.moments.at.tolist()
    assert list(found.columns) == list(wanted.columns) and dict(found.stopped) == dict(wanted.stopped)
    np.testing.assert_array_equal(found.columns["x"], wanted.columns["x"])
    np.testing.assert_array_equal(found.columns["sequence"], wanted.columns["sequence"])
    assert found.columns["code"].texts() == wanted.columns["code"].texts()


def test_a_matrix_is_read_back_as_it_was_written(tmp_path):
    x = matrix(["a", "b"], [1, 2])
    arrays.write_matrix(tmp_path / "x.npz", x)
    again = arrays.read_matrix(tmp_path / "x.npz", Kept)
    same(again, x)
    assert again.columns["map"].digests == ["1", "2"] and again.columns["sequence"].dtype == np.float32


def test_a_decoded_matrix_stands_alone(tmp_path):
    arrays.write_matrix(tmp_path / "x.npz", matrix(["a", "b"], [1, 2]), decode=True)
    again = arrays.read_matrix(tmp_path / "x.npz")
    assert [image.tolist() for image in again.columns["map"].load()] == [[1], [2]]
    assert [image.tolist() for image in again.columns["map"][np.array([1])].load()] == [[2]]


def test_what_was_stopped_is_written_too(tmp_path):
    arrays.write_matrix(tmp_path / "x.npz", matrix(["a"], [1], code="renamed"))
    assert arrays.read_matrix(tmp_path / "x.npz", Kept).stopped == {"code": "renamed"}


def test_parts_are_put_together_in_order():
    found = arrays.stack([matrix(["b", "c"], [5, 6]), matrix(["a", "b"], [1, 2])], Kept)
    assert list(zip(found.moments.names(), found.moments.at.tolist(), strict=True)) == [
        ("a", 1),
        ("b", 2),
        ("b", 5),
        ("c", 6),
    ]
    assert found.columns["code"].texts() == ["c1", "c2", "c5", "c6"]
    assert found.columns["map"].digests == ["1", "2", "5", "6"]
    np.testing.assert_array_equal(found.columns["x"], [1.5, 2.5, 5.5, 6.5])


def test_a_column_stopped_in_one_part_is_stopped_in_the_whole():
    found = arrays.stack([matrix(["a"], [1]), matrix(["b"], [2], code="renamed")], Kept)
    assert "code" not in found.columns and found.stopped == {"code": "renamed"}
