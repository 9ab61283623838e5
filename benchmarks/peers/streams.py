"""Detectors on streams as frouros has them: run in its own environment, which holds no Flyball.

    python streams.py FOLDER

FOLDER holds NAME.npy, one stream each, and `wanted.json`, [detector, name] pairs.  Prints one JSON object: "alarms" by
"detector name", places in the stream, the detector started anew after each; "us" microseconds per value by detector.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any


def main(folder: Path) -> dict[str, Any]:
    """Return the alarms of every detector on every stream that is wanted of it."""
    import numpy as np
    from frouros.detectors import concept_drift as room

    kinds = {"ADWIN": room.ADWIN, "DDM": room.DDM, "KSWIN": room.KSWIN, "PageHinkley": room.PageHinkley}
    alarms: dict[str, list[int]] = {}
    took: dict[str, list[float]] = {}
    np.random.seed(0)  # KSWIN draws from here
    for kind, name in json.loads((folder / "wanted.json").read_text()):
        values = np.load(folder / f"{name}.npy").tolist()
        detector, found = kinds[kind](), []
        begun = time.perf_counter()
        for place, value in enumerate(values):
            detector.update(value=value)
            if detector.drift:
                found.append(place)
                detector.reset()
        held = took.setdefault(kind, [0.0, 0.0])
        held[0] += time.perf_counter() - begun
        held[1] += len(values)
        alarms[f"{kind} {name}"] = found
    us = {kind: seconds / n * 1e6 for kind, (seconds, n) in took.items()}
    return {"version": metadata.version("frouros"), "alarms": alarms, "us": us}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
