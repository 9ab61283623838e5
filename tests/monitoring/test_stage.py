import pytest

from flyball import monitoring


@pytest.mark.parametrize(
    "call",
    [
        lambda: monitoring.Detector().start(),
        lambda: monitoring.Detector().update({}, 0, 1.0),
        lambda: monitoring.DriftDetector().reference(None, None, 0),
        lambda: monitoring.DriftDetector().watch(None, None, None),
        lambda: monitoring.Trigger().due(0, None, ()),
    ],
)
def test_abstract_parts_do_nothing_by_themselves(call):
    with pytest.raises(NotImplementedError):
        call()


def test_nothing_is_watched_unless_declared():
    assert monitoring.Watch() == monitoring.Watch(drift=None, concept=(), retrain=())
