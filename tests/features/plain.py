"""What features mean, written as plainly as possible: the oracle of every feature's tests."""

import math
import statistics

from hypothesis import strategies as st

from flyball import data, features
from flyball.units import steps

KEYS = ("a", "b", "c")
CODES = ("A", "B")


@st.composite
def rows(draw, most=14):
    """Rows with late arrivals, corrections, ties, missing values and exact duplicates."""
    items = draw(
        st.lists(
            st.tuples(
                st.sampled_from(KEYS),
                st.integers(0, 12),
                st.integers(0, 5),
                st.sampled_from((math.nan, -1.5, 0.0, 1.0, 2.25, 7.0)),
                st.sampled_from((None, *CODES)),
                st.sampled_from((math.nan, 1.0, 2.0)),
            ),
            max_size=most,
        )
    )
    unique = draw(st.sampled_from(((), ("at",), ("order",), ("at", "code"))))
    late = draw(st.booleans())
    columns = {
        "x": [item[3] for item in items],
        "code": data.Words.of([item[4] for item in items]),
        "order": [item[5] for item in items],
    }
    at = [item[1] for item in items]
    seen = [item[1] + (item[2] if late else 2) for item in items]
    return data.Rows.of([item[0] for item in items], at, seen, columns, unique)


def moments():
    pairs = st.tuples(st.sampled_from((*KEYS, "nobody")), st.integers(-1, 20))
    return st.lists(pairs, max_size=10, unique=True).map(
        lambda chosen: features.Moments.of([key for key, _ in chosen], [at for _, at in chosen])
    )


def spans():
    return st.integers(1, 8).map(steps)


def facts(table, row):
    """The key of the fact that a row is a version of, None when it stands alone."""
    found = []
    for name in table.unique:
        column = table.at if name == "at" else table.columns[name]
        value = column.texts()[row] if isinstance(column, data.Words) else float(column[row])
        if value is None or value != value:
            return None
        found.append(value)
    return tuple(found) or None


def visible(table, key, moment):
    """The rows of a machine, in order, that a moment may use."""
    if key not in table.keys:
        return []
    place = table.keys.index(key)
    own = range(int(table.starts[place]), int(table.starts[place + 1]))
    seen = [row for row in own if table.seen[row] <= moment]
    last = {}
    for row in sorted(seen, key=lambda row: (table.seen[row], row)):
        last[facts(table, row) or ("alone", row)] = row
    return [row for row in sorted(last.values()) if table.at[row] <= moment]


def window(table, key, moment, over):
    return [row for row in visible(table, key, moment) if table.at[row] > moment - over]


def ask(table, asked, feature_of):
    """One value per moment, by a function of (key, moment)."""
    return [feature_of(key, at) for key, at in zip(asked.names(), asked.at.tolist(), strict=True)]


def statistic(name, xs, ts):
    pairs = [(t, x) for t, x in zip(ts, xs, strict=True) if x == x]
    xs = [x for _, x in pairs]
    if name == "count":
        return len(xs)
    if not xs:
        return math.nan
    if name == "slope":
        mean_t, mean_x = statistics.fmean(t for t, _ in pairs), statistics.fmean(xs)
        along = math.fsum((t - mean_t) ** 2 for t, _ in pairs)
        return math.fsum((t - mean_t) * (x - mean_x) for t, x in pairs) / along if along else math.nan
    return {
        "mean": statistics.fmean,
        "std": statistics.pstdev,
        "min": min,
        "max": max,
        "median": statistics.median,
        "sum": math.fsum,
        "first": lambda xs: xs[0],
        "last": lambda xs: xs[-1],
    }[name](xs)
