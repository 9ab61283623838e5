from numpy import int64
from numpy.typing import NDArray

def asof(
    times: NDArray[int64],
    starts: NDArray[int64],
    moments: NDArray[int64],
    segments: NDArray[int64],
    out: NDArray[int64],
) -> None: ...
def sorted_within(times: NDArray[int64], starts: NDArray[int64]) -> bool: ...
