import numpy as np

from flyball import data, features
from flyball.model import because, linear


def fleet(rows):
    moments = features.Moments.of([f"m{n}" for n in range(len(rows))], [0] * len(rows))
    wear, heat = np.array(rows, dtype=float).T
    words = data.stage.Words.of(["a"] * len(rows))
    return features.Matrix(moments, {"wear": wear, "heat": heat, "kind": words})


class Line:
    """Answers by a logistic line, so what each column adds is known."""

    def predict(self, x):
        return linear.sigmoid(2.0 * x.columns["wear"] - 1.0 * x.columns["heat"] - 3.0)


def test_each_column_is_given_what_it_adds_over_the_usual():
    told = because.because(Line(), fleet([(0, 0), (0, 0), (0, 0), (3, -2)]), 3, [0, 1, 2, 3])
    # Medians are 0 and 0: wear adds 2 * 3, heat adds 2.
    assert [name for name, *_ in told] == ["wear", "heat"]
    assert [tuple(round(v, 6) for v in rest) for _, *rest in told] == [(3.0, 0.0, 6.0), (-2.0, 0.0, 2.0)]


def test_what_lowers_an_answer_or_is_as_usual_is_not_told():
    assert because.because(Line(), fleet([(1, 0), (1, 0), (1, 5)]), 2, [0, 1, 2]) == ()


def test_with_too_few_beside_nothing_is_usual():
    assert because.because(Line(), fleet([(0, 0), (3, 0)]), 1, [0, 1]) == ()


def test_missing_values_are_no_reason():
    told = because.because(Line(), fleet([(0, 0), (0, np.nan), (2, np.nan)]), 2, [0, 1, 2])
    assert [name for name, *_ in told] in ([], ["wear"])
