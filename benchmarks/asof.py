"""The as-of join: 1e6 feature rows, 1e5 questions, against a bare polars join_asof; and 1e6 rows that take context.

Equal answers come first, then a trap: a value that was corrected later must not be returned to a question that was
asked before the correction was seen (a join on event time alone returns it).
"""

from __future__ import annotations

from typing import Any

from benchmarks import sidebyside
from flyball import data, features, units

ROWS, MOMENTS, MACHINES = 1_000_000, 100_000, 1000


def run() -> dict[str, Any]:
    """Compare answers, then times, then what a planted correction does."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    machine, at = rng.integers(0, MACHINES, ROWS), rng.integers(0, 10**12, ROWS)
    value = rng.normal(size=ROWS)
    asked_machine, asked = rng.integers(0, MACHINES, MOMENTS), rng.integers(0, 10**12, MOMENTS)
    names = np.array([f"m{number:04d}" for number in range(MACHINES)])
    rows = data.Rows.of(names[machine].tolist(), at, columns={"x": value})
    moments = features.Moments.of(names[asked_machine].tolist(), asked)
    last = features.Last("logs.x")

    left = pl.DataFrame({"machine": asked_machine, "at": asked}).sort("machine", "at")
    right = pl.DataFrame({"machine": machine, "at": at, "x": value}).sort("machine", "at")

    def ours() -> Any:
        return last.compute({"logs": rows}, moments)["logs.x.last"]

    def peer() -> Any:
        by_time = left.sort("at").join_asof(right.sort("at"), on="at", by="machine", check_sortedness=False)
        return by_time.sort("machine", "at")["x"].to_numpy()

    def bare() -> Any:
        return sorted_left.join_asof(sorted_right, on="at", by="machine", check_sortedness=False)

    sorted_left, sorted_right = left.sort("at"), right.sort("at")
    if not np.array_equal(ours(), peer(), equal_nan=True):
        raise AssertionError("the two joins do not give the same values: no time is taken")
    table = [
        sidebyside.row(
            "as-of join, 1e6 rows x 1e5 moments", sidebyside.seconds(ours), sidebyside.seconds(bare),
            "polars join_asof, both sides sorted before", "s", goal=2.0,
        ),
        _correction(rows, moments, value, last),
        _context(),
    ]  # fmt: skip
    return sidebyside.result("asof", ("numpy", "polars"), table)


def _correction(
    rows: data.Rows, moments: features.Moments, value: Any, last: features.Last
) -> dict[str, Any]:
    """Return how many of 1,000 later corrections leak into earlier answers: 0 for ours, all for event time."""
    import numpy as np
    import polars as pl

    keys = [f"m{number:04d}" for number in range(1000)]
    first, late = int(units.days(2)), int(units.days(10))
    told = data.Rows.of(
        keys * 2, [first] * 2000, [first] * 1000 + [late] * 1000, {"x": [2.0] * 1000 + [99.0] * 1000}
    )
    told = data.Rows(told.keys, told.starts, told.at, told.seen, told.columns, unique=("at",))
    asked = features.Moments.of(keys, [int(units.days(5))] * 1000)
    ours = int(np.sum(last.compute({"logs": told}, asked)["logs.x.last"] == 99.0))
    by_event_time = pl.DataFrame({"key": keys, "at": [int(units.days(5))] * 1000}).join_asof(
        pl.DataFrame({"key": keys * 2, "at": [first] * 2000, "x": [2.0] * 1000 + [99.0] * 1000}),
        on="at", by="key", check_sortedness=False,
    )  # fmt: skip
    peer = int((by_event_time["x"] == 99.0).sum())
    found = sidebyside.row(
        "later corrections returned, of 1000", ours, peer, "join on event time alone", "answers", None
    )
    return {**found, "goal": 0.0, "met": ours == 0}


def _context() -> dict[str, Any]:
    """Return the time in which 1e6 rows take the latest of 5e4 lots at most ten minutes before them."""
    import numpy as np
    import polars as pl

    rng, lots = np.random.default_rng(1), ROWS // 20
    machine, at = rng.integers(0, MACHINES, ROWS), rng.permutation(ROWS) * int(units.ms(10))
    whose, began = rng.integers(0, MACHINES, lots), rng.permutation(ROWS)[:lots] * int(units.ms(10))
    product = rng.integers(0, 9, lots).astype(np.float64)
    names, within = np.array([f"m{number:04d}" for number in range(MACHINES)]), units.minutes(10)
    rows = data.Rows.of(names[machine].tolist(), at, unique=("at",))
    source = data.Rows.of(names[whose].tolist(), began, columns={"product": product}, unique=("at",))
    context = data.Context("logs", of="lots", columns=("product",), within=within, orphans=1.0)
    left = pl.DataFrame({"machine": machine, "at": at}).sort("at")
    right = pl.DataFrame({"machine": whose, "at": began, "product": product}).sort("at")

    def ours() -> Any:
        for table in (rows, source):  # each time anew: which rows were corrected is worked out once and kept
            vars(table).pop("until", None)
        return context.join(rows, source).columns["product"]

    def peer() -> Any:
        return left.join_asof(right, on="at", by="machine", tolerance=int(within), check_sortedness=False)

    if not np.array_equal(ours(), peer().sort("machine", "at")["product"].to_numpy(), equal_nan=True):
        raise AssertionError("the two joins do not give the same context: no time is taken")
    return sidebyside.row(
        "context by tolerance, 1e6 rows x 5e4 lots", *sidebyside.versus(ours, peer),
        "polars join_asof on all cores, both sides sorted before; it knows of no corrections", "s", goal=None,
    )  # fmt: skip
