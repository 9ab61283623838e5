import json

import numpy as np
import pytest

from flyball import errors, model
from flyball.site import terms
from flyball.systems.scanner.page import system
from flyball.torture import small

PAGE = repr(system)


def written(folder, page=PAGE, **told):
    folder.mkdir(exist_ok=True)
    (folder / "page.txt").write_text(page)
    (folder / "serving.json").write_text(json.dumps(told))
    return folder


def test_a_release_says_its_limits_and_its_threshold(tmp_path):
    found = terms.of(written(tmp_path, threshold=0.25))
    assert (found.p99_ms, found.resident_bytes, found.threshold) == (5.0, 75 * 2**20, 0.25)
    assert found.said(np.array([0.1, 0.25])).tolist() == [False, True]
    assert found.page == system


def test_what_has_no_page_has_no_terms(tmp_path):
    assert terms.of(tmp_path) == terms.Terms()


@pytest.mark.parametrize("page", ["System(", "Threshold()", "__import__('os')"])
def test_a_page_that_is_none_is_not_to_be_trusted(tmp_path, page):
    with pytest.raises(errors.TrustError, match="refuse"):
        terms.of(written(tmp_path, page))


def test_what_is_no_number_or_beyond_the_physics_is_a_violation():
    x = small.matrix(3)
    held = terms.Terms(laws=(model.Physics(high=0.5),))
    assert held.violated(x, np.array([0.1, 0.9, np.nan])) == 2
    assert terms.Terms().violated(x, np.array([0.1, 0.9, np.nan])) == 1
