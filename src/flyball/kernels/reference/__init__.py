"""The operators once more, slow and plain: what the C++ is tested against, and what answers without it.

Each file stands for the file of the same name in `flyball.kernels`. Arguments come checked
(`flyball.kernels.checks`). Read these to know what an operator means.
"""

from flyball.kernels.reference.forests import HalfSpace
from flyball.kernels.reference.seek import asof, sorted_within
from flyball.kernels.reference.sliding import windows
from flyball.kernels.reference.trees import score_trees

__all__ = ["HalfSpace", "asof", "score_trees", "sorted_within", "windows"]
