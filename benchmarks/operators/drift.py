"""Drift on each path of this machine: counts, exact distances, sketches; its peers are in `benchmarks.drift`."""

from __future__ import annotations

from typing import Any

from benchmarks import sidebyside

LIBRARIES = ()
ROWS, COLUMNS, BINS = 1_000_000, 50, 10


def rows() -> list[dict[str, Any]]:
    """Return what a value costs: on the widest path the whole tables are in `benchmarks.drift`."""
    import numpy as np

    from flyball import kernels

    rng = np.random.default_rng(0)
    current = np.asfortranarray(rng.normal(size=(COLUMNS, ROWS)).T)
    held = np.random.default_rng(1).normal(0.01, size=ROWS)
    edges = kernels.BinnedReference.of(current[:100_000] * 1.01, BINS).edges
    narrow = current[:, :10].astype(np.float32)
    took = sidebyside.seconds(lambda: kernels.histogram(narrow, edges[:10]), 3)

    def counted(many: int) -> Any:
        return kernels.histogram(current[: many // COLUMNS], edges)

    def apart(many: int) -> Any:
        return kernels.SortedReference(held[:many]).distances(current[:many, 0])

    def sketched(many: int) -> Any:
        return kernels.QuantileSketch(10).push(current[: many // 10, :10])

    name = "sort both sides, KS and Wasserstein"
    return [
        sidebyside.row("counts of float32", took / narrow.size * 1e9, None, "", "ns/value", None),
        *sidebyside.each_path("counts, 10 bins", counted, 10_000_000, 100_000, "ns/value"),
        *sidebyside.each_path(name, apart, ROWS, 100_000, "ns/value"),
        *sidebyside.each_path("quantile sketch", sketched, 4_000_000, 100_000, "ns/value"),
    ]
