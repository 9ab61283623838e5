import inspect
import re

import pytest

from flyball import errors

KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, Exception)]


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = dict(re.findall(r"[├└]── (\w+) ", errors.__doc__) and _drawn(errors.__doc__))
    assert drawn == {
        kind.__name__: kind.__mro__[1].__name__ for kind in KINDS if kind is not errors.FlyballError
    }


def _drawn(text):
    above = ["FlyballError"]
    for bar, name in re.findall(r"^([│ ]*)[├└]── (\w+)", text, flags=re.M):
        depth = len(bar) // 4 + 1
        above[depth:] = [name]
        yield name, above[depth - 1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_everything_raised_on_purpose_is_one_kind(kind):
    assert issubclass(kind, errors.FlyballError)
    assert str(kind("what, where, and what to do")) == "what, where, and what to do"


def test_a_declaration_error_lists_every_problem():
    error = errors.DeclarationError(
        "page: 2 problems", [errors.Problem("a", "b", "c"), errors.Problem("d", "e")]
    )
    assert str(error) == "page: 2 problems\n  a: b, c\n  d: e"
    assert len(error.problems) == 2


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("vibraton", ["vibration", "voltage"], "did you mean 'vibration'?"),
        ("kw", ["W", "kW", "kV"], "did you mean 'kW'?"),
        ("zzz", ["b", "a"], "known: a, b"),
        ("zzz", [], "there is none to choose from"),
        ("zzz", [f"k{i:02d}" for i in range(30)], "known: " + ", ".join(f"k{i:02d}" for i in range(12))),
    ],
)
def test_did_you_mean(word, known, said):
    assert errors.did_you_mean(word, known) == said
