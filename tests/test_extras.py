import sys

import pytest

from flyball import errors, extras


def test_what_is_installed_is_returned():
    assert extras.need("json.decoder", "lab", "to read") is sys.modules["json.decoder"]


def test_what_is_missing_is_told_with_what_brings_it():
    with pytest.raises(errors.MissingExtraError) as error:
        extras.need("no_such_library.inside", "nets", "to fit a net")
    assert str(error.value) == "no_such_library.inside is needed to fit a net: pip install 'flyball[nets]'"


def test_an_import_that_fails_deeper_inside_is_let_through(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all") as error:
        extras.need("half_there", "lab", "to read")
    assert not isinstance(error.value, errors.MissingExtraError)
