import json

import numpy as np

from flyball import data
from flyball.site import seen


def rows(*told):
    return data.Rows.of(
        [key for key, *_ in told], [at for _, at, *_ in told], [at + 1 for _, at, *_ in told],
        {"x": [x for _, _, x, _ in told], "code": data.Words.of([code for *_, code in told])},
    )  # fmt: skip


def listed(found):
    return [
        *zip(
            seen._names(found),
            found.at.tolist(),
            found.floats("x").tolist(),
            found.words("code").texts(),
            strict=True,
        )
    ]


def test_rows_come_back_from_plain_json_as_they_were():
    some = rows(("b", 3, 1.5, "A"), ("a", 1, 2.5, None))
    note = json.loads(json.dumps(seen._plain(some), allow_nan=False))
    assert listed(seen._rows(note, {"code": "category"}, ())) == listed(some)


def test_what_is_no_number_is_missing_in_the_note_and_after_it():
    note = seen._plain(rows(("a", 1, np.inf, "A"), ("a", 2, np.nan, "B")))
    assert note["columns"]["x"] == [None, None]
    assert np.isnan(seen._rows(note, {"code": "category"}, ()).floats("x")).all()


def test_newer_rows_join_older_ones_machine_by_machine():
    joined = seen._merged(rows(("a", 1, 1.0, "A"), ("b", 1, 2.0, "B")), rows(("a", 2, 3.0, "C")))
    assert listed(joined) == [("a", 1, 1.0, "A"), ("a", 2, 3.0, "C"), ("b", 1, 2.0, "B")]
    assert seen._newest(joined).tolist() == [2, 2, 1]
    assert seen._merged(None, joined) is joined
