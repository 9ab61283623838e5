import shutil

import pytest

pytest.importorskip("mlflow", reason="NOT TRIED WITH MLFLOW: pip install 'flyball[mlflow]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def test_a_release_is_sent_and_fetched_as_it_is_typed(say, pumps, tmp_path):
    digest = pumps.result.release
    place = ("--registry", f"sqlite:///{tmp_path / 'mlflow.db'}")
    artifacts = ("--artifacts", (tmp_path / "artifacts").as_uri())
    (sent,), _ = say(
        "mlflow", "send", digest[:12], "pumps", "--store", pumps.store, "--alias", "site", *place, *artifacts
    )
    assert sent == {"model": "pumps", "version": "1", "alias": "site", "release": digest}
    (got,), _ = say("mlflow", "fetch", "models:/pumps@site", *place, "--store", "here")
    assert got["release"] == digest and (tmp_path / "here" / "releases" / digest / "card.md").is_file()
    shutil.rmtree(tmp_path / "here")
    _, err = say(
        "mlflow", "fetch", "models:/pumps@site", *place, "--store", "here", "--digest", "ab" * 32, code=5
    )
    assert "not the digest" in err
    _, err = say("mlflow", "fetch", "pumps", *place, code=3)
    assert "models:/NAME@ALIAS" in err
    _, err = say("mlflow", "send", "abcdef", "pumps", *place, code=5)
    assert "0 releases" in err
