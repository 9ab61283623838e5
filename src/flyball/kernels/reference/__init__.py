"""The operators once more, slow and plain: what the C++ is tested against, and what answers without it.

Each file stands for the file of the same name in `flyball.kernels`. Arguments come checked
(`flyball.kernels.checks`). Read these to know what an operator means.
"""

from flyball.kernels.reference.distances import apart, sort_columns
from flyball.kernels.reference.forests import HalfSpace
from flyball.kernels.reference.histogram import count, js, kl, psi
from flyball.kernels.reference.logscan import LogScan
from flyball.kernels.reference.moving_moments import MovingMoments
from flyball.kernels.reference.peak_stream import PeakStream
from flyball.kernels.reference.peaks import find_peaks
from flyball.kernels.reference.quantiles import QuantileStream, moving_quantile
from flyball.kernels.reference.residuals import count_residuals, halve, rejoin, residuals, restore
from flyball.kernels.reference.ring import RingReader, RingWriter
from flyball.kernels.reference.seek import asof, sorted_within
from flyball.kernels.reference.sketch import Sketches
from flyball.kernels.reference.sliding import windows
from flyball.kernels.reference.trees import score_trees

__all__ = [
    "HalfSpace",
    "LogScan",
    "MovingMoments",
    "PeakStream",
    "QuantileStream",
    "RingReader",
    "RingWriter",
    "Sketches",
    "apart",
    "asof",
    "count",
    "count_residuals",
    "find_peaks",
    "halve",
    "js",
    "kl",
    "moving_quantile",
    "psi",
    "rejoin",
    "residuals",
    "restore",
    "score_trees",
    "sort_columns",
    "sorted_within",
    "windows",
]
