"""What lies in a ring, between NumPy's words for it and its bytes: dtypes written down, values packed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from flyball import errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["described", "items", "packed", "understood"]


def described(dtype: DTypeLike | None) -> tuple[np.dtype[Any], str]:
    """Return a dtype and its description in NumPy's own notation, which is what lies in the header."""
    import numpy as np

    if dtype is None:
        raise ValueError("dtype: say what an item is, 'f8' for instance")
    try:
        kind = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype: {error}") from None
    if kind.hasobject or kind.kind not in "biufcmMSUV" or kind.itemsize == 0 or kind.subdtype is not None:
        raise ValueError(
            f"dtype: {kind} has no fixed size in memory, give numbers, bytes or a struct of them"
        )
    described = np.lib.format.dtype_to_descr(kind)
    if np.lib.format.descr_to_dtype(described) != kind:
        raise ValueError(f"dtype: {kind} cannot be written down, give a packed struct with plain names")
    return kind, described if isinstance(described, str) else repr(described)


def understood(path: str, described: str, item_bytes: int, channels: int) -> np.dtype[Any]:
    """Return the dtype that a header describes, which another program may have written."""
    import ast

    import numpy as np

    try:
        made = ast.literal_eval(described) if described.startswith("[") else described
        kind: np.dtype[Any] = np.lib.format.descr_to_dtype(made)  # type: ignore[arg-type]
    except (ValueError, TypeError, SyntaxError, KeyError, IndexError, RecursionError, MemoryError):
        raise errors.RingError(f"{path}: its dtype {described[:60]!r} is none that NumPy knows") from None
    if kind.hasobject or kind.itemsize * channels != item_bytes:
        raise errors.RingError(
            f"{path}: its items have {item_bytes} bytes, which are not {channels} x {kind}"
        )
    return kind


def items(end: Any, kind: np.dtype[Any], channels: int) -> NDArray[Any]:
    """Return the ring's memory as items, twice in a row where it is mapped so: every view is a slice of this."""
    flat = end.memory().view(kind)
    return flat if channels == 1 else flat.reshape(-1, channels)  # type: ignore[no-any-return]


def packed(kind: np.dtype[Any], channels: int, what: ArrayLike) -> NDArray[np.uint8]:
    """Return the bytes of one item or of several, contiguous; ValueError where they are not the ring's."""
    import numpy as np

    given = what.to_numpy() if hasattr(what, "to_numpy") else what
    if isinstance(given, (np.ndarray, np.void)):
        if given.dtype != kind:
            raise ValueError(f"push: the ring holds {kind}, not {given.dtype}, convert it first")
        items = np.asarray(given)
    else:
        items = _converted(kind, given)
    one = () if channels == 1 else (channels,)
    if items.shape != one and items.shape[1:] != one:
        fits = (
            "one item or the shape (n,)" if channels == 1 else f"the shape ({channels},) or (n, {channels})"
        )
        raise ValueError(f"push: needs {fits}, not {items.shape}")
    return np.ascontiguousarray(items).reshape(-1).view(np.uint8)


def _converted(kind: np.dtype[Any], given: ArrayLike) -> NDArray[Any]:
    """Return plain Python values as items, where none changes on its way: no 1.5 among whole numbers."""
    import numpy as np

    fits = False
    with contextlib.suppress(TypeError, ValueError, OverflowError), np.errstate(over="ignore"):
        items = np.asarray(given, kind)
        if kind.kind == "V":
            # A lone value would be put into every field.
            fits = isinstance(given, (tuple, list)) and items.ndim == isinstance(given, list)
        else:
            plain = np.asarray(given)
            whole = kind.kind in "iu" and plain.dtype.kind in "iu" and bool((plain == items).all())
            fits = whole or (kind.kind not in "iu" and np.can_cast(plain.dtype, kind, "same_kind"))
    if not fits:
        raise ValueError(f"push: {given!r:.60} cannot be an item of {kind}")
    return items
