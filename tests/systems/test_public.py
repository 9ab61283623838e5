"""Public data lies where FLYBALL_DATA says, and nowhere else."""

from __future__ import annotations

import pytest

from flyball import errors
from flyball.systems import public


def test_a_file_is_found_where_the_environment_says(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "rows.csv").write_text("a\n")
    monkeypatch.setenv("FLYBALL_DATA", str(tmp_path))
    assert public.file("set/rows.csv").read_text() == "a\n"


@pytest.mark.parametrize("home", ["", "nowhere"])
def test_a_missing_file_is_told_with_what_to_do(home, monkeypatch):
    monkeypatch.setenv("FLYBALL_DATA", home)
    with pytest.raises(errors.DataError, match="set FLYBALL_DATA"):
        public.file("set/rows.csv")
