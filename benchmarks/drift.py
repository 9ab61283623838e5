"""Drift of a million rows of 50 sensors against a stored reference: divergences, exact distances and sketches.

Ours are timed on the rows and columns that each peer is given, so nothing is scaled: the slow ones get fewer, as their
case says.  All figures are CPU seconds of one thread.  Equal answers first: a divergence over the peer's own
bins, as our counts give it, an exact distance as it is; a sketch within what it states.  Peers that cannot be installed
beside Flyball answer from an environment of their own (`benchmarks.peers`), from the same file.  They keep the
reference from before where they can; evidently takes both tables anew for every report.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers, sidebyside
from flyball import kernels

ROWS, COLUMNS, BINS = 1_000_000, 50, 10
#: Columns of a million rows, and rows of all columns, that slow peers are given.
FEW, FEWER = 10, 100_000
UNIT = "CPU s"
Told = dict[str, Any]


def run() -> Told:
    """Return every comparison, and what each peer's version is."""
    rng = np.random.default_rng(0)
    shift = np.arange(COLUMNS)[:, None] % 5 * 0.02
    current = np.asfortranarray((rng.normal(size=(COLUMNS, ROWS)) + shift).T)
    reference = np.asfortranarray(rng.normal(size=(COLUMNS, ROWS)).T)
    with tempfile.TemporaryDirectory() as place:
        np.save(Path(place) / "reference.npy", reference)
        np.save(Path(place) / "current.npy", current)
        told = {
            name: _asked(name, Path(place), rows, columns)
            for name, rows, columns in (
                ("frouros", ROWS, FEW), ("nannyml", ROWS, FEW), ("alibi-detect", ROWS, FEW),
                ("evidently", FEWER, COLUMNS),
            )
        }  # fmt: skip
    rows = [
        *_divergences(reference, current, told), *_distances(reference, current, told),
        *_sketches(reference, current),
    ]  # fmt: skip
    made = sidebyside.result("drift", ("numpy", "scipy", "datasketches"), rows)
    versions = {name: one["version"] for name, one in told.items() if "version" in one}
    return {**made, "versions": {**made["versions"], **versions}}


def _asked(name: str, folder: Path, rows: int, columns: int) -> Told:
    try:
        return dict(peers.asked(name, "drift", name, folder, rows, columns))
    except peers.AbsentError as error:
        return {"absent": str(error)}


def _row(case: str, ours: float, told: Told | None, name: str, goal: float | None) -> Told:
    """Return a row beside a peer's case, or one that says why it is not there."""
    if told is not None and "absent" in told:
        return sidebyside.row(f"{case}, beside {name}: not to be had here", ours, None, "", UNIT, None)
    return sidebyside.row(case, ours, told["seconds"] if told else None, name if told else "", UNIT, goal)


def _case(told: Told, case: str) -> Told:
    """Return the seconds and answers of one case of a peer, or that it is absent."""
    return told if "absent" in told else dict(told["cases"][case])


