"""Peaks beside SciPy's find_peaks: a whole series, and a stream in chunks of 1000 samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import sidebyside
from flyball import kernels

LIBRARIES = ("numpy", "scipy")

ROWS = 1_000_000
CHUNK, OVERLAP, DELAY = 1000, 200, 1000


def rows() -> list[dict[str, Any]]:
    """Return the comparisons, after equality of every case."""
    table = []
    for name, values, height, prominence in _signals(ROWS):
        for case, rules in _cases(height, prominence).items():
            table.append(_whole(f"find_peaks, {case}, {name}", values, rules))
        table += _stream(name, values, dict(height=height, distance=100, prominence=prominence, wlen=1001))
    name, values, height, prominence = _signals(ROWS)[0]
    counts = np.round(values * 64)
    table.append(_whole("find_peaks, distance=100, pulses in whole counts (ties)", counts, {"distance": 100}))
    rules = _cases(height, prominence)["height+distance+prominence"]
    table += sidebyside.each_path(
        "find_peaks, height+distance+prominence, pulses",
        lambda many: kernels.find_peaks(values[:many], **rules),
        ROWS,
        5_000,
    )
    stream = {**rules, "wlen": 1001}
    table += sidebyside.each_path(
        "Peaks, height+distance+prominence(wlen), chunks of 1000, pulses",
        lambda many: _told(values[:many], stream),
        ROWS,
        20_000,
    )
    return table


def _signals(many: int) -> list[tuple[str, np.ndarray, float, float]]:
    """Return pulses on a noisy, wandering level as a machine has them, and white noise, which is the worst."""
    rng = np.random.default_rng(11)
    noise = rng.normal(size=many)
    pulses = rng.normal(scale=0.004, size=many).cumsum() + rng.normal(scale=0.05, size=many)
    shape = np.exp(-0.5 * (np.arange(-20, 21) / 6) ** 2)
    for at in rng.integers(50, many - 50, many // 500):
        pulses[at - 20 : at + 21] += shape * rng.uniform(1, 4)
    return [("pulses", pulses, float(np.quantile(pulses, 0.9)), 0.8), ("white noise", noise, 1.0, 1.0)]


def _cases(height: float, prominence: float) -> dict[str, dict[str, Any]]:
    return {
        "plain": {},
        "height": {"height": height},
        "distance=100": {"distance": 100},
        "prominence": {"prominence": prominence},
        "prominence wlen=1001": {"prominence": prominence, "wlen": 1001},
        "height+distance+prominence": {"height": height, "distance": 100, "prominence": prominence},
    }


def _whole(case: str, values: np.ndarray, rules: dict[str, Any]) -> dict[str, Any]:
    from scipy import signal

    got, want = kernels.find_peaks(values, **rules), signal.find_peaks(values, **rules)
    _equal(case, got[0], want[0])
    for name, figures in want[1].items():
        _equal(f"{case}: {name}", got[1][name], figures)
    return _compared(
        case,
        lambda: kernels.find_peaks(values, **rules),
        lambda: signal.find_peaks(values, **rules),
        "scipy find_peaks",
        1 / 5,
    )


def _stream(name: str, values: np.ndarray, rules: dict[str, Any]) -> list[dict[str, Any]]:
    from scipy import signal

    case = f"Peaks, height+distance+prominence(wlen), chunks of {CHUNK}, {name}"
    told = np.concatenate(_told(values, rules))
    if told["open"].any():
        raise AssertionError(f"{case}: {np.count_nonzero(told['open'])} peaks stayed open")
    told = np.sort(told, order="peak")
    places, properties = signal.find_peaks(values, **rules)
    _equal(case, told["peak"], places)
    for property_, figures in properties.items():
        _equal(f"{case}: {property_}", told[property_], figures)
    cut = np.unique(np.concatenate(_cut(values, rules)))
    wrong = len(np.setxor1d(cut, places))

    def ours() -> Any:
        return _told(values, rules)

    batch = _compared(
        case, ours, lambda: signal.find_peaks(values, **rules), "scipy find_peaks, whole", 1 / 5
    )
    return [
        batch,
        sidebyside.row(f"{case}, alone", batch["ours"], None, "", "ns/sample", 5.0),
        _compared(
            f"{case}; scipy so has {wrong} of {len(places)} peaks wrong or missing, ours none",
            ours,
            lambda: _cut(values, rules),
            f"scipy find_peaks in chunks, overlap {OVERLAP}",
            1 / 7,
        ),
    ]


def _told(values: np.ndarray, rules: dict[str, Any]) -> list[np.ndarray]:
    stream = kernels.Peaks(delay=DELAY, **rules)
    told = [stream.push(values[at : at + CHUNK]) for at in range(0, len(values), CHUNK)]
    return [*told, stream.finish()]


def _cut(values: np.ndarray, rules: dict[str, Any]) -> list[np.ndarray]:
    """SciPy used as a stream: each chunk with the end of the one before."""
    from scipy import signal

    found = []
    for at in range(0, len(values), CHUNK):
        begin = max(0, at - OVERLAP)
        found.append(signal.find_peaks(values[begin : at + CHUNK], **rules)[0] + begin)
    return found


def _compared(
    case: str, ours: Callable[[], Any], peer: Callable[[], Any], peer_name: str, goal: float
) -> dict[str, Any]:
    mine, theirs = sidebyside.versus(ours, peer)
    return sidebyside.row(case, mine / ROWS * 1e9, theirs / ROWS * 1e9, peer_name, "ns/sample", goal)


def _equal(case: str, got: np.ndarray, want: np.ndarray) -> None:
    if not np.array_equal(got, want):
        raise AssertionError(f"{case}: not what SciPy finds")
