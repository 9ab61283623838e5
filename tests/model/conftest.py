"""Small made-up rows that every learner is tried on."""

from __future__ import annotations

import numpy as np
import pytest

from flyball import data, features, labels

DAY = 86_400_000_000


class Images:
    """A late column whose references are the images themselves."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays)

    def __getitem__(self, index):
        return Images(self.arrays[index])

    def load(self):
        return list(self.arrays)


class Rows:
    """Made-up rows: `a` and `b` matter, `noise` does not, `kind` is a category; `a` has gaps."""

    def __init__(self, n=400, machines=12, seed=0):
        rng = np.random.default_rng(seed)
        keys = [f"m{code:02d}" for code in rng.integers(0, machines, n)]
        self.moments = features.Moments.of(keys, rng.integers(0, 60, n) * DAY)
        a = rng.normal(size=n)
        a[rng.random(n) < 0.1] = np.nan
        self.b = rng.normal(size=n)
        self.kind = data.Words.of(rng.choice(["x", "y", "z"], n).tolist())
        self.x = features.Matrix(
            self.moments, {"a": a, "b": self.b, "kind": self.kind, "noise": rng.normal(size=n)}
        )
        self.signal = np.nan_to_num(a) + self.b + (self.kind.codes == 1)
        self.event = (self.signal + rng.normal(size=n) > 1.5).astype(float)
        self.quantity = 10 + 3 * self.signal + rng.normal(size=n)
        self.classes = np.digitize(self.signal, (-0.5, 1.0)).astype(float)

    def truth(self, kind):
        """The answers of that kind, all known."""
        if isinstance(kind, labels.Probability):
            return answers(self.event)
        return answers(self.quantity if isinstance(kind, labels.Quantity) else self.classes)


def answers(value, weight=None):
    value = np.asarray(value, dtype=float)
    why = data.Words(np.full(len(value), -1, dtype=np.int32), ())
    return labels.Answers(value, np.ones(len(value), dtype=bool), why, weight)


@pytest.fixture(scope="session")
def rows():
    return Rows()


@pytest.fixture(scope="session")
def make_rows():
    return Rows


@pytest.fixture(scope="session")
def answered():
    return answers


@pytest.fixture(scope="session")
def make_images():
    return Images


@pytest.fixture(scope="session")
def kinds():
    return {
        labels.Probability: labels.Probability(),
        labels.Classes: labels.Classes(("low", "middle", "high")),
        labels.Quantity: labels.Quantity("h", low=0.0),
    }
