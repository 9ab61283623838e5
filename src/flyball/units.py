"""Quantities with their unit: durations, counts, sizes, and the physical units that columns declare.

Why: a bare 7 on a page could be days, rows or milliseconds.  Durations are integers of microseconds (the
resolution of every time in Flyball), counts are steps of a counter (cycles, wafers), sizes are bytes; each
prints as the call that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping


class Duration(int):
    """A span of wall-clock time, an integer of microseconds.

    >>> days(7)
    days(7)
    >>> days(1) == hours(24), int(ms(5))
    (True, 5000)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        for name, size in (
            ("days", _DAY),
            ("hours", _HOUR),
            ("minutes", _MINUTE),
            ("seconds", _SECOND),
            ("ms", _MS),
        ):
            if int(self) % size == 0 and int(self) != 0:
                return f"{name}({int(self) // size})"
        return f"us({int(self)})"

    __str__ = __repr__


class Count(int):
    """A span of a counter (cycles, pulses, wafers): so many steps, no time.

    >>> steps(30)
    steps(30)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"steps({int(self)})"

    __str__ = __repr__


class Bytes(int):
    """A size in bytes.

    >>> MiB(75)
    MiB(75)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"MiB({int(self) // 2**20})" if int(self) % 2**20 == 0 else f"octets({int(self)})"

    __str__ = __repr__


_MS, _SECOND, _MINUTE, _HOUR, _DAY = 1_000, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000


def us(n: float) -> Duration:
    """Return n microseconds."""
    return Duration(round(n))


def ms(n: float) -> Duration:
    """Return n milliseconds."""
    return Duration(round(n * _MS))


def seconds(n: float) -> Duration:
    """Return n seconds."""
    return Duration(round(n * _SECOND))


def minutes(n: float) -> Duration:
    """Return n minutes."""
    return Duration(round(n * _MINUTE))


def hours(n: float) -> Duration:
    """Return n hours."""
    return Duration(round(n * _HOUR))


def days(n: float) -> Duration:
    """Return n days of 24 hours."""
    return Duration(round(n * _DAY))


def steps(n: int) -> Count:
    """Return n steps of a counter."""
    return Count(n)


def octets(n: int) -> Bytes:
    """Return n bytes."""
    return Bytes(n)


def MiB(n: float) -> Bytes:
    """Return n mebibytes."""
    return Bytes(round(n * 2**20))


DAY, WEEK, YEAR = days(1), days(7), days(365)

#: The functions by which a page writes a quantity.
MAKERS = ("us", "ms", "seconds", "minutes", "hours", "days", "steps", "octets", "MiB")

#: What a column holds when it is no physical quantity.
KINDS = ("category", "bool", "count", "number", "text", "image")

# unit -> (dimension, factor to the first unit of that dimension, offset); only what sensors of these
# machines send.  The factor is exact by definition of the unit (SI brochure, 9th edition).
_UNITS: Mapping[str, tuple[str, float, float]] = {
    "1": ("ratio", 1.0, 0.0), "%": ("ratio", 0.01, 0.0), "ppm": ("ratio", 1e-6, 0.0),
    "W": ("power", 1.0, 0.0), "kW": ("power", 1e3, 0.0), "MW": ("power", 1e6, 0.0),
    "V": ("voltage", 1.0, 0.0), "kV": ("voltage", 1e3, 0.0), "mV": ("voltage", 1e-3, 0.0),
    "A": ("current", 1.0, 0.0), "mA": ("current", 1e-3, 0.0),
    "J": ("energy", 1.0, 0.0), "mJ": ("energy", 1e-3, 0.0),
    "Pa": ("pressure", 1.0, 0.0), "hPa": ("pressure", 100.0, 0.0), "kPa": ("pressure", 1e3, 0.0),
    "bar": ("pressure", 1e5, 0.0), "mbar": ("pressure", 100.0, 0.0), "psi": ("pressure", 6894.757293168, 0.0),
    "K": ("temperature", 1.0, 0.0), "°C": ("temperature", 1.0, 273.15),
    "°F": ("temperature", 5 / 9, 459.67 * 5 / 9), "°R": ("temperature", 5 / 9, 0.0),
    "m": ("length", 1.0, 0.0), "mm": ("length", 1e-3, 0.0), "µm": ("length", 1e-6, 0.0),
    "um": ("length", 1e-6, 0.0), "nm": ("length", 1e-9, 0.0), "pm": ("length", 1e-12, 0.0),
    "ft": ("length", 0.3048, 0.0),
    "m/s": ("speed", 1.0, 0.0), "mm/s": ("speed", 1e-3, 0.0),
    "s": ("time", 1.0, 0.0), "ms": ("time", 1e-3, 0.0), "µs": ("time", 1e-6, 0.0), "ns": ("time", 1e-9, 0.0),
    "min": ("time", 60.0, 0.0), "h": ("time", 3600.0, 0.0), "d": ("time", 86400.0, 0.0),
    "Hz": ("frequency", 1.0, 0.0), "kHz": ("frequency", 1e3, 0.0), "rpm": ("frequency", 1 / 60, 0.0),
    "l/min": ("flow", 1.0, 0.0), "slm": ("standard flow", 1.0, 0.0),
    "kg": ("mass", 1.0, 0.0), "g": ("mass", 1e-3, 0.0),
    "B": ("size", 1.0, 0.0), "KiB": ("size", 1024.0, 0.0), "MiB": ("size", 2.0**20, 0.0),
    "GiB": ("size", 2.0**30, 0.0), "Gp": ("pulses", 1e9, 0.0), "kwafers": ("wafers", 1e3, 0.0),
    "wph": ("throughput", 1.0, 0.0), "°": ("angle", 1.0, 0.0),
}  # fmt: skip


def is_time(at: int) -> bool:
    """Say whether a moment is a time in microseconds: what is smaller than 12 days after 1970 is a counter's step.

    >>> is_time(1368403200000000), is_time(31)
    (True, False)
    """
    return abs(at) >= 10**12


def is_unit(text: str) -> bool:
    """Say whether a text names a physical unit that Flyball converts.

    >>> is_unit("kW"), is_unit("category")
    (True, False)
    """
    return text in _UNITS


def names() -> tuple[str, ...]:
    """Return every unit and kind that a column may declare."""
    return (*KINDS, *_UNITS)


def same_dimension(a: str, b: str) -> bool:
    """Say whether two units measure the same dimension."""
    return is_unit(a) and is_unit(b) and _UNITS[a][0] == _UNITS[b][0]


def affine(a: str, b: str) -> tuple[float, float]:
    """Return (factor, offset) that turn a value in unit a into one in unit b: b = a * factor + offset.

    Raises ValueError when the two do not measure the same dimension.

    >>> affine("kW", "W")
    (1000.0, 0.0)
    >>> factor, offset = affine("°C", "°F")
    >>> round(100 * factor + offset, 6)
    212.0
    """
    if not same_dimension(a, b):
        raise ValueError(f"cannot turn {a!r} into {b!r}: they do not measure the same thing")
    (_, fa, oa), (_, fb, ob) = _UNITS[a], _UNITS[b]
    return fa / fb, (oa - ob) / fb
