"""Arrays as they travel inside a packed predictor: plain .npy files, never pickled."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from flyball import errors

if TYPE_CHECKING:
    from flyball.data.stage import Array


def dump(array: Any) -> bytes:
    """Return an array as the bytes of a .npy file, the same for equal arrays.

    >>> load(dump([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    import numpy as np

    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return out.getvalue()


def load(content: bytes) -> Array:
    """Return the array of a .npy file; raises DataError for anything else, objects included."""
    import numpy as np

    try:
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise errors.DataError(f"no .npy file: {error}") from None
