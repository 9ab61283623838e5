"""Moving mean, std, min, max, slope and z-score beside what a user would roll with today."""

from __future__ import annotations

import collections
import math
import os
from collections.abc import Callable
from typing import Any

from benchmarks import sidebyside

LIBRARIES = ("bottleneck", "pandas", "polars", "numba", "river")
os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as everything here; read when polars is first imported
WINDOW = 101
CHANNELS = 256


def rows() -> list[dict[str, Any]]:
    """Return z-score over channels, each statistic of one series, windows of time, errors, and a long stream."""
    return [*_scores(), *_series(), *_of_time(), *_errors(), *_long_stream()]


def _scores() -> list[dict[str, Any]]:
    import numpy as np

    from flyball import kernels

    values = np.random.default_rng(0).normal(size=(1024, CHANNELS))
    case = f"z-score, {CHANNELS} channels, w={WINDOW}"

    def ours(given: Any = values) -> Any:
        return kernels.moving_moments(given, WINDOW, ("zscore",), axis=0)["zscore"]

    def stream(given: Any = values) -> Any:
        moving = kernels.MovingMoments(WINDOW, ("zscore",), channels=CHANNELS)
        return np.concatenate(
            [moving.push(given[at : at + 256])["zscore"] for at in range(0, len(given), 256)]
        )

    numba = _numba_scores()
    _equal(case, ours(), numba(values, WINDOW), 1e-9)
    _equal(case, ours(), stream(), 0)
    made = [
        _pair(f"{case}: numba", ours, lambda: numba(values, WINDOW), "numba", values.size, 1 / 2.8, runs=41)
    ]
    made.append(sidebyside.row(case, made[0]["ours"], None, "", "ns/sample", 1.5))
    for name, peer, many, goal in (
        ("deque", _deque_scores, 40_000, 150),
        ("river", _river_scores, 8_000, 1500),
    ):
        column = values[:, :1].repeat(10, axis=0)[:many, 0].copy()
        _equal(name, kernels.moving_moments(column, WINDOW, ("zscore",))["zscore"], peer(column), 1e-6)
        took = sidebyside.seconds(lambda peer=peer, column=column: peer(column), runs=3) / many * 1e9
        made.append(sidebyside.row(f"{case}: {name}", made[0]["ours"], took, name, "ns/sample", 1 / goal))
    made.append(_pair(f"{case}, pushed by 256 rows", stream, ours, "ours in one call", values.size))
    holed = values.copy()
    holed[np.random.default_rng(1).random(values.shape) < 0.05] = np.nan
    made.append(_pair(f"{case}, 5 % missing", lambda: ours(holed), ours, "ours, none missing", values.size))
    single, across = values.astype(np.float32), np.ascontiguousarray(values.T)
    made.append(
        _pair(f"{case}, float32", lambda: ours(single), lambda: numba(single, WINDOW), "numba", values.size)
    )
    one = lambda: kernels.moving_moments(across, WINDOW, ("zscore",))  # noqa: E731
    made.append(
        _pair(f"{case}, channel by channel", one, lambda: numba(values, WINDOW), "numba", values.size)
    )
    path = sidebyside.each_path(case, lambda n: ours(values[: n // CHANNELS]), values.size, 100 * CHANNELS)
    return [*made, *path]


def _series() -> list[dict[str, Any]]:
    import bottleneck as bn
    import numpy as np
    import pandas as pd
    import polars as pl

    from flyball import kernels

    values = np.random.default_rng(2).normal(size=300_000)
    made = []
    for window in (11, WINDOW, 10_001):
        frame, column = pd.Series(values).rolling(window), pl.Series(values)
        for name in ("mean", "std", "min", "max"):
            ours = _call(values, window, name)
            peers: dict[str, Callable[[], Any]] = {
                "bottleneck": lambda name=name, window=window: getattr(bn, f"move_{name}")(values, window),
                "pandas": lambda name=name, frame=frame: (
                    frame.std(ddof=0) if name == "std" else getattr(frame, name)()
                ).to_numpy(),
                "polars": lambda name=name, window=window, column=column: (
                    column.rolling_std(window, ddof=0)
                    if name == "std"
                    else getattr(column, f"rolling_{name}")(window)
                ).to_numpy(),
            }
            for peer_name, peer in peers.items():
                if window != WINDOW and peer_name != "bottleneck":
                    continue
                case = f"{name}, one series, w={window}: {peer_name}"
                _equal(case, ours(), peer(), 1e-8)
                made.append(_pair(case, ours, peer, _told(peer_name), len(values), 1.0))
    ramp = np.arange(WINDOW) - (WINDOW - 1) / 2

    def slopes() -> Any:
        return np.convolve(values, ramp[::-1] / (ramp @ ramp), "valid")

    ours = _call(values, WINDOW, "slope")
    _equal("slope", ours()[WINDOW - 1 :], slopes(), 1e-8)
    made.append(
        _pair(f"slope, one series, w={WINDOW}: numpy", ours, slopes, "numpy.convolve", len(values), 1.0)
    )
    every = lambda: kernels.moving_moments(values, WINDOW)  # noqa: E731
    four = [getattr(bn, f"move_{name}") for name in ("mean", "std", "min", "max")]
    theirs = lambda: [move(values, WINDOW) for move in four]  # noqa: E731
    case = f"all six in one call, one series, w={WINDOW}: bottleneck's four"
    return [*made, _pair(case, every, theirs, "bottleneck", len(values), 1.0)]


def _of_time() -> list[dict[str, Any]]:
    import numpy as np
    import pandas as pd
    import polars as pl

    from flyball import kernels

    rng = np.random.default_rng(3)
    times = np.cumsum(rng.integers(1, 20, 100_000))
    values = rng.normal(size=len(times))
    frame = pd.Series(values, index=pd.to_datetime(times)).rolling("1000ns")
    table = pl.DataFrame({"t": times, "x": values}).with_columns(pl.col("t").cast(pl.Datetime("ns")))
    made = []
    for name in ("mean", "std", "min", "max"):

        def ours(name: str = name) -> Any:
            return kernels.moving_moments(values, by=(name,), over=1000, times=times)[name]

        def pandas(name: str = name) -> Any:
            return (frame.std(ddof=0) if name == "std" else getattr(frame, name)()).to_numpy()

        def polars(name: str = name) -> Any:
            more = {"ddof": 0} if name == "std" else {}
            rolled = getattr(pl.col("x"), f"rolling_{name}_by")("t", "1000ns", **more)
            return table.select(rolled).to_series().to_numpy()

        for peer_name, peer in (("pandas", pandas), ("polars", polars)):
            case = f"{name} over time, one series, ~100 samples: {peer_name}"
            _equal(case, ours()[1:], peer()[1:], 1e-8)
            made.append(_pair(case, ours, peer, _told(peer_name), len(values), 1.0, runs=7))
    return made


def _errors() -> list[dict[str, Any]]:
    """Small noise on a large level: the largest relative error of std, against sums about the level."""
    import bottleneck as bn
    import numpy as np
    import pandas as pd

    values = 1e9 + np.random.default_rng(4).normal(scale=1e-3, size=1_000_000)
    exact = np.lib.stride_tricks.sliding_window_view(values - 1e9, WINDOW).std(axis=1)

    def error(of: Any) -> float:
        return float(np.max(np.abs(of[WINDOW - 1 :] / exact - 1)))

    ours = error(_call(values, WINDOW, "std")())
    peers = {
        "bottleneck": bn.move_std(values, WINDOW),
        "pandas": pd.Series(values).rolling(WINDOW).std(ddof=0).to_numpy(),
    }
    case = "std of noise 1e-3 on a level of 1e9, largest error"
    return [
        sidebyside.row(f"{case}: {name}", ours, error(of), name, "relative", 1.0)
        for name, of in peers.items()
    ]


def _long_stream() -> list[dict[str, Any]]:
    """1e9 samples on a level of 1e9 through one stream: the error in its last window, and numba's running sums'."""
    import time

    import numpy as np

    from flyball import kernels

    pool = np.random.default_rng(5).normal(scale=1e-3, size=3_000_000)
    offsets = np.random.default_rng(6).integers(0, 2_000_000, 1000)
    running = _numba_stream()
    sums, ring = np.zeros(2), np.zeros(WINDOW)
    moving = kernels.MovingMoments(WINDOW, ("mean", "std"))
    took = 0.0
    for number, offset in enumerate(offsets):
        chunk = pool[offset : offset + 1_000_000] + 1e9
        begun = time.perf_counter()
        last = moving.push(chunk)
        took += time.perf_counter() - begun
        if number % 10 == 0:  # a tenth is enough for them to drift
            theirs = running(chunk, ring, sums)
            theirs_exact = float((chunk[-WINDOW:] - 1e9).std())
    exact = chunk[-WINDOW:] - 1e9
    assert moving.seen == 10**9
    std_error = abs(float(last["std"][-1]) / float(exact.std()) - 1)
    mean_error = abs(float(last["mean"][-1]) - 1e9 - math.fsum(exact) / WINDOW)
    assert std_error < 1e-12 and mean_error < 1.2e-7, (std_error, mean_error)
    peer_error = abs(theirs / theirs_exact - 1)
    case = "after 1e9 samples in a stream, noise 1e-3 on 1e9"
    peer = "numba running sums (1e8)"
    return [
        sidebyside.row(f"{case}: error of std", std_error, peer_error, peer, "relative", 1.0),
        sidebyside.row(f"{case}: error of mean", mean_error, None, "", "absolute", 1.2e-7),
        sidebyside.row(f"{case}: mean and std", took, None, "", "ns/sample", None),
    ]


def _call(values: Any, window: int, name: str) -> Callable[[], Any]:
    from flyball import kernels

    return lambda: kernels.moving_moments(values, window, (name,))[name]


def _told(peer: str) -> str:
    """Return the peer's name, with its threads where it has more than one."""
    import polars as pl

    threads = pl.thread_pool_size()
    return f"polars, {threads} threads" if peer == "polars" and threads > 1 else peer


def _pair(
    case: str,
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    name: str,
    samples: int,
    goal: float | None = None,
    runs: int = 15,
) -> dict[str, Any]:
    taken = sidebyside.versus(ours, peer, runs)
    mine, theirs = (seconds / samples * 1e9 for seconds in taken)
    return sidebyside.row(case, mine, theirs, name, "ns/sample", goal)


def _equal(case: str, ours: Any, peer: Any, tolerance: float) -> None:
    import numpy as np

    np.testing.assert_allclose(ours, peer, rtol=tolerance, atol=tolerance, err_msg=case)


def _numba_scores() -> Any:
    """The kernel that a user would write: running sums for each channel, a row at a time."""
    import numba
    import numpy as np

    @numba.njit  # type: ignore[untyped-decorator]
    def scores(values: Any, window: int) -> Any:
        rows, channels = values.shape
        out = np.empty_like(values)
        sums, squares = np.zeros(channels), np.zeros(channels)
        for t in range(rows):
            for c in range(channels):
                x = values[t, c]
                sums[c] += x
                squares[c] += x * x
                if t >= window:
                    old = values[t - window, c]
                    sums[c] -= old
                    squares[c] -= old * old
                if t >= window - 1:
                    mean = sums[c] / window
                    out[t, c] = (x - mean) / math.sqrt(squares[c] / window - mean * mean)
                else:
                    out[t, c] = np.nan
        return out

    return scores


def _numba_stream() -> Any:
    """Running sums of one series, kept between chunks; returns the last window's standard deviation."""
    import numba

    @numba.njit  # type: ignore[untyped-decorator]
    def running(values: Any, ring: Any, sums: Any) -> float:
        window = len(ring)
        place = 0
        for x in values:
            old = ring[place]
            ring[place] = x
            place = (place + 1) % window
            sums[0] += x - old
            sums[1] += x * x - old * old
        # The next chunk goes on where this one ended.
        turned = ring.copy()
        for k in range(window):
            ring[k] = turned[(place + k) % window]
        mean = sums[0] / window
        return math.sqrt(max(0.0, sums[1] / window - mean * mean))

    return running


def _deque_scores(values: Any) -> Any:
    """A deque and running sums, one sample after another."""
    held: collections.deque[float] = collections.deque(maxlen=WINDOW)
    total = squares = 0.0
    made = []
    for x in values.tolist():
        if len(held) == WINDOW:
            old = held[0]
            total -= old
            squares -= old * old
        held.append(x)
        total += x
        squares += x * x
        if len(held) == WINDOW:
            mean = total / WINDOW
            made.append((x - mean) / math.sqrt(squares / WINDOW - mean * mean))
        else:
            made.append(math.nan)
    return made


def _river_scores(values: Any) -> Any:
    """river's rolling mean and variance, one sample after another."""
    from river import stats, utils

    mean, var = utils.Rolling(stats.Mean(), WINDOW), utils.Rolling(stats.Var(ddof=0), WINDOW)
    made = []
    for number, x in enumerate(values.tolist()):
        mean.update(x)
        var.update(x)
        ready = number >= WINDOW - 1
        made.append((x - mean.get()) / math.sqrt(var.get()) if ready else math.nan)
    return made
