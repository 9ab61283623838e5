"""A layout is checked when it is declared, and the error names the field."""

import pickle

import pytest

from flyball import kernels


@pytest.mark.parametrize(
    ("named", "changed"),
    [
        ("fields", {"fields": "timestamp"}),
        ("fields", {"fields": ("timestamp", "kode")}),
        ("fields", {"fields": ("timestamp", "code", "code")}),
        ("fields", {"fields": ("code", "text")}),
        ("fields", {"fields": ("timestamp", "text", "code")}),
        ("fields", {"fields": ("timestamp", "code", *"-------")}),
        ("fields", {"fields": (1, 2)}),
        ("separator", {"separator": "::"}),
        ("separator", {"separator": ""}),
        ("timestamp", {"timestamp": "%Y"}),
        ("levels", {"levels": "INFO"}),
        ("levels", {"levels": ("INFO", "INFO")}),
        ("levels", {"levels": ("",)}),
        ("levels", {"levels": ("A B",)}),
        ("levels", {"levels": ("Ä",)}),
        ("levels", {"levels": ("X" * 17,)}),
        ("levels", {"levels": tuple(f"L{i}" for i in range(17))}),
        ("code", {"code": "AB"}),
        ("code", {"code": "99"}),
        ("code", {"code": "E 9"}),
        ("code", {"code": "E" * 17}),
        ("code", {"code": 9}),
        ("since", {"since": 1.5}),
        ("since", {"since": 2**62}),
        ("until", {"since": 5, "until": 5}),
        ("longest", {"longest": 63}),
        ("longest", {"longest": True}),
        ("runs", {"runs": 1}),
    ],
)
def test_wrong_fields(named, changed):
    with pytest.raises(ValueError) as caught:
        kernels.LogLayout(**changed)
    assert str(caught.value).partition(":")[0] == named


def test_suggests():
    with pytest.raises(ValueError, match="did you mean 'machine'"):
        kernels.LogLayout(fields=("timestamp", "machin", "code"))


def test_is_a_value():
    layout = kernels.LogLayout(fields=["timestamp", "code"], levels=["X"])
    assert (
        layout
        == pickle.loads(pickle.dumps(layout))
        == kernels.LogLayout(fields=("timestamp", "code"), levels=("X",))
    )
    assert len({layout, kernels.LogLayout()}) == 2
    with pytest.raises(AttributeError):
        layout.code = "A-9"
    assert (layout.place("code"), layout.place("machine")) == (1, -1)