def _divergences(reference: Any, current: Any, told: dict[str, Told]) -> Iterator[Told]:
    held = kernels.BinnedReference.of(reference, BINS)

    def judged(table: Any, stored: Any = held) -> Any:
        met = stored.histogram().push(table)
        return stored.psi(met), stored.kl(met), stored.js(met)

    def with_numpy(count: Any) -> Any:
        counts = np.array([count(column, edges) for column, edges in zip(current.T, held.edges, strict=True)])
        base = held.counts[:, :BINS]
        return kernels.psi(base, counts), kernels.kl(base, counts), kernels.js(base, counts)

    def searched(column: Any, edges: Any) -> Any:
        return np.bincount(np.searchsorted(edges, column, side="right"), minlength=BINS)

    def compared(column: Any, edges: Any) -> Any:
        above = [len(column), *(int(np.count_nonzero(column >= edge)) for edge in edges), 0]
        return np.array(above[:-1]) - np.array(above[1:])

    by_row = np.ascontiguousarray(current)
    for count in (searched, compared):
        for table in (current, by_row):
            assert np.array_equal(judged(table), with_numpy(count)), "counts differ from NumPy's"
    name = f"PSI, KL and JS of 1e6 x {COLUMNS}, {BINS} bins"
    whole = sidebyside.cpu_seconds(lambda: judged(current), 9)
    yield sidebyside.row(name, whole, None, "", UNIT, 0.06)
    took = sidebyside.cpu_seconds(lambda: judged(by_row), 9)
    yield sidebyside.row(f"{name}, row by row", took, None, "", UNIT, 0.06)
    for count, peer in ((searched, "numpy searchsorted + bincount"), (compared, "numpy >= + count_nonzero")):
        peer_s = sidebyside.cpu_seconds(lambda count=count: with_numpy(count), 2)
        yield sidebyside.row(name, whole, peer_s, peer, UNIT, 1 / 18)
    read = sidebyside.cpu_seconds(lambda: current.sum(), 9)
    yield sidebyside.row(name, whole, read, "numpy sum: the table read once", UNIT, None)
    few = kernels.BinnedReference(held.edges[:FEW], held.counts[:FEW])
    ours = sidebyside.cpu_seconds(lambda: judged(current[:, :FEW], few), 9)
    name = f"PSI, KL and JS of 1e6 x {FEW}"
    found = _case(told["frouros"], "psi")
    _equal_in_bins(found, "psi", reference[:, :FEW], current[:, :FEW], lambda both, base: _bins(both, 10))
    yield _row(f"{name}; the peer PSI alone", ours, found, "frouros", 1 / 50)
    found = _case(told["nannyml"], "js")
    _equal_in_bins(
        found, "jensen_shannon", reference[:, :FEW], current[:, :FEW], lambda both, base: _bins(base, "doane")
    )
    yield _row(f"{name}; the peer JS alone", ours, found, "nannyml", None)
    base, fewer = reference[:FEWER], current[:FEWER]
    stored = kernels.BinnedReference.of(base, BINS)
    ours = sidebyside.cpu_seconds(lambda: judged(fewer, stored), 9)
    found = _case(told["evidently"], "psi+kl_div+jensenshannon")
    for method in ("psi", "kl_div", "jensenshannon"):
        _equal_in_bins(found, method, base, fewer, lambda both, base: _bins(both, "sturges"))
    yield _row(f"PSI, KL and JS of 1e5 x {COLUMNS}", ours, found, "evidently", 1 / 1500)


def _bins(values: Any, how: Any) -> Any:
    return np.histogram_bin_edges(values, bins=how)


def _equal_in_bins(found: Told, method: str, reference: Any, current: Any, bins: Any) -> None:
    """Hold what a peer answered against the same measure of our counts, over the bins that the peer took."""
    if "absent" in found:
        return
    for base, column, answer in zip(reference.T, current.T, found["answers"][method], strict=True):
        edges = bins(np.concatenate([base, column]), base)
        edges[-1] = np.nextafter(edges[-1], np.inf)  # the last bin of NumPy's histograms is closed
        p, q = (kernels.histogram(values, edges)[0, :-1] / len(values) for values in (base, column))
        # Outside of its bins nannyml has one more; the others have nothing there.
        p, q = (np.append(shares[1:-1], shares[0] + shares[-1]) for shares in (p, q))
        mine = _measured(method, p if p[-1] + q[-1] else p[:-1], q if p[-1] + q[-1] else q[:-1])
        assert np.isclose(mine, answer, rtol=1e-9, atol=1e-12), f"{method}: {mine} is not its {answer}"


def _measured(method: str, p: Any, q: Any) -> float:
    """Return a measure as the peer defines it: which way round, which root and base, and what an empty bin is."""
    if method in ("jensen_shannon", "jensenshannon"):
        middle = (p + q) / 2
        both = sum(float((a[a > 0] * np.log(a[a > 0] / middle[a > 0])).sum()) for a in (p, q)) / 2
        return float(np.sqrt(both / (np.log(2) if method == "jensen_shannon" else 1)))
    evidently = method == "kl_div" or len(p) > BINS
    p, q = (_filled(shares, evidently) for shares in (p, q))
    if method == "kl_div":
        p, q = p / p.sum(), q / q.sum()
        return float((p * np.log(p / q)).sum())
    return float(((q - p) * np.log(q / p)).sum())


