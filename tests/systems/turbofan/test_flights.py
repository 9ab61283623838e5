"""Twins are one flight written twice: found by settings, dropped from the weaker side, kept together in folds."""

import itertools

import numpy as np

from flyball import data, features
from flyball.systems.turbofan import Flights, TwinFlights, inputs
from flyball.systems.turbofan.flights import FIRST, fingerprints

SETTINGS = ("cycles.setting1", "cycles.setting2")


def fleet(seed=0, engines=8, twins=((0, 5),)):
    """Rows of some engines, each with settings of its own but for the twins."""
    rng = np.random.default_rng(seed)
    flown = [rng.normal(size=(40, 2)).round(4) for _ in range(engines)]
    for one, other in twins:
        flown[other] = flown[one].copy()
    key = [f"FD001-{'test' if n == 0 else 'train'}-{n}" for n in range(engines) for _ in range(40)]
    split = ["test" if n == 0 else "train" for n in range(engines) for _ in range(40)]
    settings = np.concatenate(flown)
    columns = {"setting1": settings[:, 0], "setting2": settings[:, 1], "split": data.Words.of(split)}
    return data.Rows.of(key, [*range(1, 41)] * engines, columns=columns)


def test_a_twin_of_a_test_engine_is_dropped_and_counted():
    cleaner, rows = TwinFlights(SETTINGS, split="cycles.split"), fleet()
    left = cleaner.clean("cycles", rows)
    gone = {key for key, size in zip(left.keys, np.diff(left.starts), strict=True) if size == 0}
    assert gone == {"FD001-train-5"}
    (finding,) = cleaner.found("cycles", rows)
    assert finding.figure == 1 and not finding.passed and "1 of 7 engines" in finding.why
    assert cleaner.clean("truth", rows) is rows and list(cleaner.found("truth", rows)) == []


def test_settings_that_differ_once_within_the_first_cycles_are_another_flight():
    rows = fleet()
    rows.columns["setting1"][rows.machine("FD001-test-0").at.size * 5 + FIRST - 1] += 1e-3
    assert len(TwinFlights(SETTINGS, split="cycles.split").clean("cycles", rows)) == len(rows)


def test_sensor_noise_of_the_last_digit_does_not_hide_a_twin():
    rows = fleet()
    rows.columns["setting1"][:] += np.random.default_rng(1).uniform(-2e-5, 2e-5, len(rows))
    assert len(TwinFlights(SETTINGS, split="cycles.split").clean("cycles", rows)) == len(rows) - 40


def test_twins_stay_on_one_side_and_cuts_are_random_but_repeatable():
    rows = fleet(engines=30, twins=((1, 12), (2, 13), (3, 14)))
    asked = features.Moments.of([key for key in rows.keys for _ in range(40)], [*range(1, 41)] * 30)
    split = Flights(SETTINGS, folds=5, cuts=3)
    for fold, again in zip(
        split.split(asked, {"cycles": rows}), split.split(asked, {"cycles": rows}), strict=True
    ):
        names = np.array(asked.names())
        train, test = set(names[fold.train]), set(names[fold.test])
        assert not train & test
        for one, other in ((1, 12), (2, 13), (3, 14)):
            pair = {f"FD001-train-{one}", f"FD001-train-{other}"}
            assert not (pair & train and pair & test)
        at = asked.at[fold.test]
        assert (at >= 20).all() and (at < 40).all()
        assert max(np.bincount(asked.codes[fold.test])) <= 3
        np.testing.assert_array_equal(fold.test, again.test)


def test_the_twins_of_the_training_engines_are_those_counted_by_hand(tmp_path, data_folder):
    """120 pairs among 709 engines: 26 FD001-FD003, 88 FD002-FD004, 6 inside FD002."""
    import polars as pl

    flown = {}
    for subset in inputs.SUBSETS:
        frame = inputs._flights(subset, "train", None)
        rows = data.Rows.of(
            frame["unit"].to_list(), frame["cycle"].to_numpy(),
            columns={name: frame[name].to_numpy() for name in ("setting1", "setting2")},
        )  # fmt: skip
        lives = frame.group_by("unit").agg(pl.col("cycle").max()).sort("unit")["cycle"].to_list()
        for key, text, life in zip(rows.keys, fingerprints(rows, SETTINGS, FIRST), lives, strict=True):
            flown.setdefault(text, []).append((key[:5], life))
    assert sum(map(len, flown.values())) == 709 and len(flown) == 592
    count = {}
    for engines in flown.values():
        assert len({life for _, life in engines}) == 1
        for one, other in itertools.combinations(sorted(subset for subset, _ in engines), 2):
            count[f"{one}-{other}"] = count.get(f"{one}-{other}", 0) + 1
    assert count == {"FD001-FD003": 26, "FD002-FD004": 88, "FD002-FD002": 6}
