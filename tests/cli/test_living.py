"""The live command: where things go is decided before anything runs, and what was sent is told."""

import pytest

from flyball import errors, fab
from flyball.cli import living

FEW = fab.Fab("tiny", seed=4, machines=2, days=2)
NOWHERE = {"speed": 1.0, "broker": None, "ring": None, "begin": 0.0, "seconds": 0.1}


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "nowhere to send"), ({"broker": "x:y"}, "is no address")],
)
def test_nowhere_to_send_is_told(given, said):
    with pytest.raises(errors.DeclarationError, match=said):
        living.go(FEW, **{**NOWHERE, **given})


def test_what_was_sent_is_told_in_lines():
    told = {
        "fleet": "tiny, seed 0", "lived_h": 24.0, "seconds": 24.0, "interrupted": True, "behind_s": 2.0, "messages": 9,
        "acknowledged": 8, "dropped": 0, "unsent": 1, "connects": 2, "samples": 5, "rings": 1, "frames": 3,
        "frames_short": 0,
    }  # fmt: skip
    assert list(living.lines(told)) == [
        "tiny, seed 0: 24.0 h of its life in 24.0 s, interrupted, at most 2.0 s late",
        "  broker: 9 messages, 8 acknowledged, 0 dropped, 1 unsent, 2 connect(s)",
        "  rings: 5 samples into 1 ring(s)",
        "  frames: 3, 0 short of the rate",
    ]
