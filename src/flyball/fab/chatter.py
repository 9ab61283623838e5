"""What machines say whatever their state: background, bursts of nuisance, and codes that hardly anybody has seen.

It is most of what they say.  Background comes evenly, at a level per machine; a nuisance comes in bursts, as a Hawkes
process (Hawkes, Biometrika 58, 1971): each event begets others, so it cannot be told by its rate from a fault that
grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.fab import codes, fleet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    _Said = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]

#: Background codes per day, least and most.
LEAST, MOST = 20.0, 200.0
#: Bursts of nuisance per machine and day; each event begets so many more; events per burst; seconds between.
BURSTS, BRANCHING, BURST, APART_S = 0.5, 0.6, 8.0, 20.0
_SECOND = 1.0 / 3600.0


def chatter(fab: fleet.Fab, rng: np.random.Generator) -> tuple[_Said, ...]:
    """Draw the chatter of a fleet: for each of three kinds, arrays of machine, hour and index into `codes.CODES`.

    Unsorted, and as if no machine were ever down; the last event of a burst may lie beyond the last day.

    >>> small = fleet.Fab("tiny", machines=2, days=10)
    >>> [len(said) for said in chatter(small, fleet.stream(small, "doctest"))]
    [3, 3, 3]
    """
    return _background(fab, rng), _nuisance(fab, rng), _rare(fab, rng)


def _background(fab: fleet.Fab, rng: np.random.Generator) -> _Said:
    """Draw what is said whatever the state: a level per machine, Zipf shares (1.2) of the modules that it has."""
    import numpy as np

    size, plan, number = fab.size(), fleet.plan(fab), codes.numbers("background")
    level = np.exp(rng.uniform(np.log(LEAST), np.log(MOST), size.machines))
    source = np.array([codes.CODES[n].module in ("DG", "CO") for n in number])
    shares = np.tile(1.0 / np.arange(1, len(number) + 1) ** 1.2, (size.machines, 1))
    shares[np.ix_(~plan.euv, source)] = 0.0
    shares /= shares.sum(axis=1, keepdims=True)
    counts = rng.poisson(level[:, None] * size.days * shares)
    machine, code = (np.repeat(x.ravel(), counts.ravel()) for x in np.indices(counts.shape))
    return machine, rng.uniform(0.0, 24.0 * size.days, len(machine)), number[code]


def _nuisance(fab: fleet.Fab, rng: np.random.Generator) -> _Said:
    """Draw bursts as clusters of a Hawkes process: events beget events, generation after generation."""
    import numpy as np

    size, number = fab.size(), codes.numbers("nuisance")
    bursts = rng.poisson(BURSTS * size.days, size.machines)
    machine = np.repeat(np.arange(size.machines), bursts)
    at, code = rng.uniform(0.0, 24.0 * size.days, len(machine)), rng.choice(number, len(machine))
    # One that begets 0.6 leaves 2.5 in all: a burst of eight is begun by 3.2.
    begun = 1 + rng.poisson(BURST * (1.0 - BRANCHING) - 1.0, len(machine))
    machine, at, code = (np.repeat(x, begun) for x in (machine, at, code))
    at = at + rng.exponential(APART_S * _SECOND, len(at))
    found = [(machine, at, code)]
    while len(machine):
        children = rng.poisson(BRANCHING, len(machine))
        machine, at, code = (np.repeat(x, children) for x in (machine, at, code))
        at = at + rng.exponential(APART_S * _SECOND, len(at))
        found.append((machine, at, code))
    machine, at, code = (np.concatenate(column) for column in zip(*found, strict=True))
    return machine, at, code


def _rare(fab: fleet.Fab, rng: np.random.Generator) -> _Said:
    """Draw the codes that a whole fleet sees one to four times."""
    import numpy as np

    size, number = fab.size(), codes.numbers("rare")
    code = np.repeat(number, rng.integers(1, 5, len(number)))
    machine = rng.integers(0, size.machines, len(code))
    return machine, rng.uniform(0.0, 24.0 * size.days, len(code)), code
