import json

import pytest

from flyball import errors
from flyball.cli import shipping


def test_a_release_is_found_by_the_start_of_its_digest(tmp_path):
    (tmp_path / "releases" / "abcdef12").mkdir(parents=True)
    assert shipping.found("abcdef", tmp_path).name == "abcdef12"
    (tmp_path / "releases" / "abcdef34").mkdir()
    with pytest.raises(errors.RolloutError, match="2 releases"):
        shipping.found("abcdef", tmp_path)


def test_the_schema_does_not_depend_on_the_order_of_columns(tmp_path):
    found = []
    for columns in (["b", "a"], ["a", "b"], ["a"]):
        (tmp_path / "serving.json").write_text(json.dumps({"schema": {"columns": columns}}))
        found.append(shipping.schema(tmp_path))
    assert found[0] == found[1] != found[2]
    (tmp_path / "serving.json").write_text("{}")
    with pytest.raises(errors.TrustError, match="names its features"):
        shipping.schema(tmp_path)
