import types

import numpy as np
import pytest

from flyball import data, evidence, labels
from flyball.features import stage as features
from flyball.runtime import plots
from flyball.systems import load
from flyball.units import DAY


def found(answers, truth, alerts=(), kind=None, clock=None):
    n = len(truth)
    moments = features.Moments.of([f"m{i % 3}" for i in range(n)], [i // 3 * int(DAY) for i in range(n)])
    judged = types.SimpleNamespace(rows=np.arange(n), truth=truth, answers={"challenger": answers})
    held = types.SimpleNamespace(test=judged, influence={}, predictors={}, measured={})
    clock = clock or data.WallClock()
    page = types.SimpleNamespace(
        labels=types.SimpleNamespace(kind=lambda: kind or labels.Probability()),
        data=types.SimpleNamespace(clock=clock),
    )
    x = features.Matrix(moments, {"x": np.where(np.arange(n) % 2, np.nan, 1.0), "full": np.ones(n)})
    return types.SimpleNamespace(page=page, held=held, x=x, alerts=alerts)


def test_calibration_draws_what_was_said_against_what_happened():
    said = np.repeat([0.0, 0.5, 1.0], 20)
    truth = np.concatenate([np.zeros(20), np.tile([0.0, 1.0], 10), np.ones(20)])
    (axis,) = plots.calibration(found(said, truth)).axes
    x, y = axis.lines[1].get_data()
    assert len(x) == 10
    assert np.allclose(x[[0, -1]], [0, 1])
    assert np.allclose(y[[0, -1]], [0, 1])


def test_calibration_of_fewer_answers_than_groups():
    assert plots.calibration(found(np.array([0.1, 0.9]), np.array([0.0, 1.0]))) is not None


def test_confusion_is_a_share_of_the_true_class():
    answers = np.eye(2)[[0, 0, 1, 1, 1, 1]]
    figure = plots.calibration(
        found(answers, np.array([0.0, 0, 0, 1, 1, 1]), kind=labels.Classes(("a", "b")))
    )
    (mesh,) = figure.axes[0].collections
    assert np.allclose(mesh.get_array().reshape(2, 2), [[2 / 3, 1 / 3], [0, 1]])


def test_alerts_stand_in_the_row_of_their_machine():
    truth = np.array([0.0, 1, 0, 0, 0, 0])
    alert = evidence.Alert("m1", int(DAY), 0.9, 1)
    (axis,) = plots.alerts(found(np.full(6, 0.5), truth, (alert,))).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["m1"]
    assert axis.lines[1].get_xdata()[0] == np.datetime64("1970-01-02")


def test_nothing_to_draw_is_none():
    some = found(np.full(6, 0.5), np.zeros(6))
    assert plots.alerts(some) is None
    some.held.predictors = {"challenger": types.SimpleNamespace(influence=lambda: {})}
    assert plots.influence(some) is None
    assert plots.arrivals(found(np.full(6, 0.5), np.zeros(6), clock=data.Counter("cycle"))) is None


def test_influence_is_a_share_and_the_largest_stands_on_top():
    some = found(np.full(6, 0.5), np.zeros(6))
    some.held.influence = {"challenger": {"a": 1.0, "b": 3.0}}
    (axis,) = plots.influence(some).axes
    assert [bar.get_width() for bar in axis.patches] == [0.25, 0.75]


def test_only_columns_with_missing_values_are_drawn():
    left, right = plots.arrivals(found(np.full(6, 0.5), np.zeros(6))).axes
    assert left.lines[0].get_ydata().tolist() == [3, 3]
    assert [line.get_label() for line in right.lines] == ["x"]


@pytest.mark.parametrize(
    ("clock", "text"), [(data.WallClock(), "1970-01-02 00:00"), (data.Counter("cycle"), "86400000000")]
)
def test_when(clock, text):
    assert plots.when(found(np.full(3, 0.5), np.zeros(3), clock=clock), int(DAY)) == text


def test_the_contest_shows_every_metric():
    some = found(np.full(6, 0.5), np.zeros(6))
    metrics = ("auc", "log_loss", "brier", "recall")
    some.page.model = types.SimpleNamespace(metrics=metrics)
    some.held.measured = {f"challenger.{name}": evidence.Measurement(name, 0.5, 0.4, 0.6) for name in metrics}
    figure = plots.contest(some)
    assert [axis.get_title() for axis in figure.axes if axis.get_visible()] == list(metrics)
    assert load("scanner").model.metrics
