import pytest

from flyball import data, feedback, labels
from flyball.units import days


def test_the_stage_itself_collects_nothing():
    label = labels.FailsWithin(days(1), event="t.on")
    with pytest.raises(NotImplementedError):
        feedback.Feedback().collect(data.Rows.of([], []), {}, label, 0)
