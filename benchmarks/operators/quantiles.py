"""Moving medians and quantiles beside the libraries that have them: one series, many channels, streams."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import sidebyside

LIBRARIES = ("numpy", "bottleneck", "pandas", "polars", "scipy")
WINDOWS = (11, 101, 1001, 10_001)
SAMPLES = 200_000


def rows() -> list[dict[str, Any]]:
    """Return all rows; each answer is held against the peer's before it is timed."""
    return [*_series(), *_itself(), *_quantile(), *_channels(), *_streams(), *_long(), *_paths()]


def _signal(samples: int, dtype: str = "float64", missing: float = 0.0) -> Any:
    import numpy as np

    rng = np.random.default_rng(7)
    values = rng.normal(size=samples).astype(dtype)
    values[rng.random(samples) < missing] = np.nan
    return values


def _peers(values: Any, window: int) -> dict[str, Callable[[], Any]]:
    import bottleneck
    import pandas
    import polars
    from scipy import ndimage

    frame, column = pandas.Series(values), polars.Series(values)
    return {
        "bottleneck": lambda: bottleneck.move_median(values, window),
        "polars": lambda: column.rolling_median(window),
        "scipy ndimage": lambda: ndimage.median_filter(values, window),
        "pandas": lambda: frame.rolling(window).median(),
    }


def _equal(got: Any, want: Any) -> None:
    import numpy as np

    assert np.array_equal(got, want, equal_nan=True), "not the peer's figures"


def _series() -> list[dict[str, Any]]:
    """Return the rows for one series: beside the best peer, beside pandas."""
    from flyball import kernels

    table = []
    for dtype in ("float64", "float32"):
        values = _signal(SAMPLES, dtype)
        for window in WINDOWS:
            ours = lambda window=window, values=values: kernels.moving_median(values, window)  # noqa: E731
            peers = _peers(values, window)
            for name in ("bottleneck", "polars", "pandas"):
                _equal(ours(), peers[name]())
            half = window // 2
            _equal(ours()[2 * half :], peers["scipy ndimage"]()[half : len(values) - half])
            best = min(peers, key=lambda name: sidebyside.seconds(peers[name], runs=2))
            case = f"moving median, {dtype}, w={window}"
            goal = 1 / 10 if window == 11 else 1 / 4
            table.append(_row(case, *sidebyside.versus(ours, peers[best]), SAMPLES, best, goal))
            took = sidebyside.versus(ours, peers["pandas"], runs=3)
            table.append(_row(f"{case}, beside pandas", *took, SAMPLES, "pandas", 1 / 20))
    return table


def _row(case: str, ours: float, peer: float, samples: int, name: str, goal: float | None) -> dict[str, Any]:
    return sidebyside.row(case, ours / samples * 1e9, peer / samples * 1e9, name, "ns/sample", goal)


def _itself() -> list[dict[str, Any]]:
    """Return how the time grows with the window and with missing values; the peer's with missing values."""
    import bottleneck

    from flyball import kernels

    clean, holed = _signal(SAMPLES), _signal(SAMPLES, missing=0.05)
    table = []
    for short in (101, 1001):
        took = sidebyside.versus(
            lambda: kernels.moving_median(clean, 10_001),
            lambda short=short: kernels.moving_median(clean, short),
        )
        case = f"moving median, float64, w=10001 beside w={short}"
        table.append(_row(case, *took, SAMPLES, f"own, w={short}", 1.5))
    for window in WINDOWS:
        ours = lambda window=window: kernels.moving_median(holed, window, 1)  # noqa: E731
        peer = lambda window=window: bottleneck.move_median(holed, window, 1)  # noqa: E731
        _equal(ours(), peer())
        case = f"moving median, float64, w={window}, 5 % NaN"
        without = sidebyside.versus(ours, lambda window=window: kernels.moving_median(clean, window, 1))
        table.append(_row(case, *without, SAMPLES, "own, no NaN", 1.2))
        table.append(_row(case, *sidebyside.versus(ours, peer), SAMPLES, "bottleneck", None))
    return table


