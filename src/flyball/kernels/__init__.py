"""The fast, plain operators that features, drift and joins are made of: in C++, each with a slow twin.

`kernels.native` tells which of the two answers. The twins in `flyball.kernels.reference` are what the C++ is
tested against, and what answers where it could not be built; `FLYBALL_KERNELS=reference` asks for them.
Importing this package loads no NumPy: that happens in the first call.

Every operator takes one concatenated array for a whole fleet, with windows or segments that say where each
machine's rows lie: one call serves four hundred machines.
"""

from flyball.kernels.backend import native
from flyball.kernels.quantiles import MovingMedian, MovingQuantile, moving_median, moving_quantile
from flyball.kernels.seek import asof
from flyball.kernels.sliding import STATISTICS, windows

__all__ = [
    "STATISTICS",
    "MovingMedian",
    "MovingQuantile",
    "asof",
    "moving_median",
    "moving_quantile",
    "native",
    "windows",
]
