"""One column: what it holds, how much of it is missing, whether it says anything, and what looks wrong in it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import quantities

if TYPE_CHECKING:
    import polars as pl

#: Values by which people mean "none"; they count where they stand far from all others.
SENTINELS = (
    -9999.0, -999.0, -99.0, -1.0, 999.0, 9999.0, 99999.0, 32767.0, -32768.0, 65535.0, 2147483647.0, -2147483648.0,
    4294967295.0, 1e20, 9.96921e36,
)  # fmt: skip
#: A category has at most so many different values, or this share of the rows.
CATEGORIES, SHARE = 200, 0.02
#: An example is shown up to so many characters.
SHOWN = 40
MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"\x93NUMPY", b"II*\0", b"MM\0*", b"FLYFRAME")


def profile(column: pl.Series) -> dict[str, Any]:
    """Return what a column is: kind, unit with its reason, missing share, different values, range, and notes.

    `kind` is one of `units.KINDS`, "time" or "nothing" (no value at all).

    >>> import polars as pl
    >>> told = profile(pl.Series("oven_temp_degC", [20.0, 21.5, None]))
    >>> told["kind"], told["unit"], round(told["missing"], 2)
    ('number', '°C', 0.33)
    """
    import polars as pl

    numeric = column.dtype.is_numeric()
    values = column.fill_nan(None) if column.dtype.is_float() else column
    rows, there = len(values), values.drop_nulls()
    told: dict[str, Any] = {
        "name": column.name, "kind": "nothing", "unit": "", "why": "", "distinct": 0,
        "missing": 1 - len(there) / rows if rows else 0.0, "constant": False, "low": None, "high": None,
        "examples": [], "notes": [],
        "sure": "", "sentinel": None, "usual": None, "usual_share": 0.0, "mixed": None, "stuck": None,
    }  # fmt: skip
    if not len(there):
        return told
    # A date of the year -5000 is one to polars and none to Python: times are told as text.
    shown = there.cast(pl.String) if column.dtype.is_temporal() else there
    examples = shown.head(200).unique(maintain_order=True).head(3).to_list()
    told["examples"] = [_shown(value) for value in examples]
    if isinstance(column.dtype, (pl.List, pl.Array, pl.Struct)) or column.dtype == pl.Object:
        return told | {"kind": "nested", "why": f"it holds {column.dtype}: not read"}
    if column.dtype == pl.Binary:
        image = any(bytes(there[0]).startswith(magic) for magic in MAGICS)
        return told | {"kind": "image" if image else "bytes", "examples": [f"{len(there[0])} bytes"]}
    told["distinct"] = there.n_unique()
    told["constant"] = told["distinct"] == 1
    if column.dtype.is_temporal():
        order = there.to_physical()
        low, high = (shown[int(place or 0)] for place in (order.arg_min(), order.arg_max()))
        return told | {"kind": "time", "low": _shown(low), "high": _shown(high)}
    if column.dtype == pl.Boolean:
        return told | {"kind": "bool", "low": int(bool(there.min())), "high": int(bool(there.max()))}
    _usual(there, told)
    if numeric:
        _numbers(column.name, there, told)
    else:
        _texts(there, told)
    return told


def _usual(there: pl.Series, told: dict[str, Any]) -> None:
    """Tell the value that more than half of the cells have, with its share, if there is one."""
    # What more than half of all have, some of a few have; of these the commonest is counted in all.
    few = there.gather_every(max(1, len(there) // 2000))
    value = few.mode().sort()[0]
    share = float((there == value).mean() or 0.0)
    if share > 0.5 and told["distinct"] > 1:
        told |= {"usual": _shown(value), "usual_share": share}


def _numbers(name: str, there: pl.Series, told: dict[str, Any]) -> None:
    import numpy as np

    values = there.cast(float).to_numpy()
    finite = values[np.isfinite(values)]
    if len(finite) < len(values):
        told["notes"].append(f"{len(values) - len(finite)} values are infinite")
    if not len(finite):
        return
    low, high = float(finite.min()), float(finite.max())
    told |= {"low": low, "high": high, "kind": "number"}
    whole = there.dtype.is_integer() or bool((finite == np.round(finite)).all())
    if set(np.unique(finite[:10_000]).tolist()) <= {0.0, 1.0} and low >= 0 and high <= 1 and whole:
        told["kind"] = "bool"
        return
    stands = _sentinel(finite)
    if stands is not None:
        value, count = stands
        told["sentinel"] = value
        told["notes"].append(f"{value:g} stands {count} times, far from all others: does it mean missing?")
        rest = finite[finite != value]
        low, high = float(rest.min()), float(rest.max())
    found = quantities.guess(name, low, high)
    told |= {"unit": found.unit, "why": found.why, "sure": found.sure}
    if whole and low >= 0 and not found.unit:
        told["kind"] = "count"


def _sentinel(values: Any) -> tuple[float, int] | None:
    """Return (value, how often) of a mark for "none": an end of the range, repeated, beyond ten times the spread."""
    import numpy as np

    for value in (float(values.min()), float(values.max())):
        count = int(np.sum(values == value))
        rest = values[values != value]
        if value not in SENTINELS or count < 2 or len(np.unique(rest)) < 10:
            continue
        spread = float(rest.max() - rest.min())
        away = min(abs(value - float(rest.min())), abs(value - float(rest.max())))
        if away > max(spread, 1.0):
            return value, count
    return None


def _texts(there: pl.Series, told: dict[str, Any]) -> None:
    few = told["distinct"] <= max(CATEGORIES, SHARE * len(there))
    long = float(there.head(1000).str.len_chars().mean() or 0.0) > 60  # type: ignore[arg-type]
    told["kind"] = "text" if long or not few else "category"
    if all(re.search(r"\.(png|jpe?g|tiff?|npy)$", str(text).lower()) for text in there.head(20)):
        told |= {"kind": "image", "why": "its cells name files of images"}
    if few and told["kind"] == "category":
        words = [str(text) for text in there.unique().head(CATEGORIES)]
        folded = {word.strip().casefold() for word in words}
        if len(folded) < len(words):
            told["notes"].append("the same word is written in more than one way (case, blanks)")
        missing = sorted(
            word for word in words if word.casefold() in ("na", "n/a", "nan", "null", "none", "-", "?")
        )
        if missing:
            told["notes"].append(f"{', '.join(map(repr, missing))} among the values: does it mean missing?")


def same(frame: pl.DataFrame, names: list[str]) -> dict[str, str]:
    """Return columns that repeat an earlier one value for value: {the later: the earlier}.

    >>> import polars as pl
    >>> same(pl.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [0.0, 2.0]}), ["a", "b", "c"])
    {'b': 'a'}
    """
    first: dict[Any, str] = {}
    out: dict[str, str] = {}
    for name in names:
        column = frame[name]
        key = (str(column.dtype), int(column.hash(seed=7).sum() or 0), column.null_count())
        other = first.setdefault(key, name)
        if other != name and column.equals(frame[other], null_equal=True):
            out[name] = other
    return out


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
