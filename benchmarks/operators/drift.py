"""Drift of 50 columns of a million rows: counts, exact distances and sketches, beside NumPy, SciPy and DataSketches.

NannyML is left out: it needs NumPy below 2, so it cannot be installed together with what is measured here. Its
univariate drift calls `scipy.stats.ks_2samp`, `scipy.stats.wasserstein_distance` and NumPy's histograms, which are
the peers of these rows. Tables are made, and their memory touched, before a clock runs.
"""

from __future__ import annotations

from typing import Any

from benchmarks import sidebyside

LIBRARIES = ("numpy", "scipy", "datasketches")
ROWS, COLUMNS, BINS = 1_000_000, 50, 10
#: Columns that distances and sketches are given; their times are scaled to all of them.
FEW = 10
SCALE = COLUMNS / FEW


def rows() -> list[dict[str, Any]]:
    """Return counts, distances and sketches, each equal to its peer first (a sketch within the stated errors)."""
    import numpy as np

    rng = np.random.default_rng(0)
    current = np.asfortranarray(rng.normal(size=(COLUMNS, ROWS)).T)
    return [*_counts(current), *_distances(current[:, :FEW]), *_sketches(current)]


def _counts(current: Any) -> list[dict[str, Any]]:
    import numpy as np

    from flyball import kernels

    reference = kernels.BinnedReference.of(current[:100_000] * 1.01, BINS)
    by_row = np.ascontiguousarray(current)

    def judged(table: Any) -> Any:
        met = reference.histogram().push(table)
        return reference.psi(met), reference.kl(met), reference.js(met)

    def counted(column: Any, edges: Any) -> Any:
        return np.bincount(np.searchsorted(edges, column, side="right"), minlength=BINS)

    def numpy_judged(table: Any) -> Any:
        counts = np.array([counted(*pair) for pair in zip(table.T, reference.edges, strict=True)])
        held = reference.counts[:, :BINS]
        return kernels.psi(held, counts), kernels.kl(held, counts), kernels.js(held, counts)

    for table in (current, by_row):
        assert np.array_equal(judged(table), numpy_judged(current)), "counts differ from NumPy's"
    table = []
    for layout, data in (("columns contiguous", current), ("row by row", by_row)):
        ours, peer = sidebyside.versus(
            lambda data=data: judged(data), lambda data=data: numpy_judged(data), 2
        )
        name = f"PSI, KL and JS of 1e6 x 50, 10 bins, {layout}"
        table += [sidebyside.row(name, ours, peer, "numpy searchsorted + bincount", "s", 1 / 18)]
        table += [sidebyside.row(f"{name}, alone", ours, None, "", "s", 0.06)]
    narrow = current[:, :10].astype(np.float32)
    took = sidebyside.seconds(lambda: judged_narrow(reference.edges[:10], narrow), 3)
    table += [sidebyside.row("counts of float32", took / narrow.size * 1e9, None, "", "ns/value", None)]

    def on(many: int) -> Any:
        return kernels.histogram(current[: many // COLUMNS], reference.edges)

    return table + sidebyside.each_path("counts, 10 bins", on, 10_000_000, 100_000, "ns/value")


def judged_narrow(edges: Any, table: Any) -> Any:
    """Count float32 columns over the same edges."""
    from flyball import kernels

    return kernels.histogram(table, edges)


def _distances(current: Any) -> list[dict[str, Any]]:
    import numpy as np
    import scipy.stats

    from flyball import kernels

    held = np.asfortranarray(np.random.default_rng(1).normal(0.01, size=current.shape))
    reference = kernels.SortedReference(held)

    def peer() -> Any:
        pairs = list(zip(held.T, current.T, strict=True))
        ks = [scipy.stats.ks_2samp(*pair, method="asymp").statistic for pair in pairs]
        return ks, [scipy.stats.wasserstein_distance(*pair) for pair in pairs]

    found, want = reference.distances(current), peer()
    assert np.allclose(found.ks, want[0], rtol=0, atol=1e-12), "KS differs from SciPy's"
    assert np.allclose(found.wasserstein, want[1], rtol=0, atol=1e-12), "Wasserstein differs from SciPy's"
    ours, theirs = sidebyside.versus(lambda: reference.distances(current), peer, 1)
    floor = sidebyside.seconds(lambda: [np.sort(column) for column in current.T], 3)
    by_row = np.ascontiguousarray(current)
    took = sidebyside.seconds(lambda: reference.distances(by_row), 3)
    name = "exact KS and Wasserstein of 1e6 x 50"
    scaled = f", {FEW} columns scaled"
    table = [
        sidebyside.row(
            name + scaled, ours * SCALE, theirs * SCALE, "scipy ks_2samp + wasserstein_distance", "s", 1 / 13
        ),
        sidebyside.row(name + scaled + ", alone", ours * SCALE, None, "", "s", 1.8),
        sidebyside.row(name + scaled, ours * SCALE, floor * SCALE, "numpy sort alone", "s", None),
        sidebyside.row(name + scaled + ", row by row, alone", took * SCALE, None, "", "s", 1.8),
    ]

    def on(many: int) -> Any:
        return kernels.SortedReference(held[:many, 0]).distances(current[:many, 0])

    return table + sidebyside.each_path("sort both sides, KS and Wasserstein", on, ROWS, 100_000, "ns/value")


def _sketches(current: Any) -> list[dict[str, Any]]:
    import datasketches
    import numpy as np

    from flyball import kernels

    def ours(table: Any) -> kernels.QuantileSketch:
        return kernels.QuantileSketch(table.shape[1]).push(table)

    def peer(table: Any) -> Any:
        made = [datasketches.kll_doubles_sketch(200) for _ in table.T]
        for sketch, column in zip(made, table.T, strict=True):
            sketch.update(column)
        return made

    few = current[:, :FEW]
    points = np.quantile(few[:, 0], np.linspace(0.01, 0.99, 25))
    true = np.searchsorted(np.sort(few[:, 0]), points, side="right") / len(few)
    found, theirs = ours(few), peer(few)
    assert np.abs(found.cdf(points)[0] - true).max() < 2 * kernels.QuantileSketch.ERROR, (
        "outside the stated error"
    )
    ranks = [theirs[0].get_rank(float(point), True) for point in points]
    assert np.abs(np.array(ranks) - true).max() < 0.03, "the peer lies outside its stated error"
    ours_s, peer_s = (took * SCALE for took in sidebyside.versus(lambda: ours(few), lambda: peer(few), 3))
    by_row = np.ascontiguousarray(few)
    rows_s = sidebyside.seconds(lambda: ours(by_row), 3) * SCALE
    name = f"quantile sketch of 1e6 x 50, {FEW} columns scaled"
    stated = kernels.QuantileSketch.ERROR, theirs[0].normalized_rank_error(False)
    size = len(found.to_bytes()) / few.shape[1], len(theirs[0].serialize())
    held = ours(few + 0.01)

    def compared() -> Any:
        return ours(few).ks(held)

    ks = sidebyside.seconds(compared, 3) * SCALE
    table = [
        sidebyside.row(name, ours_s, peer_s, "datasketches KLL k=200", "s", 1 / 6),
        sidebyside.row(f"{name}, alone", ours_s, None, "", "s", 0.3),
        sidebyside.row(f"{name}, row by row, alone", rows_s, None, "", "s", 0.3),
        sidebyside.row(
            "stated rank error of a sketch",
            stated[0] * 100,
            stated[1] * 100,
            "datasketches KLL k=200",
            "%",
            None,
        ),
        sidebyside.row("bytes of a column's sketch, alone", size[0], None, "", "bytes", 4096),
        sidebyside.row(
            "bytes of a column's sketch", size[0], size[1], "datasketches KLL k=200", "bytes", None
        ),
        sidebyside.row(f"KS by sketch of 1e6 x 50, {FEW} columns scaled", ks, None, "", "s", 0.3),
    ]

    def on(many: int) -> Any:
        return ours(current[: many // 10, :10])

    return table + sidebyside.each_path("quantile sketch", on, 4_000_000, 100_000, "ns/value")
