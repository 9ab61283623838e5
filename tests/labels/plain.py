"""What labels mean, written plainly: the oracle of their tests."""

import math

from hypothesis import strategies as st
from tests.features import plain

from flyball import data, features


@st.composite
def logs(draw):
    """Rows of three machines with failures, planned stops and classes, some seen late, some corrected."""
    items = draw(
        st.lists(
            st.tuples(
                st.sampled_from(plain.KEYS),
                st.integers(0, 12),
                st.integers(0, 4),
                st.sampled_from((0.0, 0.0, 0.0, 1.0, math.nan)),
                st.sampled_from((0.0, 0.0, 0.0, 1.0)),
                st.sampled_from((None, "A", "B", "C")),
            ),
            max_size=16,
        )
    )
    at = [item[1] for item in items]
    return data.Rows.of(
        [item[0] for item in items],
        at,
        [item[1] + item[2] for item in items],
        {
            "failed": [item[3] for item in items],
            "planned": [item[4] for item in items],
            "label": data.Words.of([item[5] for item in items]),
        },
        draw(st.sampled_from(((), ("at",)))),
    )


def moments():
    pairs = st.tuples(st.sampled_from((*plain.KEYS, "nobody")), st.integers(0, 16))
    return st.lists(pairs, max_size=10, unique=True).map(
        lambda chosen: features.Moments.of([key for key, _ in chosen], [at for _, at in chosen])
    )


def known(table, key, as_of):
    """The rows of a machine as known at the cut, whenever they happened."""
    wide = 10**6 if as_of is None else as_of
    if key not in table.keys:
        return []
    place = table.keys.index(key)
    last = {}
    own = range(int(table.starts[place]), int(table.starts[place + 1]))
    for row in sorted(
        (row for row in own if table.seen[row] <= wide), key=lambda row: (table.seen[row], row)
    ):
        last[plain.facts(table, row) or ("alone", row)] = row
    return sorted(last.values())
