"""The live command: where things go is decided before anything runs, and what was sent is told."""

import os

import pytest

from flyball import errors, fab
from flyball.cli import living
from flyball.kernels import RingReader, ring

FEW = fab.Fab("tiny", seed=4, machines=2, days=2)
NOWHERE = {"speed": 1.0, "broker": None, "ring": None, "begin": 0.0, "seconds": 0.1}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "nowhere to send"),
        ({"broker": "x:y"}, "is no address"),
        ({"rate": 60}, "nowhere for frames"),
        ({"ring": "flyball-none", "begin": 2.0}, "an hour below 48"),
    ],
)
def test_nowhere_to_send_is_told(given, said):
    with pytest.raises(errors.DeclarationError, match=said):
        living.go(FEW, **{**NOWHERE, **given})


def test_samples_go_into_rings_and_are_counted():
    prefix = f"flyball-living-{os.getpid()}"
    try:
        told = living.go(FEW, **{**NOWHERE, "ring": prefix, "speed": 600.0, "seconds": 0.3, "begin": 1.0})
        with RingReader(f"{prefix}-A-001") as reader:
            first = reader.take(1, wait=0.0)["time"].item()
    finally:
        for name in ("A-001", "B-001"):
            ring.unlink(f"{prefix}-{name}")
    assert first == fab.START_US + 86_400_000_000
    assert (
        told["rings"] == 2
        and 2 * 150 <= told["samples"] <= 2 * 600 * told["seconds"]
        and not told["interrupted"]
    )


def test_frames_go_into_a_folder_at_their_rate(tmp_path, monkeypatch):
    from flyball.fab import rate

    monkeypatch.setattr(rate, "SCENES", 2)
    out = tmp_path / "frames"
    told = living.go(FEW, **{**NOWHERE, "rate": 600, "out": out, "seconds": 0.5})
    files = sorted(out.iterdir())
    assert len(files) == told["frames"] >= 3
    assert len({file.read_bytes() for file in files}) == len(files)


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
