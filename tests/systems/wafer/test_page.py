"""The wafer page: whole, read back from its text, and carried through on a few hundred real maps."""

import dataclasses
import json

import pytest

from flyball import model, system, systems
from flyball.runtime import run as running
from flyball.systems.wafer import inputs, page


def test_the_page_is_whole():
    assert systems.load("wafer") is page.system
    assert list(page.system.problems()) == []


def test_it_reads_back_from_its_text():
    again = system.read(repr(page.system))
    assert again == page.system and again.fingerprint() == page.system.fingerprint()
    assert "wafer.Zones('maps.map')" in repr(page.system)


def test_no_feature_reads_the_split_or_the_label():
    assert page.system.features.reads() == {"maps.map"}


def quick():
    """The same page with few trees and a net that has hardly learned."""
    trees = dataclasses.replace(page.TREES, trees=20, leaves=7, min_rows=5)
    short = dataclasses.replace(page.NET.training, epochs=1, draw=256, threads=1)
    net = dataclasses.replace(page.NET, training=short)
    contest = dataclasses.replace(
        page.system.model,
        baseline=trees,
        challenger=model.Blend((trees, net)),
        metrics=("macro_f1", "recall.Scratch", "precision.None"),
        gates=(model.Beats("macro_f1", by=0.0),),
        compress=(),
    )
    return dataclasses.replace(page.system, model=contest)


@pytest.fixture(scope="module")
def told(data_folder, tmp_path_factory):
    """Two runs of the page over each hundred-and-twentieth wafer, on one store."""
    folder = tmp_path_factory.mktemp("wafer")
    inputs.prepare(folder / "in", every=120)
    bound = running.Bound(folder / "store", source=folder / "in")
    return [running.run(quick(), bound).json() for _ in range(2)]


@pytest.mark.slow
def test_it_is_carried_through_on_real_maps(told):
    first = told[0]
    assert first["rows"]["asked"] == first["rows"]["known"] == first["rows"]["train"] + first["rows"]["test"]
    for who in ("baseline", "challenger"):
        value, low, high = first["contest"][who]["macro_f1"]
        assert value > 0.2 and 0 < low < high < 1
    assert len(first["data"]["cleaned"]) == 4 and first["data"]["expectations"] == []
    assert {finding["by"] for finding in first["data"]["cleaned"]} == {"cleaner"}
    json.dumps(first)


@pytest.mark.slow
def test_a_second_run_reuses_every_step(told):
    assert all(step["reused"] for step in told[1]["steps"]), [
        s["name"] for s in told[1]["steps"] if not s["reused"]
    ]
    assert told[1]["contest"] == told[0]["contest"]
