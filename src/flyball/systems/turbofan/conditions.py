"""The six operating conditions of the simulated engine, and what its health sensors show when it is new.

Conditions are the points that the simulation was flown at (altitude, Mach number, throttle), read off the settings
themselves: a k-means on the training engines' settings finds the same six.  Levels and spreads are of the first 30
cycles of the training engines, rounded; only the check for spliced records uses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints

#: Altitude (1000 feet), Mach number, throttle resolver angle (degrees), and what makes them comparable.
CENTRES = ((0, 0, 100), (10, 0.25, 100), (20, 0.7, 100), (25, 0.62, 60), (35, 0.84, 100), (42, 0.84, 100))
SCALE = (10.0, 0.2, 40.0)

#: Sensors that rise in both ways of failing, in the order of the tables below.
DAMAGE = ("s2", "s3", "s4", "s11", "s17")
LEVELS = (
    (642.305, 1585.856, 1401.232, 47.309, 391.99),
    (604.54, 1497.694, 1303.919, 45.26, 368.557),
    (607.216, 1481.302, 1246.582, 44.239, 364.252),
    (536.649, 1259.077, 1044.736, 36.617, 306.422),
    (555.47, 1362.83, 1125.315, 41.781, 333.215),
    (549.385, 1350.331, 1121.361, 41.934, 329.958),
)
SPREADS = (
    (0.3869, 4.9593, 6.3554, 0.1856, 1.2364),
    (0.3777, 4.7605, 6.2779, 0.1844, 1.1929),
    (0.3876, 4.9341, 6.1939, 0.1853, 1.1944),
    (0.3297, 4.6437, 5.3713, 0.1611, 1.1149),
    (0.3616, 4.7986, 5.6955, 0.1725, 1.1629),
    (0.3627, 4.8221, 5.9309, 0.1835, 1.1957),
)


def of(settings: Array) -> Ints:
    """Return (...,) the nearest condition of settings (..., 3); a row with a missing setting is in the first.

    >>> import numpy as np
    >>> of(np.array([[0.0012, 0.0003, 100.0], [25.0041, 0.6204, 60.0]])).tolist()
    [0, 3]
    """
    import numpy as np

    apart = (np.asarray(settings)[..., None, :] - np.array(CENTRES, dtype=float)) / np.array(SCALE)
    return np.asarray(np.argmin((apart**2).sum(axis=-1), axis=-1))


def damage(condition: Ints, sensors: Floats) -> Floats:
    """Return (n,) how far the sensors of DAMAGE (n, 5) stand above those of a new engine, in spreads, averaged."""
    import numpy as np

    told = (sensors - np.array(LEVELS)[condition]) / np.array(SPREADS)[condition]
    return np.asarray(told.mean(axis=1))
