"""A contest that was held comes back from its folder as it was, and a judged variant from its JSON."""

from __future__ import annotations

import numpy as np

from flyball import evidence, features
from flyball.model import constant
from flyball.runtime import contest, held, package


def made() -> contest.Held:
    truth, rows = np.array([0.0, 1.0, 0.0]), np.array([3, 4, 5])
    answers = {"baseline": np.array([0.1, 0.2, 0.3]), "challenger": np.array([0.0, 0.9, np.nan])}
    rolling = contest.Judged(rows, truth, answers, np.array([0, 0, 1]))
    told = {"challenger.brier": evidence.Measurement("brier", 0.1, 0.05, 0.2, 3)}
    predictors = {"challenger": constant.Constant(np.array([0.25]))}
    return contest.Held(
        rolling,
        contest.Judged(rows, truth, answers),
        told,
        predictors,
        0.5,
        np.array([0, 1, 2]),
        {"fit": 1.5},
    )


def test_a_contest_comes_back_as_it_was(tmp_path):
    before = made()
    held.write(tmp_path, before)
    after = held.read(tmp_path)
    for old, new in ((before.rolling, after.rolling), (before.test, after.test)):
        np.testing.assert_array_equal(old.rows, new.rows)
        for who, answers in old.answers.items():
            np.testing.assert_array_equal(answers, new.answers[who])
    np.testing.assert_array_equal(after.rolling.folds, [0, 0, 1])
    assert after.test.folds is None
    assert after.measured == before.measured and after.threshold == 0.5 and after.seconds == {"fit": 1.5}
    np.testing.assert_array_equal(after.trained, before.trained)
    x = features.Matrix(features.Moments.of(["a"], [0]), {})
    np.testing.assert_array_equal(after.predictors["challenger"].predict(x), [0.25])


def test_nothing_in_the_folder_is_a_pickle(tmp_path):
    held.write(tmp_path, made())
    for file in tmp_path.rglob("*.np[yz]"):
        np.load(file, allow_pickle=False)


def test_a_variant_comes_back_from_its_json():
    verdict = evidence.Verdict("gate", 0.1, 0.2, True, "why")
    told = {"p99_ms": evidence.Measurement("p99_ms", 1.0, 1.0, 1.0, 10, "ms")}
    variant = package.Variant("source", "ab", told, (verdict,))
    assert held.variant(held.variant_json(variant)) == variant
