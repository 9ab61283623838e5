"""Which column is what: the machine, the moment, the split, the truth; each with the reason, none without one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import clocks, folder

if TYPE_CHECKING:
    import polars as pl

Columns = Sequence[Mapping[str, Any]]
#: What sites call the machine, a lot or a wafer, the likelier first.
KEYS = (
    "machine", "machine_id", "machineid", "tool", "tool_id", "equipment", "equipment_id", "asset", "asset_id", "serial",
    "serial_number", "unit", "unit_id", "device", "device_id", "engine", "wafer", "wafer_id", "lot", "lot_id", "file",
)  # fmt: skip
COUNTERS = ("cycle", "step", "cycles", "counter", "pulse", "pulses", "wafer_count", "run")
SPLIT = ("split", "fold", "set", "subset", "partition", "dataset")
#: What people call the truth, the likelier first.
TRUTHS = (
    "label", "target", "failure", "failed", "fail", "is_failure", "class", "y", "outcome", "defect", "anomaly",
    "changepoint", "pass_fail", "passfail", "fraud", "fraud_found", "fraud_found_p", "fault", "broken", "pattern",
    "rul",
)  # fmt: skip
#: Words of what is written down only after something happened.
AFTER = re.compile(
    r"(repair|replac|root_?cause|resolution|resolved|closed|downtime|technician|failure_(date|time)|post_?mortem|rework)",
    re.I,
)
#: A truth has at most so many classes.
CLASSES = 50


def plain(name: str) -> str:
    """Return a name as it is compared: lower case, one underscore between words."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")


def key(frame: pl.DataFrame, columns: Columns, moment: str | None) -> tuple[str | None, str]:
    """Return (the column that says which machine a row is from, why), or (None, why none is thought to be it)."""
    known = {plain(str(told["name"])): told for told in columns}
    for name in KEYS:
        told = known.get(name)
        if (
            told is not None
            and told["kind"] in ("category", "text", "count", "number")
            and told["missing"] < 0.5
        ):
            return str(
                told["name"]
            ), f"it is called {told['name']!r} and has {told['distinct']} different values"
    if moment is None:
        return None, "no column is called like a machine, and without a clock none can be told by its rows"
    rows = frame.height
    for told in columns:
        fits = (
            told["kind"] in ("category", "text") and 2 <= told["distinct"] <= rows / 3 and not told["missing"]
        )
        if fits and told["name"] != moment and not frame.select(told["name"], moment).is_duplicated().any():
            alone = frame[moment].is_duplicated().mean() or 0.0
            if float(alone) > 0.5:  # type: ignore[arg-type]
                why = (
                    f"no two rows of one {told['name']!r} have the same {moment!r}, and most have across them"
                )
                return str(told["name"]), why
    return None, "no column is called like a machine, and none has rows of its own at every moment"


def moment(columns: Columns, found: Mapping[str, clocks.Clock]) -> str | None:
    """Return the clock by which rows are ordered: one that is called like it, else the fullest one."""
    if not found:
        return None
    missing = {str(told["name"]): float(told["missing"]) for told in columns}

    def rank(name: str) -> tuple[bool, bool, float]:
        later = re.search(r"seen|arriv|receiv|load|insert|entered|report|creat|updat", name, re.I)
        return bool(later), not clocks.NAMED.search(name), missing.get(name, 0.0)

    return min(found, key=rank)


def counter(columns: Columns) -> str | None:
    """Return a column that counts steps of a machine, by its name."""
    known = {plain(str(told["name"])): told for told in columns}
    found = next((known[name] for name in COUNTERS if name in known), None)
    return str(found["name"]) if found is not None and found["kind"] == "count" else None


def split(frame: pl.DataFrame, columns: Columns) -> tuple[str | None, str]:
    """Return (the column that parts what is learned from and what is judged, why)."""
    for told in columns:
        if told["kind"] == "category" and told["distinct"] <= 50:
            values = [str(value) for value in frame[str(told["name"])].drop_nulls().unique().sort().to_list()]
            named = [value for value in values if folder.split(value)]
            if len({folder.split(value) for value in named}) >= 2 and len(named) >= 0.8 * len(values):
                return str(told["name"]), f"its values are {', '.join(values[:8])}"
    return None, ""


def truth(frame: pl.DataFrame, columns: Columns, taken: Sequence[str | None]) -> tuple[str | None, str]:
    """Return (the column that holds what is to be known, why), or (None, what is missing).

    A name alone is no reason: it must also have at least two values, and not as many as rows.
    """
    import polars as pl

    refused = []
    for told in truths(columns, taken):
        if told["kind"] == "time" or told["distinct"] < 2:
            refused.append(f"{told['name']!r} has {told['distinct']} value(s)")
            continue
        if told["distinct"] > CLASSES or _broken(frame[str(told["name"])]):
            refused.append(
                f"{told['name']!r} has {told['distinct']} different values: a quantity, or no truth"
            )
            continue
        counts = frame[str(told["name"])].drop_nulls().cast(pl.String).value_counts(sort=True)
        rare = counts.row(-1)
        many = f"{told['distinct']} values, the rarest {rare[0]!r} in {rare[1]} of {frame.height} rows"
        return str(told["name"]), f"it is called {told['name']!r} and has {many}"
    if refused:
        return None, "no truth: " + "; ".join(refused)
    return None, f"no column is called like a truth ({', '.join(TRUTHS[:8])}, ...): say which one it is"


def _broken(column: pl.Series) -> bool:
    """Say whether numbers have fractions: classes are counted, never measured."""
    if not column.dtype.is_float():
        return False
    return bool((column.drop_nulls().drop_nans() % 1 != 0).any())


def truths(columns: Columns, taken: Sequence[str | None] = ()) -> list[Mapping[str, Any]]:
    """Return every column that is called like a truth, the likeliest first."""
    known = {plain(str(told["name"])): told for told in columns if told["name"] not in taken}
    return [known[name] for name in TRUTHS if name in known]


def identifiers(columns: Columns, rows: int) -> list[str]:
    """Return columns that only name or number the rows: all different, and whole numbers or words."""
    found = []
    for told in columns:
        unlike = rows > 1 and told["distinct"] == rows and told["missing"] == 0
        named = re.search(r"(^|_)(id|index|idx|row|no|number|uid|uuid|guid|key)$", plain(str(told["name"])))
        if unlike and (told["kind"] in ("text", "category") or (told["kind"] == "count" and named)):
            found.append(str(told["name"]))
    return found
