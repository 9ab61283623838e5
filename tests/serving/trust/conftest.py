import json

import pytest

from flyball.serving import release
from flyball.serving.trust import Order, Policy
from flyball.torture import attacks


@pytest.fixture
def rig(tmp_path):
    """A repository with two of three root and site keys, one online key, and a machine that trusts it."""
    return attacks.Rig(tmp_path / "rig")


@pytest.fixture
def packed(tmp_path):
    """A release as one file, and its digest."""
    folder = tmp_path / "draft"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "packed.json").write_text(json.dumps({"runner": "rule", "settings": {}}))
    (folder / "page.txt").write_text("System(...)\n")
    digest = release.sealed(folder)
    folder = folder.rename(tmp_path / digest)
    release.pack(folder, tmp_path / "release.tar")
    return tmp_path / "release.tar", digest


@pytest.fixture
def ordered(packed):
    """Make an order for the release."""

    def make(stage="shadow", number=1, version=1, **more):
        return Order("scanner", packed[1], version, number, stage, ("nxe",), "cd" * 32, **more)

    return make


@pytest.fixture
def policy():
    return Policy("fab-1", {"s1": "nxe", "s2": "nxe", "s3": "exe"}, canary=("s1",), waves={"first": ("s2",)})
