import math

import pytest

from flyball import evidence, labels
from flyball.monitoring import losses


@pytest.mark.parametrize(
    ("kind", "answer", "truth", "name", "value"),
    [
        (labels.Probability(), 0.8, 1.0, "log_loss", -math.log(0.8)),
        (labels.Probability(), 0.8, 0.0, "log_loss", -math.log(0.2)),
        (labels.Probability(), 0.0, 1.0, "log_loss", -math.log(1e-6)),
        (labels.Quantity(), 10.0, 13.0, "absolute_error", 3.0),
        (labels.Classes(("a", "b")), 1.0, 1.0, "error", 0.0),
        (labels.Classes(("a", "b")), 0.0, 1.0, "error", 1.0),
    ],
)
def test_each_loss_by_hand(kind, answer, truth, name, value):
    found = losses.of(kind, evidence.Outcome("m", 0, answer, truth))
    assert found[name] == pytest.approx(value, abs=1e-9)
    assert tuple(found) == losses.names(kind)


@pytest.mark.parametrize("truth", [math.nan, math.inf])
def test_nothing_is_lost_while_nothing_is_known(truth):
    assert losses.of(labels.Probability(), evidence.Outcome("m", 0, 0.5, truth)) == {}
    assert losses.of(labels.Probability(), evidence.Outcome("m", 0, 0.5, 1.0, state="censored")) == {}