def _filled(shares: Any, evidently: bool) -> Any:
    if not evidently:
        return np.where(shares == 0, sys.float_info.min, shares)
    least = shares[shares > 0].min()
    return np.where(shares == 0, least / 10**6 if least <= 1e-4 else 1e-4, shares)


def _distances(reference: Any, current: Any, told: dict[str, Told]) -> Iterator[Told]:
    import scipy.stats

    held = kernels.SortedReference(reference)
    name = f"exact KS and Wasserstein of 1e6 x {COLUMNS}"
    whole = sidebyside.cpu_seconds(lambda: held.distances(current), 3)
    yield sidebyside.row(name, whole, None, "", UNIT, 1.8)
    by_row = np.ascontiguousarray(current)
    took = sidebyside.cpu_seconds(lambda: held.distances(by_row), 3)
    yield sidebyside.row(f"{name}, row by row", took, None, "", UNIT, 1.8)
    held = by_row = None
    few, narrow = kernels.SortedReference(reference[:, :FEW]), current[:, :FEW]
    exact = few.distances(narrow)

    def with_scipy() -> Any:
        pairs = list(zip(reference.T[:FEW], current.T[:FEW], strict=True))
        ks = [scipy.stats.ks_2samp(*pair, method="asymp").statistic for pair in pairs]
        return ks, [scipy.stats.wasserstein_distance(*pair) for pair in pairs]

    answers = with_scipy()
    _equal("KS", exact.ks, answers[0], 1e-12)
    _equal("Wasserstein", exact.wasserstein, answers[1], 1e-12)
    name = f"exact KS and Wasserstein of 1e6 x {FEW}"
    ours = sidebyside.cpu_seconds(lambda: few.distances(narrow), 5)
    peer = sidebyside.cpu_seconds(with_scipy, 1)
    yield sidebyside.row(name, ours, peer, "scipy ks_2samp + wasserstein_distance", UNIT, 1 / 13)
    floor = sidebyside.cpu_seconds(lambda: [np.sort(column) for column in narrow.T], 3)
    yield sidebyside.row(name, ours, floor, "numpy sort of the current rows alone", UNIT, None)
    ks, moved = _case(told["frouros"], "ks"), _case(told["frouros"], "wasserstein")
    if "absent" not in ks:
        _equal("KS", exact.ks, ks["answers"]["ks"], 1e-12)
        _equal("Wasserstein", exact.wasserstein, moved["answers"]["wasserstein"], 1e-12)
        ks = {"seconds": ks["seconds"] + moved["seconds"]}
    yield _row(name, ours, ks, "frouros", None)
    found = _case(told["alibi-detect"], "ks")
    if "absent" not in found:
        _equal("KS", exact.ks, found["answers"]["ks"], 1e-7)  # told as float32
    yield _row(f"{name}; the peer KS alone", ours, found, "alibi-detect", None)
    for case, tolerance in (("ks+wasserstein exact", 1e-12), ("ks+wasserstein", 5e-3)):
        found = _case(told["nannyml"], case)
        goal, said = 1 / 3.4, "nannyml, told to be exact"
        if "absent" not in found:
            _equal("KS", exact.ks, found["answers"]["kolmogorov_smirnov"], tolerance)
            _equal("Wasserstein", exact.wasserstein, found["answers"]["wasserstein"], tolerance)
        if case == "ks+wasserstein":
            said = "nannyml as it comes, in 10,000 bins"
        yield _row(name, ours, found, said, goal)
    if "absent" not in found:
        off = np.abs(exact.ks - found["answers"]["kolmogorov_smirnov"]).max()
        case = "how far KS is off at most, nannyml as it comes"
        yield sidebyside.row(case, 0.0, float(off), "nannyml", "", None)
    yield from _reported(reference[:FEWER], current[:FEWER], told["evidently"])


