"""Reads what ring_writer.cpp pushes: `python ring_reader.py spindle`, started before or after it."""

import sys
import time

from flyball import errors, kernels


def opened(name: str, within_s: float = 10.0) -> kernels.RingReader:
    """Wait for the ring to be there."""
    until = time.monotonic() + within_s
    while True:
        try:
            return kernels.RingReader(name)
        except errors.RingError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def main(name: str) -> None:
    """Print how strongly the spindle vibrates along x, and what was missed."""
    reader = opened(name)
    energy, readings = 0.0, 0
    try:
        while True:
            span = reader.take(4096)
            some = float((span["x"].astype("f8") ** 2).sum())
            # Only what nobody overwrote meanwhile counts.
            if reader.release():
                energy, readings = energy + some, readings + len(span)
    except errors.WriterClosedError:
        print(f"{readings} readings, x at {(energy / max(1, readings)) ** 0.5:.4f} rms, {reader.lost} lost")


if __name__ == "__main__":
    main(sys.argv[1])
