"""Zones of wafer maps: known simple maps, what turning leaves alone, and one answer alone and among others."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from flyball import data, errors, features
from flyball.systems.wafer import zones
from flyball.systems.wafer.zones import Zones

NAMES = Zones("maps.map").names()
#: What does not change when a wafer is turned by a quarter: the sectors, stripes' angles and rings turn with it.
INVARIANT = (
    "dies", "blank", "fails", "rate", "ring", "ring_excess", "zone_sorted", "zone_wave", "outer_sorted", "outer_wave",
    "outer_over", "outer_run", "edge1", "edge2", "edge3", "core", "lonely", "paired", "packed", "raw_count",
    "dense_count", "filled_count",
)  # fmt: skip


class Maps:
    """A late column of maps that are held in memory."""

    def __init__(self, maps):
        self.maps = list(maps)

    def __len__(self):
        return len(self.maps)

    def __getitem__(self, index):
        return Maps([self.maps[place] for place in np.arange(len(self.maps))[index]])

    def load(self):
        return self.maps


def disc(size, height=None):
    """A round wafer on which every die passed."""
    height = height or size
    y, x = ((np.arange(n) + 0.5) / n * 2 - 1 for n in (height, size))
    return (np.hypot(*np.meshgrid(y, x, indexing="ij")) <= 1).astype(np.uint8)


def failing(size, where):
    """A round wafer whose dies fail where `where(y, x)` says, y and x from -1 to 1."""
    one = disc(size)
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    one[(one == 1) & where(y, x)] = 2
    return one


def told(one):
    """The columns of a map by name, several of one name as an array."""
    row = dict(zip(NAMES, zones.of_maps([one])[0].tolist(), strict=True))
    out = {}
    for name, width in zones.WIDTHS.items():
        places = [f"maps.map.{name}" + (f".{i}" if width > 1 else "") for i in range(width)]
        out[name] = np.array([row[place] for place in places]) if width > 1 else row[places[0]]
    return out


def random_maps(count, seed, shapes=((12, 12), (12, 15), (26, 26))):
    rng = np.random.default_rng(seed)
    out = []
    for number in range(count):
        h, w = shapes[number % len(shapes)]
        one = disc(w, h)
        one[(one == 1) & (rng.random((h, w)) < rng.random() ** 2)] = 2
        out.append(one)
    return out


def test_names_are_as_many_as_columns_and_differ():
    assert len(NAMES) == len(set(NAMES)) == sum(zones.WIDTHS.values()) == 301
    assert zones.of_maps([disc(9)]).shape == (1, 301)


def test_a_map_without_failures():
    found = told(disc(20))
    assert found["fails"] == found["rate"] == found["raw_count"] == found["outer_run"] == 0
    assert found["rows"] == found["columns"] == 20 and found["dies"] == disc(20).sum()
    assert (
        not found["ring"].any()
        and not found["raw_largest"].any()
        and np.isfinite(list(found["radon_z"])).all()
    )


def test_failures_in_the_middle_are_in_the_inner_rings():
    found = told(failing(40, lambda y, x: np.hypot(y, x) < 0.3))
    assert (found["ring"][:3] == 1).all() and not found["ring"][3:].any()
    assert found["edge1"] == found["outer_run"] == 0 and found["raw_count"] == 1
    largest = dict(zip(zones.CLUSTER, found["raw_largest"], strict=True))
    assert largest["area"] == found["fails"] and largest["place"] < 0.01 and largest["slender"] > 0.9


def test_a_failing_edge_runs_all_the_way_round():
    found = told(failing(40, lambda y, x: np.hypot(y, x) > 0.8))
    assert found["outer_over"] == found["outer_run"] == found["edge1"] == 1
    assert not found["ring"][:7].any() and found["core"] < 0.2
    assert dict(zip(zones.CLUSTER, found["raw_largest"], strict=True))["angle"] == 1


def test_a_scratch_is_long_and_thin():
    found = told(failing(40, lambda y, x: (abs(y) < 0.04) & (abs(x) < 0.6)))
    longest = dict(zip(zones.CLUSTER, found["raw_longest"], strict=True))
    assert longest["slender"] < 0.1 and longest["major"] == pytest.approx(24 / np.sqrt(12), rel=0.01)
    assert found["radon_z"][0] > 10 and found["join_right"] > 0.9 > found["join_diagonal"]


def test_lonely_failures_have_no_neighbours():
    one = disc(21)
    one[4:18:4, 4:18:4] = 2
    found = told(one)
    assert found["lonely"] == 1 and found["packed"] == 0
    assert found["raw_count"] == found["fails"] and found["raw_big"] == found["dense_count"] == 0


def test_the_second_cluster_is_told_after_the_first():
    one = disc(30)
    one[10:16, 8:14], one[10:12, 20:23] = 2, 2
    found = told(one)
    assert found["raw_largest"][0] == 36 and found["raw_second"][0] == pytest.approx(6 / found["dies"])
    assert not found["raw_third"].any()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_the_wafer_leaves_densities_alone(turns):
    # Without dies right on the diagonals: those stand on the border of two sectors.
    diagonal = np.eye(24, dtype=bool) | np.eye(24, dtype=bool)[::-1]
    for one in random_maps(6, seed=turns, shapes=((24, 24),)):
        one[diagonal] = 0
        here, turned = told(one), told(np.ascontiguousarray(np.rot90(one, turns)))
        for name in INVARIANT:
            assert here[name] == pytest.approx(turned[name], abs=1e-6), name


def test_ring_counts_add_up_to_all_failures():
    masks = zones.regions(17, 23)[:, : zones.RINGS]
    assert (masks.sum(axis=1) == 1).all()
    angles = zones.regions(17, 23)[:, zones.RINGS + 4 * zones.SECTORS + zones.OUTER :]
    assert (angles.sum(axis=1) == zones.ANGLES).all()


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_alone_and_among_others_bit_for_bit(seed, count):
    maps = random_maps(count, seed)
    together = zones.of_maps(maps)
    apart = np.concatenate([zones.of_maps([one]) for one in maps])
    assert together.tobytes() == apart.tobytes()


def test_more_maps_than_are_worked_on_at_once(monkeypatch):
    maps = random_maps(9, seed=5)
    whole = zones.of_maps(maps)
    monkeypatch.setattr(zones, "AT_ONCE", 2 * 12 * 12)
    assert zones.of_maps(maps).tobytes() == whole.tobytes()


def test_the_part_answers_from_the_last_map_and_for_wafers_without_one():
    maps = random_maps(3, seed=1)
    rows = data.Rows.of(["a", "b", "b"], at=[0, 0, 5], columns={"map": Maps([*maps])})
    asked = features.Moments.of(["a", "b", "b", "c"], [0, 0, 9, 0])
    found = Zones("maps.map").compute({"maps": rows}, asked)
    assert tuple(found) == NAMES
    values = np.stack([found[name] for name in NAMES], axis=1)
    assert np.array_equal(values[:3], zones.of_maps(maps)) and np.isnan(values[3]).all()


def test_a_missing_map_is_missing_everywhere():
    assert np.isnan(zones.of_maps([np.empty((0, 0), np.uint8)])).all()
    assert zones.of_maps([]).shape == (0, 301)


def test_what_is_no_map_is_refused():
    with pytest.raises(errors.DataError, match="a map of shape"):
        zones.of_maps([np.zeros((3, 3, 3), np.uint8)])
    rows = data.Rows.of(["a"], at=[0], columns={"map": [1.0]})
    with pytest.raises(errors.DataError, match="holds no images"):
        Zones("maps.map").compute({"maps": rows}, features.Moments.of(["a"], [0]))


def test_the_stream_gives_the_same_as_the_batch():
    maps = random_maps(4, seed=3)
    page = features.AsOf(asked=features.Each("maps"), columns=(Zones("maps.map"),))
    keys = ["a", "b", "c", "d"]
    rows = data.Rows.of(keys, at=[0] * 4, columns={"map": Maps(maps)})
    whole = page.compute({"maps": rows}, features.Moments.of(keys, [0] * 4)).dense()
    for place, key in enumerate(keys):
        alone = data.Rows.of([key], at=[0], columns={"map": Maps([maps[place]])})
        single = page.compute({"maps": alone}, features.Moments.of([key], [0])).dense()
        assert single.tobytes() == whole[place : place + 1].tobytes()
