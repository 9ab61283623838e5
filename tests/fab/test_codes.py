"""The vocabulary: as many codes as declared, one shape, no two with one meaning, and a second dictionary."""

import collections
import re

import numpy as np
import pytest

from flyball.fab import codes, wear

ROLES = {
    "precursor": 24, "failure": 9, "recovery": 9, "background": 12, "nuisance": 6, "dependent": 4, "visit": 4,
    "rare": 3, "interlock": 1,
}  # fmt: skip


def test_the_vocabulary_is_what_is_declared():
    assert collections.Counter(code.role for code in codes.CODES) == ROLES
    names = [code.name for code in codes.book()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("(" + "|".join(codes.MODULES) + ")-[0-9A-F]{4}", name) for name in names)
    assert {code.severity for code in codes.CODES} == set(codes.LEVELS)
    assert {code.module for code in codes.CODES} == set(codes.MODULES)


def test_each_part_that_wears_warns_fails_and_recovers_and_software_does_not_warn():
    assert [len(names) for names in codes.WARNINGS] == [3] * 8 + [0]
    severity = {code.name: code.severity for code in codes.CODES}
    assert {severity[name] for names in codes.WARNINGS for name in names} == {"W"}
    assert {severity[name] for name in codes.FAILURES} == {"F"}
    assert len(set(codes.FAILURES)) == len(set(codes.RECOVERIES)) == len(wear.COMPONENTS)


def test_the_second_dictionary_renames_one_in_five_and_splits_two():
    first, second = codes.dictionary(1), codes.dictionary(2)
    renamed = [names for names in codes.RENAMED.values() if len(names) == 1]
    assert sorted(len(names) for names in codes.RENAMED.values())[-3:] == [1, 2, 2]
    assert len(renamed) == round(0.2 * len(first))
    for old, names in codes.RENAMED.items():
        assert old in first and old not in second
        assert all(
            second[name].text == first[old].text and second[name].module == first[old].module
            for name in names
        )
    assert set(codes.translate(np.array(list(second)))) == set(first)


@pytest.mark.parametrize("name", ["VA-2187", "VA-2107"])
def test_the_text_holds_the_number(name):
    assert codes.text(name, 1.314) == "pump vibration 1.31 mm/s"


def test_every_text_takes_a_number():
    for code in codes.book():
        assert codes.text(code.name, code.usual) != codes.text(code.name, 3.0 * code.usual), code.name
