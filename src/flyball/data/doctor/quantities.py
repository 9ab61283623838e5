"""Units guessed, each with the reason: a name says what is measured and often in what; the values may contradict it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flyball import units


@dataclass(frozen=True)
class Guess:
    """A unit that `units` knows and why it is thought to be it; "" and why none is named.

    `sure` says how far to trust it: "likely" (the name says it), "perhaps" (the values fit), "doubtful" (they do not).
    """

    unit: str
    why: str
    sure: str = ""


#: How people write a unit at the end of a name or in brackets, where it differs from how `units` spells it.
SPELLED = {
    "c": "°C", "degc": "°C", "deg_c": "°C", "celsius": "°C", "f": "°F", "degf": "°F", "fahrenheit": "°F", "k": "K",
    "kelvin": "K", "pct": "%", "percent": "%", "perc": "%", "kw": "kW", "w": "W", "watt": "W", "watts": "W", "mw": "MW",
    "v": "V", "volt": "V", "volts": "V", "mv": "mV", "kv": "kV", "a": "A", "amp": "A", "amps": "A", "ma": "mA",
    "j": "J", "mj": "mJ", "pa": "Pa", "hpa": "hPa", "kpa": "kPa", "bar": "bar", "mbar": "mbar", "psi": "psi",
    "m": "m", "mm": "mm", "um": "µm", "micron": "µm", "nm": "nm", "ft": "ft", "hz": "Hz", "khz": "kHz", "rpm": "rpm",
    "s": "s", "sec": "s", "secs": "s", "seconds": "s", "ms": "ms", "msec": "ms", "us": "µs", "ns": "ns", "min": "min",
    "mins": "min", "minutes": "min", "h": "h", "hr": "h", "hrs": "h", "hours": "h", "days": "d", "kg": "kg",
    "slm": "slm", "bytes": "B", "mib": "MiB", "gib": "GiB", "ppm": "ppm", "wph": "wph", "deg": "°", "mm_s": "mm/s",
    "mmps": "mm/s", "m_s": "m/s", "l_min": "l/min", "lpm": "l/min",
}  # fmt: skip
#: A single letter at the end of a name is more often an index or an axis.
LETTERS = frozenset("cfkwvajmsh")
#: Where no unit stands in the name: (word, unit, low, high): values within say that it may be this one.
MEASURED = (
    ("temperature", "°C", -60.0, 200.0), ("temperature", "K", 200.0, 2000.0), ("temp", "°C", -60.0, 200.0),
    ("thermocouple", "°C", -60.0, 200.0), ("humidity", "%", 1.5, 100.0), ("pressure", "Pa", 50_000.0, 150_000.0),
    ("voltage", "V", 0.0, 1000.0), ("volt", "V", 0.0, 1000.0), ("rotate", "rpm", 30.0, 30_000.0),
    ("rotation", "rpm", 30.0, 30_000.0), ("speed_rpm", "rpm", 0.0, 50_000.0), ("angle", "°", -360.0, 360.0),
)  # fmt: skip
#: A last word by which a name says that it counts, not measures.
COUNTING = frozenset({"n", "count", "num", "number", "id", "slope"})
#: "min" is more often the least than a minute: then the rest of the name speaks of time.
TIMELY = frozenset(
    {"time", "duration", "age", "uptime", "runtime", "delay", "interval", "cycle", "wait", "idle"}
)
#: What the attributes of a drive's own monitoring are: ATA SMART, as drives number them.
SMART = {"smart_9_raw": ("h", "hours of power"), "smart_194_raw": ("°C", "the drive's temperature")}

#: No machine has run for so many years.
LONG = 20


def guess(name: str, low: float, high: float) -> Guess:
    """Return the unit that a column of numbers in [low, high] probably has, with the reason.

    >>> guess("chamber_pressure_mbar", 980, 1020)
    Guess(unit='mbar', why="its name ends in 'mbar'", sure='likely')
    >>> guess("humidity_pct", 0.31, 0.87)
    Guess(unit='1', why="its name ends in 'pct', but values of 0.31 to 0.87 are shares of one", sure='perhaps')
    >>> guess("s017", 1.0, 2.0).why
    'nothing in its name says one'
    """
    plain = name.strip().lower()
    if plain in SMART:
        unit, what = SMART[plain]
        return _judged(unit, f"SMART counts {what} there", low, high)
    found, why = _named(name)
    if found:
        return _judged(found, why, low, high)
    pieces = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    if pieces[-1] in COUNTING:
        return Guess("", f"its name ends in {pieces[-1]!r}: a count or a rate, of no unit that is known")
    words = set(pieces)
    hints = [(word, unit, least, most) for word, unit, least, most in MEASURED if word in words]
    for word, unit, least, most in hints:
        if least <= low and high <= most:
            why = f"called {word!r}, and values of {low:.4g} to {high:.4g} would be usual in {unit}"
            return Guess(unit, why, "perhaps")
    if hints:
        return Guess("", f"called {hints[0][0]!r}, but values of {low:.4g} to {high:.4g} fit no usual unit")
    return Guess("", "nothing in its name says one")


def _named(name: str) -> tuple[str, str]:
    """Return (unit, reason) where the name itself holds one."""
    bracket = re.search(r"[\[(]\s*([^\])]+?)\s*[\])]\s*$", name)
    if bracket:
        written = bracket[1]
        unit = written if units.is_unit(written) else SPELLED.get(written.lower().replace("/", "_"), "")
        if unit:
            return unit, f"{written!r} stands in brackets in its name"
    pieces = [piece for piece in re.split(r"[_\s.\-/]+", name.strip()) if piece]
    for many in (2, 1):
        if len(pieces) > many:
            tail = "_".join(pieces[-many:])
            lower = tail.lower()
            unit = tail if units.is_unit(tail) and len(tail) > 1 else SPELLED.get(lower, "")
            # "MW" and "mW" differ a million times: a case that is not the unit's own decides nothing.
            if lower == "min" and not {piece.lower() for piece in pieces[:-1]} & TIMELY:
                continue
            if unit and len(lower) == 1 and (lower not in LETTERS or not _quantity(pieces[:-1], unit)):
                continue
            if unit:
                return unit, f"its name ends in {tail!r}"
    return "", ""


def _quantity(pieces: list[str], unit: str) -> bool:
    """Say whether the rest of a name speaks of what a one-letter unit measures."""
    speaks = {
        "°C": ("temp", "temperature"), "°F": ("temp", "temperature"), "K": ("temp", "temperature"),
        "W": ("power",), "V": ("voltage", "volt"), "A": ("current",), "J": ("energy",),
        "m": ("length", "height", "distance", "position"), "s": ("time", "duration", "age"),
        "h": ("time", "duration", "age", "hours"),
    }  # fmt: skip
    words = {piece.lower() for piece in pieces}
    return bool(words & set(speaks.get(unit, ())))


def _judged(unit: str, why: str, low: float, high: float) -> Guess:
    """Return the unit that a name gives unless the values cannot be in it."""
    if unit == "%" and low >= 0 and high <= 1 and high > 0:
        return Guess("1", f"{why}, but values of {low:.4g} to {high:.4g} are shares of one", "perhaps")
    least = {"K": 0.0, "°C": -273.15, "°F": -459.67}.get(unit)
    if least is not None and low < least:
        return Guess("", f"{why}, but {low:.4g} lies below absolute zero")
    years = high * {"h": 1 / 8766, "d": 1 / 365.25}.get(unit, 0.0)
    if years > LONG:
        return Guess(
            unit, f"{why}, but {high:.4g} would be {years:.0f} years: look at the largest", "doubtful"
        )
    return Guess(unit, why, "likely")
