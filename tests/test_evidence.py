import pickle

import pytest

from flyball import evidence, system

VALUES = [
    evidence.Measurement("auc", 0.9, 0.8, 0.95, n=10, unit="1"),
    evidence.Verdict("Beats", 0.1, 0.02, True, "why"),
    evidence.Alarm("drift", 5, 0.4, 0.2, ("a", "b"), ("m1",), "why"),
    evidence.Alarm("drift", 5, 0.4, 0.2, since=3, sure=0.01, cause="sensor", kind="unit"),
    evidence.Alert("m1", 5, 0.9, 1, ("a",)),
    evidence.Outcome("m1", 5, 0.9, 1.0, "known", 7),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_evidence_travels_as_text_and_comes_back_equal(value):
    assert system.read(repr(value)) == value
    assert pickle.loads(pickle.dumps(value)) == value
    assert hash(value) == hash(system.read(repr(value)))
