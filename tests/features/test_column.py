import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features import plain

from flyball import data, errors, features, part
from flyball.units import days, steps


def span_of_codes(window):
    """How many codes the window holds, and how old the oldest row is."""
    codes = [code for code in window["t.code"] if code is not None]
    oldest = window["moment"] - window["t.at"][0] if len(window["t.at"]) else math.nan
    return {"codes": len(codes), "oldest": oldest}


def misnamed(window):
    return {"cods": 1.0}


@given(plain.rows(), plain.moments(), st.none() | plain.spans())
def test_a_plain_function_sees_its_window_only(table, asked, over):
    feature = features.Column(span_of_codes, of=("t.code",), makes=("codes", "oldest", "never"), over=over)
    found = feature.compute({"t": table}, asked)
    codes = table.columns["code"].texts()

    def window(key, m):
        return plain.window(table, key, m, over or 10**6)

    wanted = plain.ask(table, asked, lambda key, m: sum(codes[row] is not None for row in window(key, m)))
    assert found["codes"].tolist() == wanted

    def oldest(key, m):
        return m - table.at[window(key, m)[0]] if window(key, m) else math.nan

    np.testing.assert_array_equal(found["oldest"], np.array(plain.ask(table, asked, oldest), dtype=float))
    assert np.isnan(found["never"]).all()


def test_a_column_that_was_not_declared_is_an_error():
    table = data.Rows.of(["a"], at=[1], columns={"x": [1.0]})
    feature = features.Column(misnamed, of=("t.x",), makes=("codes",))
    with pytest.raises(errors.DataError, match="did you mean 'codes'"):
        feature.compute({"t": table}, features.Moments.of(["a"], [1]))


def test_a_function_without_a_name_cannot_stand_on_a_page():
    with pytest.raises(errors.DeclarationError, match="plain function"):
        features.Column(lambda window: 1.0, of=("t.x",))


def test_its_module_enters_the_fingerprint():
    feature = features.Column(span_of_codes, of=("t.code",))
    assert any(isinstance(inner, part.Function) for _, inner in part.walk(feature))
    assert feature.names() == ("span_of_codes",)


def test_problems(page):
    wall = page(data.WallClock())
    assert list(features.Column(span_of_codes, of=("t.code",), over=days(1)).problems(wall)) == []
    assert "would see nothing" in str(*features.Column(span_of_codes, of=()).problems(wall))
    assert "features.Image" in str(*features.Column(span_of_codes, of=("t.map",)).problems(wall))
    assert "steps(2)" in str(*features.Column(span_of_codes, of=("t.x",), over=steps(2)).problems(wall))
