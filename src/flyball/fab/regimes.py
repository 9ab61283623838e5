"""What changes for good: recipes, the design of the droplet generator, and the channels that software adds and removes.

Nothing is broken here, and yet what was learnt before holds no longer.  Recipes and the design are part of the life
itself (`fab.fleet`, `fab.wear`) and stay when mess is switched off; channels that come and go do not.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from flyball.fab import channels, fleet, injected, wear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = dict[str, NDArray[Any]]

#: Channels that each of a site's two upgrades brings and takes.
ADDED, REMOVED = 1, 1


def changes(fab: fleet.Fab) -> list[injected.Table]:
    """Return the truth of recipe changes and of the redesign.

    Magnitudes: the share of production that is another product than before (half the summed differences of the two
    mixes); the new lead time as a share of the old.

    >>> [one["kind"][0].item() for one in changes(fleet.Fab("tiny"))]
    ['recipe change', 'redesign']
    """
    import numpy as np

    plan, end = fleet.plan(fab), 24.0 * fab.size().days
    moved = 0.5 * np.abs(plan.mix[:, 1] - plan.mix[:, 0]).sum(axis=1)
    return [
        injected.table(
            fab, "recipe change", site=np.arange(len(moved)), start=plan.recipe, end=end, magnitude=moved
        ),
        injected.table(
            fab, "redesign", start=plan.redesign, end=end, magnitude=wear.HASTE,
            note="droplet generators that begin to degrade from then on",
        ),
    ]  # fmt: skip


def upgraded(fab: fleet.Fab) -> NDArray[Any]:
    """Return the hours from which files follow each of a site's upgrades, [sites, 2]: the midnight after it.

    >>> bool((upgraded(fleet.Fab("tiny")) % 24.0 == 0.0).all())
    True
    """
    import numpy as np

    return np.asarray(np.ceil(fleet.plan(fab).firmware / 24.0) * 24.0)


@functools.lru_cache(maxsize=4)
def existing(fab: fleet.Fab) -> tuple[tuple[int, str, float, float], ...]:
    """Return the channels that a site has not always: site, name, and from which hour of arrival until which.

    The first upgrade brings a channel, the second takes one.  They are figures that software makes, not what a
    machine measures many times a minute.
    """
    if not fab.mess:
        return ()
    rng, end = fleet.stream(fab, "channels that come and go"), 24.0 * fab.size().days
    slow = [channel.name for channel in channels.CHANNELS if channel.rate in ("wafer", "lot", "hour", "day")]
    found = []
    for site, (first, second) in enumerate(upgraded(fab)):
        chosen = [slow[place] for place in rng.permutation(len(slow))[: ADDED + REMOVED]]
        found += [(site, name, float(first), end) for name in chosen[:ADDED]]
        found += [(site, name, 0.0, float(second)) for name in chosen[ADDED:]]
    return tuple(found)


def come_and_go(fab: fleet.Fab, rows: Rows) -> tuple[Rows, list[injected.Table]]:
    """Return sent rows (`seen` in hours) without the values of channels that their site has not then, and the truth.

    The truth's hours are of arrival, for the files change at once and what was held back comes in the new form.
    """
    import numpy as np

    told, truth, site = dict(rows), [], fleet.plan(fab).site[rows["machine"]]
    for where, name, first, last in existing(fab):
        if name in rows:
            has = (rows["seen"] >= first) & (rows["seen"] < last)
            told[name] = np.where((site != where) | has, told[name], np.nan)
        came, end = first > 0.0, 24.0 * fab.size().days
        truth.append(
            injected.table(
                fab, "added channel" if came else "removed channel", site=where, channel=name,
                start=0.0 if came else last, end=first if came else end, note="not there, by arrival",
            )
        )  # fmt: skip
    return told, truth
