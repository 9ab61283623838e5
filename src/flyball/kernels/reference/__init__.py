"""The operators once more, slow and plain: what the C++ is tested against, and what answers without it.

Each file stands for the file of the same name in `flyball.kernels`. Arguments come checked
(`flyball.kernels.checks`). Read these to know what an operator means.
"""

from flyball.kernels.reference.quantiles import QuantileStream, moving_quantile
from flyball.kernels.reference.seek import asof, sorted_within
from flyball.kernels.reference.sliding import windows

__all__ = ["QuantileStream", "asof", "moving_quantile", "sorted_within", "windows"]
