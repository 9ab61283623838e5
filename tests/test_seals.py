import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import seals


@given(
    st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=5), st.none()), max_size=4)
)
def test_a_note_comes_back_as_it_was(told):
    if not any(name.startswith("#") or name.endswith("sha256") for name in told):
        assert seals.unsealed(seals.sealed(told)) == told


def test_any_bit_that_flips_is_told_or_changes_nothing():
    told = {"lot": "lot-001", "as_of": 7}
    content = seals.sealed(told, indent=1)
    for place in range(len(content)):
        for bit in range(8):
            flipped = content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
            try:
                assert seals.unsealed(flipped) == told
            except ValueError:
                continue


def test_notes_from_before_seals_are_read_and_what_is_none_is_told():
    assert seals.unsealed(json.dumps({"format": 2}).encode()) == {"format": 2}
    for wrong in (b"[]", b"{", b"", b'{"#sha256": "0"}'):
        with pytest.raises(ValueError):
            seals.unsealed(wrong)
