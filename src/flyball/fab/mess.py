"""All that happens to what machines say before somebody reads it, and one table of truth for it.

In this order: sensors tell wrong (`fab.sensors`), rows are lost, late, twice and blank (`fab.network`), channels come
and go with software (`fab.regimes`), clocks are off (`fab.clocks`).  Other names and units of channels are a matter of
the files alone (`fab.upgrades`).  Without mess (`Fab(mess=False)`) rows are what was measured, and arrive in minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.fab import clients, clocks, fleet, injected, lots, network, regimes, sensors, states, upgrades

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = dict[str, NDArray[Any]]

arrival, outages = network.arrival, network.outages


def spoil(fab: fleet.Fab, rows: Rows) -> tuple[Rows, injected.Table]:
    """Return telemetry as it is sent, in the order seen, and the truth of what was injected (`fab.injected`).

    `rows` has `machine` (index), `at` (true hours), sorted by both, and channels; what comes back has `seen` (true
    hours) and `at` as stamped by clocks that are off: `clocks.true` finds the true ones.

    >>> import numpy as np
    >>> one = {"machine": np.zeros(900, int), "at": np.arange(900.0), "jitter": np.full(900, 2.5)}
    >>> sent, truth = spoil(fleet.Fab("tiny", machines=1), one)
    >>> sorted(sent), sorted(truth) == sorted(injected.COLUMNS)
    (['at', 'jitter', 'machine', 'seen'], True)
    """
    import numpy as np

    if not fab.mess:
        seen = network.arrival(fab, rows["machine"], rows["at"], "telemetry")
        order = np.lexsort((rows["machine"], seen))
        sent = {name: column[order] for name, column in (rows | {"seen": seen}).items()}
        return sent, injected.join(regimes.changes(fab))
    told, wrong = sensors.spoil(fab, rows)
    sent, lost = network.send(fab, told)
    sent, gone = regimes.come_and_go(fab, sent)
    sent["at"] = clocks.stamped(fab, sent["machine"], sent["at"], logger=True)
    more = [*clocks.truth(fab), *regimes.changes(fab), *upgrades.truth(fab), *clients.truth(fab)]
    return sent, injected.join([*wrong, *lost, *gone, *more])


def of_lots(fab: fleet.Fab) -> list[injected.Table]:
    """Return the truth of measured lots: logged with a wrong sign or unit, without context, a wafer's slot wrong.

    The note names the lot, and the hours are that of its last exposure.

    >>> told = injected.join(of_lots(fleet.Fab("tiny", seed=1, machines=2)))
    >>> set(told["kind"].tolist()) <= {"lot with wrong sign", "lot in other unit", "lot without context", "wrong slot"}
    True
    """
    import numpy as np

    kinds, found = ("", "lot with wrong sign", "lot in other unit", "lot without context"), []
    for machine in range(fab.size().machines if fab.mess else 0):
        one = lots.measured(fab, machine)
        wrong, full = np.flatnonzero(one.fault), np.flatnonzero(one.misplaced.any(axis=1)) * lots.IN_FULL
        kind = np.concatenate([np.array(kinds)[one.fault[wrong]], np.repeat("wrong slot", len(full))])
        which = np.concatenate([wrong, full])
        at, names = one.at[which], np.array([f"lot {number}" for number in one.lot[which]], dtype=np.str_)
        found.append(
            injected.table(fab, kind, machine=np.full(len(at), machine), start=at, end=at, note=names)
        )
    return found


def reported_states(fab: fleet.Fab) -> Rows:
    """Return states as reported, those that machines derive stamped by their own clocks.

    >>> found = reported_states(fleet.Fab("tiny", machines=1, days=5))
    >>> bool((found["until"] > found["at"]).mean() > 0.99)
    True
    """
    import numpy as np

    rows = states.states(fab)
    own = rows["source"] == "auto"
    stamps = {
        name: np.where(own, clocks.stamped(fab, rows["machine"], rows[name]), rows[name])
        for name in ("at", "until")
    }
    return rows | stamps
