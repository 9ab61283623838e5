"""The fast, plain operators that features, drift and joins are made of: in C++, each with a slow twin.

`kernels.native` tells which of the two answers. The twins in `flyball.kernels.reference` are what the C++ is
tested against, and what answers where it could not be built; `FLYBALL_KERNELS=reference` asks for them.
Importing this package loads no NumPy: that happens in the first call.

Every operator takes one concatenated array for a whole fleet, with windows or segments that say where each
machine's rows lie: one call serves four hundred machines.
"""

from flyball.kernels.backend import native
from flyball.kernels.distances import Distances, SortedReference, ks_pvalue
from flyball.kernels.forests import HalfSpaceTrees, IsolationForest
from flyball.kernels.histogram import BinnedReference, Histogram, histogram, js, kl, psi
from flyball.kernels.logcounts import LogCounts
from flyball.kernels.loglayout import KeptLine, LogLayout
from flyball.kernels.logscan import LogScan, scan_log
from flyball.kernels.moving_moments import MOMENTS, MovingMoments, moving_moments
from flyball.kernels.peak_stream import Open, Peaks
from flyball.kernels.peaks import find_peaks
from flyball.kernels.quantiles import MovingMedian, MovingQuantile, moving_median, moving_quantile
from flyball.kernels.residuals import RULES, choose_rule, halve, rejoin, residuals, restore
from flyball.kernels.ring import RingReader, RingWriter, include
from flyball.kernels.seek import asof
from flyball.kernels.sketch import QuantileSketch
from flyball.kernels.sliding import STATISTICS, windows
from flyball.kernels.trees import Trees

__all__ = [
    "MOMENTS",
    "RULES",
    "STATISTICS",
    "BinnedReference",
    "Distances",
    "HalfSpaceTrees",
    "Histogram",
    "IsolationForest",
    "KeptLine",
    "LogCounts",
    "LogLayout",
    "LogScan",
    "MovingMedian",
    "MovingMoments",
    "MovingQuantile",
    "Open",
    "Peaks",
    "QuantileSketch",
    "RingReader",
    "RingWriter",
    "SortedReference",
    "Trees",
    "asof",
    "choose_rule",
    "find_peaks",
    "halve",
    "histogram",
    "include",
    "js",
    "kl",
    "ks_pvalue",
    "moving_median",
    "moving_moments",
    "moving_quantile",
    "native",
    "psi",
    "rejoin",
    "residuals",
    "restore",
    "scan_log",
    "windows",
]
