import json
import os
import shutil
import subprocess
import sys

import pytest

from flyball import errors
from flyball.runtime import mlflow
from flyball.serving import release

pytest.importorskip("mlflow", reason="NOT TRIED WITH MLFLOW: pip install 'flyball[mlflow]'")
pytestmark = [
    pytest.mark.slow,  # a new registry of MLflow is some forty migrations of its tables
    # MLflow's own tables and the way it reads them: nothing here can mend it.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def made(pumps):
    """The release of a run: its folder, named by its digest."""
    (found,) = [path for path in (pumps.store / "releases").iterdir() if (path / "page.txt").is_file()]
    return found


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A registry without anything in it."""
    file = tmp_path_factory.mktemp("registry") / "empty.db"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient

    MlflowClient(f"sqlite:///{file}").search_registered_models()
    return file


@pytest.fixture
def registry(empty, tmp_path):
    """A registry of one's own, by its address."""
    shutil.copyfile(empty, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def sent(made, registry, tmp_path):
    """A registry that holds the release as models:/pumps@site, and the folder where MLflow keeps its files."""
    mlflow.send(made, "pumps", "site", registry, (tmp_path / "artifacts").as_uri())
    (place,) = (tmp_path / "artifacts").rglob("release")
    return registry, place


def client(registry):
    from mlflow import MlflowClient

    return MlflowClient(registry, registry_uri=registry)


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_release_goes_there_and_comes_back_byte_for_byte(made, sent, tmp_path):
    registry, place = sent
    assert files(place) == files(made)
    back = mlflow.fetch("models:/pumps@site", tmp_path / "releases", registry)
    assert back.name == made.name and files(back) == files(made)
    assert mlflow.fetch("models:/pumps/1", tmp_path / "releases", registry) == back
    assert [path.name for path in (tmp_path / "releases").iterdir()] == [made.name]


def test_its_people_find_digest_and_figures_in_the_registry(made, sent):
    registry, _ = sent
    version = client(registry).get_model_version_by_alias("pumps", "site")
    assert version.tags["flyball.digest"] == made.name
    figures = client(registry).get_run(version.run_id).data.metrics
    told = json.loads((made / "contest.json").read_text())
    assert figures["challenger.log_loss"] == told["challenger.log_loss"][0]


def test_a_release_sent_twice_is_one_version(made, sent):
    registry, _ = sent
    assert mlflow.send(made, "pumps", "next", registry) == "1"
    assert str(client(registry).get_model_version_by_alias("pumps", "next").version) == "1"
    assert len(client(registry).search_model_versions("name='pumps'")) == 1


@pytest.mark.parametrize("name", ["model/packed.json", "golden.npz", "page.txt", "manifest.json"])
def test_one_flipped_bit_is_refused_and_leaves_nothing(sent, tmp_path, name):
    registry, place = sent
    content = bytearray((place / name).read_bytes())
    content[len(content) // 2] ^= 1
    (place / name).write_bytes(content)
    with pytest.raises(errors.TamperedError):
        mlflow.fetch("models:/pumps@site", tmp_path / "releases", registry)
    assert list((tmp_path / "releases").iterdir()) == []


def test_what_was_added_or_lost_is_refused(sent, tmp_path):
    registry, place = sent
    (place / "more.json").write_text("{}")
    with pytest.raises(errors.TamperedError, match=r"more\.json: is not listed"):
        mlflow.fetch("models:/pumps@site", tmp_path / "releases", registry)
    (place / "more.json").unlink()
    (place / "card.md").unlink()
    with pytest.raises(errors.TamperedError, match=r"card\.md: is missing"):
        mlflow.fetch("models:/pumps@site", tmp_path / "releases", registry)


def test_another_release_under_the_name_is_told_where_one_is_expected(sent, tmp_path):
    registry, _ = sent
    with pytest.raises(errors.TamperedError, match="not the digest"):
        mlflow.fetch("models:/pumps@site", tmp_path / "releases", registry, digest="0" * 64)


@pytest.mark.parametrize("tag", ["", "../../etc", "0" * 64])
def test_a_changed_digest_is_refused(sent, tmp_path, tag):
    registry, _ = sent
    client(registry).set_model_version_tag("pumps", "1", "flyball.digest", tag)
    with pytest.raises(errors.TamperedError):
        mlflow.fetch("models:/pumps@site", tmp_path / "releases", registry)


def test_a_model_in_a_flavour_of_mlflow_is_refused_unread(sent, tmp_path):
    registry, place = sent
    (place / "MLmodel").write_text("flavors:\n  sklearn:\n    pickled_model: model.pkl\n")
    (place / "model.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(errors.FormatError, match="may hold a pickle"):
        mlflow.fetch("models:/pumps@site", tmp_path / "releases", registry)
    assert not (tmp_path / "releases").exists()


def test_a_pickle_that_was_sealed_goes_neither_there_nor_back(made, registry, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(made, folder)
    (folder / "model" / "model.pkl").write_bytes(b"\x80\x04.")
    digest = release.sealed(folder)
    with pytest.raises(errors.FormatError):
        mlflow.send(folder, "pumps", "site", registry)
    told = client(registry)
    told.create_registered_model("pumps")
    told.create_model_version("pumps", folder.as_uri(), tags={"flyball.digest": digest})
    with pytest.raises(errors.FormatError):
        mlflow.fetch("models:/pumps/1", tmp_path / "releases", registry)
    assert list((tmp_path / "releases").iterdir()) == []


@pytest.mark.parametrize("model", ["models:/pumps@nobody", "models:/fans@site", "models:/pumps/7", "pumps"])
def test_what_is_not_there_is_told(sent, tmp_path, model):
    with pytest.raises(errors.DataError, match=r"cannot find models:/|names no model"):
        mlflow.fetch(model, tmp_path / "releases", sent[0])


def test_what_is_no_release_is_not_sent(tmp_path, registry):
    with pytest.raises(errors.TamperedError):
        mlflow.send(tmp_path, "pumps", "site", registry)


def test_without_the_extra_it_is_said_which_one_brings_it():
    told = """
import pathlib, sys
sys.modules["mlflow"] = None
from flyball import errors
from flyball.runtime import mlflow
try:
    mlflow.fetch("models:/a@b", pathlib.Path("."), "sqlite:///a.db")
except errors.MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert "pip install 'flyball[mlflow]'" in done.stdout
