import dataclasses

import numpy as np
import pytest

from flyball import data, errors, features


@dataclasses.dataclass
class Pictures:
    """References that fail when they are decoded: no feature may do that."""

    names: np.ndarray

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        return Pictures(self.names[index])

    def load(self):
        raise AssertionError("decoded while features are computed")


def table():
    names = Pictures(np.array(["one", "two", "three"]))
    return data.Rows.of(["w1", "w2", "w2"], at=[0, 0, 5], columns={"map": names})


def test_the_image_of_the_asked_row_is_passed_on():
    asked = features.Each("t").moments({"t": table()})
    found = features.Image("t.map").compute({"t": table()}, asked)["t.map"]
    assert found.names.tolist() == ["one", "two", "three"]


def test_no_image_yet_is_an_error():
    with pytest.raises(errors.DataError, match="'w3' has no image yet"):
        features.Image("t.map").compute({"t": table()}, features.Moments.of(["w1", "w3"], [0, 0]))


def test_problems(page):
    wall = page(data.WallClock())
    assert list(features.Image("t.map").problems(wall)) == []
    assert "an image is needed" in str(*features.Image("t.x").problems(wall))
