"""What every detector of a stream is tried with: values in a row, a peer of river's, and a page to be declared on."""

from flyball import data, labels


def alarms(detector, values):
    """Return after which values a detector alarmed."""
    state, found = detector.start(), []
    for at, value in enumerate(values):
        state, alarm = detector.update(state, at, value)
        found += [at] if alarm else []
    return found


def rivers(peer, values):
    """Return after which values a detector of river alarmed."""
    found = []
    for at, value in enumerate(values):
        peer.update(value)
        found += [at] if peer.drift_detected else []
    return found


def told(detector, said, kind=labels.Probability, clock=None):
    """Assert that a detector names these problems, and no others, on a page of this kind of answer and clock."""

    class Page:
        labels = type("labels", (), {"kind": staticmethod(kind)})
        data = type("data", (), {"clock": clock})

    found = [str(problem) for problem in detector.problems(Page)]
    assert len(found) == len(said), found
    assert all(part in problem for part, problem in zip(said, found, strict=True)), found


WALL = data.WallClock()
