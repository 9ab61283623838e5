"""The six conditions: told by the settings, jitter or not, and what a new engine shows in each."""

import numpy as np

from flyball.systems.turbofan import conditions, inputs


def test_settings_with_their_jitter_are_in_their_condition():
    rng = np.random.default_rng(0)
    centres = np.array(conditions.CENTRES, dtype=float)
    for kind in range(6):
        near = centres[kind] + rng.normal(0, (0.008, 0.0008, 0.0), (50, 3))
        assert (conditions.of(near) == kind).all()
    assert conditions.of(centres.reshape(2, 3, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_new_engine_has_no_damage_and_wear_adds_up_in_spreads():
    kinds = np.arange(6)
    new = np.array(conditions.LEVELS)
    assert conditions.damage(kinds, new).tolist() == [0.0] * 6
    worn = new + 2 * np.array(conditions.SPREADS)
    np.testing.assert_allclose(conditions.damage(kinds, worn), 2.0)


def test_levels_are_those_of_young_training_engines(data_folder):
    import polars as pl

    young = pl.concat([inputs._flights(s, "train", None) for s in inputs.SUBSETS]).filter(
        pl.col("cycle") <= 30
    )
    kinds = conditions.of(young.select("setting1", "setting2", "setting3").to_numpy())
    sensors = young.select(conditions.DAMAGE).to_numpy()
    for kind in range(6):
        np.testing.assert_allclose(sensors[kinds == kind].mean(axis=0), conditions.LEVELS[kind], rtol=2e-5)
        np.testing.assert_allclose(sensors[kinds == kind].std(axis=0), conditions.SPREADS[kind], rtol=1e-3)
