"""Maximum mean discrepancy: whether rows of a window come from where the reference's came from, whatever differs.

The mean of a kernel between the rows of the window and a sample of the reference's, beside the means within each, is
zero for equal distributions and above for any that differ.  Level and spread are taken out of the rows (`standard`), so
what is left is shape, and every kind of dependence, not only the straight ones.

Source: Gretton, Borgwardt, Rasch, Schölkopf and Smola, A Kernel Two-Sample Test, JMLR 13 (2012), equation 3.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.monitoring import stage
from flyball.monitoring.standard import MOST, Standard

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats

#: What the one figure is called.
NAME = "discrepancy"
#: Kept rows are told in so many steps a spread.
STEPS = 127 / MOST


class MeanDiscrepancy(stage.Multivariate):
    """Tell how far the rows of a window lie from a `sample` of the reference's: the unbiased squared discrepancy.

    The kernel is exp(-d² / 2s²) with s² half the median squared distance within the sample, so that it fits any number
    of columns.  Finds what `Reconstruction` cannot: a bent relation that broke, a shape with two tops.  Of a hundred
    columns it sees only what changes many of them.  The sample travels in the release, a byte a value.

    >>> MeanDiscrepancy(sample=100).sample
    100
    """

    sample: int = 256

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a sample that is too small to compare with."""
        if self.sample < 8:
            yield errors.Problem("sample", f"{self.sample} rows show no distribution", "give 8 or more")

    def learn(self, rows: Standard, seed: int) -> Mapping[str, Any]:
        """Return the names of the columns and the sample; {} where there is none."""
        found = sampled(rows, self.sample, seed)
        if found is None:
            return {}
        return {"names": list(rows.names), "rows": packed(found)}

    def told(self, kept: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Return the one figure, of all columns."""
        return {NAME: tuple(kept["names"])}

    def figures(self, kept: Mapping[str, Any], rows: Standard) -> Floats:
        """Return (cells, 1) squared discrepancies, NaN where a cell cannot be judged."""
        import numpy as np

        out = np.full((len(rows.cells.unit), 1), np.nan)
        sample, order = unpacked(kept), [rows.names.index(name) for name in kept["names"]]
        scale, within = _usual(_squares(sample, sample))
        for cells, begin, block in rows.blocks():
            plain = block[:, order]
            across = np.exp(-_squares(plain, sample) / scale).mean(axis=1, dtype=np.float64)
            for cell, first, stop in zip(cells, begin, (*begin[1:], len(block)), strict=True):
                mine = np.exp(-_squares(plain[first:stop], plain[first:stop]) / scale)
                out[cell, 0] = _unbiased(mine) + within - 2 * across[first:stop].mean()
        return out

    def behind(self, kept: Mapping[str, Any], rows: Standard, cell: int) -> tuple[str, ...]:
        """Return the columns without which the discrepancy falls, the one that takes most with it first."""
        import numpy as np

        sample, order = unpacked(kept), [rows.names.index(name) for name in kept["names"]]
        ((_, _, block),) = rows.blocks(np.array([cell]))
        plain = block[:, order]
        pairs = ((plain, plain), (sample, sample), (plain, sample))
        squares = [_squares(one, other) for one, other in pairs]
        scale, _ = _usual(squares[1])

        def apart(without: int) -> float:
            kernels = []
            for (one, other), square in zip(pairs, squares, strict=True):
                less = (one[:, None, without] - other[None, :, without]) ** 2 if without >= 0 else 0.0
                kernels.append(np.exp(-(square - less) / scale))
            return _unbiased(kernels[0]) + _unbiased(kernels[1]) - 2 * float(kernels[2].mean())

        lost = apart(-1) - np.array([apart(place) for place in range(len(order))])
        return tuple(kept["names"][place] for place in np.argsort(-lost, kind="stable") if lost[place] > 0)


def sampled(rows: Standard, size: int, seed: int) -> Array | None:
    """Return so many rows of all cells that can be judged (fewer where there are fewer), None with hardly any."""
    import numpy as np

    many = int((rows.cells.stop - rows.cells.first)[rows.plain()].sum())
    if many < 8 or not rows.names:
        return None
    chosen = np.sort(np.random.default_rng(seed).choice(many, min(size, many), replace=False))
    taken, begin = [], 0
    for _, _, block in rows.blocks():
        mine = chosen[(chosen >= begin) & (chosen < begin + len(block))] - begin
        taken.append(block[mine])
        begin += len(block)
    # As they will be read back, so that the reference is judged by what travels.
    return np.asarray(np.rint(np.concatenate(taken) * STEPS) / STEPS, dtype=np.float32)


def packed(rows: Array) -> str:
    """Return rows as text, a byte a value."""
    import numpy as np

    return base64.b64encode(np.rint(rows * STEPS).astype(np.int8).tobytes()).decode()


def unpacked(kept: Mapping[str, Any]) -> Array:
    """Return the rows (n, columns) of what was `packed` beside the `names` of its columns."""
    import numpy as np

    flat = np.frombuffer(base64.b64decode(kept["rows"]), dtype=np.int8)
    return np.asarray(flat.reshape(-1, len(kept["names"])) / np.float32(STEPS), dtype=np.float32)


def _squares(one: Array, other: Array) -> Array:
    """Return (n, m) squared distances."""
    import numpy as np

    square = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :] - 2 * (one @ other.T)
    return np.asarray(np.maximum(square, 0.0))


def _usual(squares: Array) -> tuple[float, float]:
    """Return 2 s² and the mean kernel of the sample's pairs."""
    import numpy as np

    scale = float(np.median(squares[np.triu_indices(len(squares), 1)])) or 1.0
    return scale, _unbiased(np.exp(-squares / scale))


def _unbiased(kernel: Array) -> float:
    """Return the mean of a square kernel without its diagonal."""
    import numpy as np

    n = len(kernel)
    return float((kernel.sum(dtype=np.float64) - np.trace(kernel, dtype=np.float64)) / (n * (n - 1)))
