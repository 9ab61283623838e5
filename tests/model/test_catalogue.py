"""Losses, classes and quantities against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn import metrics as peer

from flyball import errors, labels
from flyball.model import metrics

YES_NO, QUANTITY = labels.Probability(), labels.Quantity()
CLASSES = labels.Classes(("a", "b", "c"))


def test_losses_and_classes_equal_scikit_learn():
    rng = np.random.default_rng(0)
    truth, p = rng.integers(0, 2, 50), rng.random(50)
    assert metrics.measure("log_loss", YES_NO, truth, p) == pytest.approx(peer.log_loss(truth, p))
    assert metrics.measure("brier", YES_NO, truth, p) == pytest.approx(peer.brier_score_loss(truth, p))
    assert metrics.measure("accuracy", YES_NO, truth, p) == pytest.approx(peer.accuracy_score(truth, p > 0.5))
    many, raw = rng.integers(0, 3, 80), rng.random((80, 3))
    share = raw / raw.sum(axis=1, keepdims=True)
    said = share.argmax(axis=1)
    assert metrics.measure("macro_f1", CLASSES, many, share) == pytest.approx(
        peer.f1_score(many, said, average="macro")
    )
    assert metrics.measure("log_loss", CLASSES, many, share) == pytest.approx(peer.log_loss(many, share))
    told = metrics.per_class(CLASSES, many, share)
    assert list(told["recall"].values()) == pytest.approx(list(peer.recall_score(many, said, average=None)))
    assert list(told["precision"].values()) == pytest.approx(
        list(peer.precision_score(many, said, average=None))
    )


def test_macro_f1_leaves_out_a_class_that_is_nowhere():
    share = np.eye(3)[[0, 1, 1]]
    assert metrics.measure("macro_f1", CLASSES, [0, 1, 1], share) == 1.0


def test_quantities():
    answers = np.array([[10.0, 8, 12], [20, 19, 25]])
    assert metrics.measure("rmse", QUANTITY, [13, 24], answers) == pytest.approx(np.sqrt(12.5))
    assert metrics.measure("mae", QUANTITY, [13, 24], answers) == pytest.approx(3.5)
    assert metrics.measure("coverage", QUANTITY, [13, 24], answers) == 0.5
    assert metrics.measure("interval_width", QUANTITY, [13, 24], answers) == 5.0


def test_the_nasa_score_punishes_late_answers_more():
    # Saxena et al. 2008: a1 = 13 for early, a2 = 10 for late, summed over units.
    early = metrics.measure("nasa_score", QUANTITY, [100.0], [[87.0, 87, 87]])
    late = metrics.measure("nasa_score", QUANTITY, [100.0], [[113.0, 113, 113]])
    assert early == pytest.approx(np.e - 1)
    assert late == pytest.approx(np.exp(1.3) - 1)


def test_a_figure_cut_at_a_value_counts_nothing_beyond_it():
    truth, answers = [100.0, 150.0, 300.0], np.array([[110.0, 90, 120], [180, 120, 200], [120, 100, 400]])
    cut = np.array([[110.0, 90, 120], [125, 120, 125], [120, 100, 125]])
    for name in ("rmse", "mae", "nasa_score", "coverage", "interval_width"):
        told = metrics.measure(f"{name}_cut_at_125", QUANTITY, truth, answers)
        assert told == pytest.approx(metrics.measure(name, QUANTITY, [100, 125, 125], cut))
        assert metrics.find(f"{name}_cut_at_125", QUANTITY).higher is metrics.find(name, QUANTITY).higher
    with pytest.raises(errors.DeclarationError, match="no metric 'rms_cut_at_125'"):
        metrics.find("rms_cut_at_125", QUANTITY)
