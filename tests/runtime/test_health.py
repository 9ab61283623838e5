import shutil

import pytest

from flyball.runtime import health


@pytest.fixture
def copy(pumps, tmp_path):
    """A store of one's own to change."""
    return shutil.copytree(pumps.store, tmp_path / "store")


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_whole_store_is_healthy(pumps):
    told = health.doctor(pumps.store)
    assert told["healthy"], told["problems"]
    assert told["store"]["releases verified"] == 1
    assert told["store"]["data files verified"] >= 3
    assert told["store"]["acts in the audit"] >= 2
    assert told["store"]["interrupted runs"] == []
    assert list(health.lines(told))[-1] == "healthy"


def test_no_store_yet_is_no_illness(tmp_path):
    told = health.doctor(tmp_path / "none")
    assert (told["store"], told["healthy"]) == (None, True)


DAMAGE = {
    "a data file": (
        lambda store: flip(next(store.glob("tables/telemetry/*.parquet"))),
        "is not what was written",
    ),
    "a data file gone": (lambda store: next(store.glob("tables/telemetry/*.parquet")).unlink(), "is gone"),
    "a release": (
        lambda store: flip(next(store.glob("releases/*/model/packed.json"))),
        "refuse this release",
    ),
    "a stray file among the releases": (
        lambda store: (store / "releases" / "notes").write_text(""),
        "not a release",
    ),
    "the audit": (lambda store: flip(store / "audit.jsonl"), "audit.jsonl"),
    "a run's record": (
        lambda store: next(store.glob("runs/*.json")).write_text("{"),
        "its record cannot be read",
    ),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_and_named(copy, damage, said):
    damage(copy)
    told = health.doctor(copy)
    assert not told["healthy"]
    assert any(said in problem for problem in told["problems"]), told["problems"]
    assert any("PROBLEM" in line for line in health.lines(told))


def test_every_extra_is_told_with_its_versions():
    extras = health.doctor(health.Path("/no/such/store"))["extras"]
    assert extras["flyball"]["missing"] == []
    assert "numpy" in extras["flyball"]["versions"]
    assert {"lab", "nets"} <= set(extras)


def test_a_missing_library_is_told_with_what_brings_it(monkeypatch):
    version = health._version
    monkeypatch.setattr(health, "_version", lambda name: "" if name == "polars" else version(name))
    told = health.doctor(health.Path("/no/such/store"))
    assert told["extras"]["lab"]["missing"] == ["polars"]
    assert any("lacks polars: pip install 'flyball[lab]'" in line for line in health.lines(told))