def _reported(reference: Any, current: Any, told: Told) -> Iterator[Told]:
    """Yield what a report of evidently takes, whose distance is in deviations and whose KS is a p-value."""
    held = kernels.SortedReference(reference)
    exact = held.distances(current)
    ks, moved = _case(told, "ks"), _case(told, "wasserstein")
    if "absent" not in ks:
        scale = np.maximum(reference.std(axis=0), 0.001)
        _equal("Wasserstein", exact.wasserstein / scale, moved["answers"]["wasserstein"], 1e-9)
        mine = [kernels.ks_pvalue(float(one), len(reference), len(current)) for one in exact.ks]
        _equal("p-value of KS", mine, ks["answers"]["ks"], 1e-3)
        ks = {"seconds": ks["seconds"] + moved["seconds"]}
    ours = sidebyside.cpu_seconds(lambda: held.distances(current), 5)
    yield _row(f"exact KS and Wasserstein of 1e5 x {COLUMNS}", ours, ks, "evidently", None)


def _equal(what: str, ours: Any, theirs: Any, tolerance: float) -> None:
    apart = float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())
    assert apart <= tolerance, f"{what}: {apart} apart"


def _sketches(reference: Any, current: Any) -> Iterator[Told]:
    import datasketches

    def ours(table: Any) -> kernels.QuantileSketch:
        return kernels.QuantileSketch(table.shape[1]).push(table)

    def peer(table: Any) -> Any:
        made = [datasketches.kll_doubles_sketch(200) for _ in table.T]
        for sketch, column in zip(made, table.T, strict=True):
            sketch.update(column)
        return made

    few, base = current[:, :FEW], kernels.SortedReference(reference[:, :FEW])
    held, found, theirs = ours(reference), ours(few), peer(few)
    near, error = ours(reference[:, :FEW]), kernels.QuantileSketch.ERROR
    off = np.abs(found.ks(near) - base.distances(few).ks)
    assert off.max() <= 2 * error, "KS of sketches outside of both stated errors"
    ordered = np.sort(few[:, 0])
    points = ordered[np.linspace(0, ROWS - 1, 99).astype(int)]
    ranks = np.array([theirs[0].get_rank(float(point), True) for point in points])
    true = np.searchsorted(ordered, points, side="right") / ROWS
    stated = theirs[0].normalized_rank_error(False)
    assert np.abs(ranks - true).max() < 2 * stated, "the peer lies outside its stated error"
    name = f"of 1e6 x {COLUMNS}"
    yield sidebyside.row(
        f"KS by sketch {name}, stored reference",
        sidebyside.cpu_seconds(lambda: ours(current).ks(held), 5), None, "", UNIT, 0.3,
    )  # fmt: skip
    by_row = np.ascontiguousarray(current)
    took = sidebyside.cpu_seconds(lambda: ours(by_row).ks(held), 3)
    yield sidebyside.row(f"KS by sketch {name}, row by row", took, None, "", UNIT, 0.3)
    ours_s, peer_s = (sidebyside.cpu_seconds(lambda work=work: work(few), 3) for work in (ours, peer))
    label = "datasketches KLL k=200"
    yield sidebyside.row(f"sketch of 1e6 x {FEW}, built", ours_s, peer_s, label, UNIT, 1 / 6)
    yield sidebyside.row("stated error of a rank", error * 100, stated * 100, label, "%", None)
    case = "how far KS of two sketches is off at most"
    yield sidebyside.row(f"{case}, {FEW} columns", float(off.max()), None, "", "", 2 * error)
    size, theirs_b = len(found.to_bytes()) / FEW, len(theirs[0].serialize())
    yield sidebyside.row("a column's sketch as it is sent", size, theirs_b, label, "bytes", None)
    yield sidebyside.row("a column's sketch as it is sent", size, None, "", "bytes", 4096)
