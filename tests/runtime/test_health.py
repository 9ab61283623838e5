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


def tear(file):
    file.write_bytes(file.read_bytes()[:-20])


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
    "a torn last entry of a log": (
        lambda store: tear(sorted(store.glob("tables/telemetry/_delta_log/*.json"))[-1]),
        "sets it aside and carries its commit on",
    ),
    "a torn first entry of a log": (
        lambda store: tear(sorted(store.glob("sources/_delta_log/*.json"))[0]),
        "restore the store from a copy",
    ),
    "a lost commit": (
        lambda store: (store / "lost.json").write_text("[1]"),
        "commit 1 has lost rows: its files count as not taken in, send them again",
    ),
    "a note of lost commits that is torn": (
        lambda store: (store / "lost.json").write_text("[1"),
        "send all files again",
    ),
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


def test_a_log_that_the_next_opening_mends_is_not_said_to_need_a_copy(copy):
    tear(sorted(copy.glob("tables/telemetry/_delta_log/*.json"))[-1])
    told = health.doctor(copy)
    assert not any("copy" in problem for problem in told["problems"]), told["problems"]
    assert told["store"]["data files verified"] == 0


def test_a_store_is_told_from_a_folder_of_data(pumps, tmp_path):
    assert health.is_store(pumps.store)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.csv").write_text("a\n1\n")
    assert not health.is_store(tmp_path)
    (tmp_path / "pending").mkdir()
    (tmp_path / "pending" / "00000001.json").write_text("{}")
    assert health.is_store(tmp_path), "a first commit on its way in"


def test_what_was_set_aside_is_listed(copy):
    (copy / "set-aside").mkdir()
    (copy / "set-aside" / "telemetry-00000000000000000003.json-17").write_text("")
    assert health.doctor(copy)["store"]["set aside"] == ["telemetry-00000000000000000003.json-17"]


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
