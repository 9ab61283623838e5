import numpy as np
import pytest
from river import drift
from tests.monitoring.streams import alarms

from flyball import errors, labels, monitoring
from flyball.monitoring import river

RNG = np.random.default_rng(3)
VALUES = (RNG.random(900) < np.where(np.arange(900) < 500, 0.2, 0.7)).astype(float).tolist()


@pytest.mark.parametrize("name", sorted(set(river.NAMES) - {"KSWIN"}))
def test_every_detector_alarms_as_it_does_by_itself(name):
    peer = drift
    for step in name.split("."):
        peer = getattr(peer, step)
    peer, theirs = peer(), []
    for at, value in enumerate(VALUES):
        peer.update(value > 0.5 if "binary" in name else value)
        theirs += [at] if peer.drift_detected else []
    assert alarms(monitoring.River(name, "error"), VALUES) == theirs


def test_a_state_that_runs_nowhere_is_replayed():
    detector = monitoring.River("KSWIN", "error", {"window_size": 60, "stat_size": 20})
    state, found = detector.start(), []
    for at, value in enumerate(VALUES[:160]):
        if at % 40 == 0:
            river._RUNNING.clear()
        state, alarm = detector.update(state, at, value)
        found += [at] if alarm else []
    assert found == alarms(detector, VALUES[:160])


def test_names_and_settings_that_river_does_not_have_are_told():
    class Page:
        class labels:
            kind = staticmethod(labels.Probability)

    with pytest.raises(errors.DeclarationError, match="no detector 'ADWINN' of river"):
        alarms(monitoring.River("ADWINN", "error"), [1.0])
    with pytest.raises(errors.DeclarationError, match="name its settings as river does"):
        alarms(monitoring.River("ADWIN", "error", {"sharpness": 1}), [1.0])
    found = [str(problem) for problem in monitoring.River("__class__", "eror", keep=1).problems(Page)]
    assert [problem.split(":")[0] for problem in found] == ["metric", "name", "keep"]
    assert list(monitoring.River("binary.HDDMW", "error", {"drift_confidence": 0.01}).problems(Page)) == []