def _quantile() -> list[dict[str, Any]]:
    """Return the rows of a quantile beside Polars."""
    import numpy as np
    import polars

    from flyball import kernels

    values = _signal(SAMPLES)
    column = polars.Series(values)
    table = []
    for window in (101, 1001):
        ours = lambda window=window: kernels.moving_quantile(values, window, 0.9)  # noqa: E731
        peer = lambda window=window: column.rolling_quantile(0.9, "linear", window)  # noqa: E731
        np.testing.assert_allclose(ours(), peer().to_numpy(), rtol=1e-12)
        took = sidebyside.versus(ours, peer, runs=3)
        table.append(_row(f"moving quantile 0.9, float64, w={window}", *took, SAMPLES, "polars", None))
    return table


def _channels() -> list[dict[str, Any]]:
    """Return the rows of 256 channels, either layout."""
    import bottleneck
    import numpy as np
    from scipy import ndimage

    from flyball import kernels

    channels, samples, window = 256, 20_000, 101
    table = []
    for dtype, goal in (("float64", 1 / 4), ("float32", 1 / 7)):
        values = _signal(channels * samples, dtype).reshape(channels, samples)
        across = np.ascontiguousarray(values.T)
        peers: dict[str, Callable[[], Any]] = {
            "bottleneck": lambda values=values: bottleneck.move_median(values, window),
            "scipy ndimage": lambda values=values: [ndimage.median_filter(one, window) for one in values],
        }
        _equal(kernels.moving_median(values, window), peers["bottleneck"]())
        _equal(kernels.moving_median(across, window, axis=0).T, kernels.moving_median(values, window))
        best = min(peers, key=lambda name: sidebyside.seconds(peers[name], runs=1))
        for layout, data, axis in (("(256, n)", values, -1), ("(n, 256)", across, 0)):
            took = sidebyside.versus(
                lambda data=data, axis=axis: kernels.moving_median(data, window, axis=axis),
                peers[best],
                runs=2,
            )
            case = f"moving median, {dtype}, 256 channels as {layout}, w=101"
            table.append(_row(case, *took, channels * samples, f"{best} on (256, n)", goal))
    return table


def _streams() -> list[dict[str, Any]]:
    """Return the rows of a stream in chunks beside the whole series at once."""
    import numpy as np

    from flyball import kernels

    table = []
    for window in (101, 1001):
        for size in (1, 64, 256, 1024, 4096, 65_536):
            values = _signal(min(SAMPLES, 2000 * size))
            # Each result is let go before the next chunk comes, as it is beside a machine.
            work = lambda values=values, window=window, size=size: collections.deque(  # noqa: E731
                _pushed(values, window, size), maxlen=0
            )
            whole = lambda values=values, window=window: kernels.moving_median(values, window)  # noqa: E731
            _equal(np.concatenate(list(_pushed(values, window, size))), whole())
            took = sidebyside.versus(work, whole, runs=3)
            goal = 1.2 if size >= 256 else None
            case = f"moving median as a stream, float64, w={window}, chunks of {size}"
            table.append(_row(case, *took, len(values), "own batch", goal))
    return table


def _pushed(values: Any, window: int, size: int) -> Iterator[Any]:
    from flyball import kernels

    stream = kernels.MovingMedian(window)
    for at in range(0, len(values), size):
        yield stream.push(values[at : at + size])


def _long() -> list[dict[str, Any]]:
    """Return the row of a hundred million samples, every figure of which is bottleneck's."""
    import time

    import bottleneck
    import numpy as np

    from flyball import kernels

    values = np.tile(_signal(1_000_003, "float32", missing=0.01), 100)[:100_000_000]
    begun = time.perf_counter()
    got = kernels.moving_median(values, 101, 1)
    between = time.perf_counter()
    _equal(got, bottleneck.move_median(values, 101, 1))
    ended = time.perf_counter()
    case = "moving median, float32, w=101, 1e8 samples, 1 % NaN"
    return [_row(case, between - begun, ended - between, len(values), "bottleneck", None)]


def _paths() -> list[dict[str, Any]]:
    from flyball import kernels

    values = _signal(SAMPLES)
    table = []
    for window in (11, 101, 10_001):
        table += sidebyside.each_path(
            f"moving median, float64, w={window}",
            lambda many, window=window: kernels.moving_median(values[:many], window),
            SAMPLES,
            20_000,
        )
    return table
