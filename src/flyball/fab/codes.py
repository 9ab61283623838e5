"""The vocabulary of the machines' events: 72 codes of our own invention, and how a software upgrade renames some.

A code is `SS-hhhh`: two letters of the module that says it and four hex digits; no two mean the same.  Each has a
severity (I informs, W warns, E is an error, F a failure) and a text with one number in it.  Codes, texts and modules
are invented; none is any vendor's.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from flyball import errors
from flyball.fab import wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Modules: source, droplets, laser, collector, vacuum, wafer stage, reticle stage, optics, alignment, levelling,
#: wafer handler, cooling water, software, host interface.
MODULES = ("SR", "DG", "LA", "CO", "VA", "WS", "RS", "PO", "AL", "LV", "WH", "CW", "SW", "IF")
#: Levels in the machine's own log, by severity.
LEVELS = {"I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL"}


@dataclasses.dataclass(frozen=True)
class Code:
    """One code: name, severity, what it is for, its text with one number, that number's usual size, and its part.

    Roles: `precursor`, `failure` and `recovery` of a `part`; `background` and `nuisance` chatter; `dependent` (follows
    any failure); `visit` (maintenance); `rare`; `interlock`.
    """

    name: str
    severity: str
    role: str
    text: str
    usual: float
    part: str = ""

    @property
    def module(self) -> str:
        """Return the two letters of the module that says it."""
        return self.name[:2]

    @property
    def spread(self) -> float:
        """Return by how much its number varies, as a share: readings little, counts and serial numbers more."""
        return 0.25 if "{:.0f}" in self.text else 0.03


def _part(part: str, *rows: tuple[str, str, float]) -> tuple[Code, ...]:
    """Spell out a part's codes: its precursors, then the failure and the recovery."""
    warns = [Code(name, "W", "precursor", text, usual, part) for name, text, usual in rows[:-2]]
    (fails, stops, lost), (recovers, again, lasted) = rows[-2:]
    return (
        *warns,
        Code(fails, "F", "failure", stops, lost, part),
        Code(recovers, "I", "recovery", again, lasted, part),
    )


def _plain(severity: str, role: str, *rows: tuple[str, str, float]) -> tuple[Code, ...]:
    return tuple(Code(name, severity, role, text, usual) for name, text, usual in rows)


CODES = (
    *_part(
        "DGEN",
        ("DG-2A01", "droplet timing outside {:.0f} ns", 90.0),
        ("DG-2A14", "droplets missed, {:.0f} ppm", 400.0),
        ("DG-31C0", "generator pressure corrected to {:.1f} bar", 281.0),
        ("DG-7F02", "droplet stream lost after {:.1f} Gp", 120.0),
        ("DG-0C10", "droplet stream stable, {:.2f} um", 2.5),
    ),
    *_part(
        "LASR",
        ("LA-2203", "amplifier mirror at {:.1f} C", 26.5),
        ("LA-24B1", "gain compensated by {:.1f} %", 4.0),
        ("LA-3390", "beam pointing recentred by {:.0f} urad", 12.0),
        ("LA-7E11", "laser power lost at {:.1f} kW", 18.0),
        ("LA-0B01", "laser ready at {:.1f} kW", 22.0),
    ),
    *_part(
        "VACP",
        ("VA-2107", "pump vibration {:.2f} mm/s", 1.4),
        ("VA-2519", "pump current {:.2f} A above mean", 0.3),
        ("VA-3A20", "pump body at {:.1f} C", 44.0),
        ("VA-7D04", "pump stopped at {:.1f} Hz", 410.0),
        ("VA-0D02", "pump at speed, {:.1f} Hz", 820.0),
    ),
    *_part(
        "LEAK",
        ("VA-26E3", "chamber pressure {:.2f} Pa over set point", 1.2),
        ("VA-28F0", "water line of the gas analyser at {:.1f}", 6.0),
        ("VA-3C55", "pump down took {:.0f} s", 340.0),
        ("VA-7A90", "chamber vented itself at {:.1f} Pa", 60.0),
        ("VA-0E31", "chamber holds {:.2f} Pa", 4.0),
    ),
    *_part(
        "WSTG",
        ("WS-2011", "settling took {:.1f} ms", 14.0),
        ("WS-2C40", "motor current {:.2f} A over limit", 0.8),
        ("WS-3108", "encoder signal down to {:.1f} %", 78.0),
        ("WS-7B00", "wafer stage lost position by {:.1f} um", 9.0),
        ("WS-0A05", "wafer stage homed within {:.2f} nm", 0.4),
    ),
    *_part(
        "RSTG",
        ("RS-2042", "scan error {:.2f} nm", 3.2),
        ("RS-2D17", "clamp voltage low by {:.0f} V", 22.0),
        ("RS-38A6", "reticle reseated, shift {:.2f} um", 0.3),
        ("RS-7C20", "reticle stage stopped at {:.1f} mm", 40.0),
        ("RS-0A21", "reticle stage homed within {:.2f} nm", 0.5),
    ),
    *_part(
        "COOL",
        ("CW-2305", "flow down to {:.1f} l/min", 38.0),
        ("CW-2718", "filter drop {:.2f} bar", 1.6),
        ("CW-3F01", "water unsteady by {:.1f} mK", 7.0),
        ("CW-7800", "water flow lost at {:.1f} l/min", 20.0),
        ("CW-0F11", "water steady at {:.3f} C", 22.0),
    ),
    *_part(
        "HNDL",
        ("WH-2C03", "pick repeated {:.0f} times", 2.0),
        ("WH-2E70", "exchange took {:.1f} s", 17.0),
        ("WH-3312", "gripper vacuum {:.1f} kPa", -66.0),
        ("WH-7700", "wafer not handed over after {:.0f} s", 30.0),
        ("WH-0C44", "handler ready in {:.1f} s", 14.0),
    ),
    *_part(
        "SOFT",
        ("SW-7001", "control process ended, signal {:.0f}", 11.0),
        ("SW-0101", "control process running after {:.0f} s", 240.0),
    ),
    *_plain(
        "I", "background",
        ("AL-4010", "mark quality {:.1f} %", 92.0),
        ("LV-4023", "levelling map residual {:.2f} nm", 3.0),
        ("WH-4031", "carrier docked at port {:.0f}", 2.0),
        ("PO-4102", "lens set to state {:.0f}", 7.0),
        ("IF-4205", "job accepted, {:.0f} wafers", 25.0),
        ("SR-4300", "dose controller gain {:.3f}", 0.98),
        ("WS-4411", "chuck clamp cycle {:.1f} ms", 60.0),
        ("RS-4452", "reticle loaded in {:.1f} s", 9.0),
        ("VA-4501", "gas flow trimmed to {:.1f} slm", 180.0),
        ("LA-4608", "seed laser trimmed by {:.2f} %", 0.2),
        ("DG-4700", "tin refilled, {:.2f} kg", 0.8),
        ("CO-4809", "collector cleaning step {:.1f} s", 90.0),
    ),
    *_plain(
        "W", "nuisance",
        ("AL-5107", "mark found outside window by {:.1f} um", 1.4),
        ("LV-5220", "height out of range at {:.0f} um", 6.0),
        ("IF-5303", "host did not answer for {:.0f} ms", 900.0),
        ("WH-5412", "door sensor chattered {:.0f} times", 4.0),
        ("PO-5508", "lens sensor noise {:.2f} nm", 0.6),
        ("WS-5619", "hose guide touched at {:.0f} mm", 210.0),
    ),
    *_plain(
        "E", "dependent",
        ("SR-6001", "source in standby after {:.1f} s", 1.0),
        ("WS-6002", "wafer stage parked at {:.1f} mm", 150.0),
        ("WH-6003", "transport halted with {:.0f} wafers inside", 3.0),
        ("IF-6004", "lot aborted at wafer {:.0f}", 12.0),
    ),
    *_plain(
        "I", "visit",
        ("IF-0900", "maintenance mode entered by operator {:.0f}", 4.0),
        ("IF-0901", "host offline, session {:.0f}", 300.0),
        ("IF-0902", "host online, session {:.0f}", 300.0),
        ("IF-0903", "maintenance mode left by operator {:.0f}", 4.0),
    ),
    *_plain(
        "W", "rare",
        ("PO-5A51", "sensor plate recalibrated, {:.2f} nm", 1.1),
        ("SW-5B02", "clock of node {:.0f} stepped", 3.0),
        ("CW-5C77", "water conductivity {:.2f} uS/cm", 0.9),
    ),
    Code("SR-6A10", "E", "interlock", "dose outside limits by {:.2f} %", 2.6),
)  # fmt: skip

#: What the second dictionary calls differently: one in five has a new name, and two of the old ones became two each.
RENAMED = {
    "DG-2A14": ("DG-2A1A", "DG-2A1B"),
    "AL-4010": ("AL-401A", "AL-401B"),
    "DG-7F02": ("DG-7F80",),
    "LA-24B1": ("LA-24B8",),
    "VA-2107": ("VA-2187",),
    "VA-3C55": ("VA-3CD5",),
    "VA-0D02": ("VA-0D82",),
    "WS-2C40": ("WS-2CC0",),
    "WS-7B00": ("WS-7B80",),
    "RS-2042": ("RS-20C2",),
    "CW-2718": ("CW-2798",),
    "WH-2E70": ("WH-2EF0",),
    "SW-0101": ("SW-0181",),
    "IF-4205": ("IF-4285",),
    "PO-5508": ("PO-5588",),
    "IF-6004": ("IF-6084",),
}


def of(role: str, part: str | None = None) -> tuple[str, ...]:
    """Return the names of the codes of a role, of one part where it is given.

    >>> of("precursor", "DGEN")
    ('DG-2A01', 'DG-2A14', 'DG-31C0')
    """
    return tuple(code.name for code in CODES if code.role == role and part in (None, code.part))


def numbers(role: str) -> NDArray[np.int64]:
    """Return where a role's codes stand in CODES, [n]; failures and recoveries are in the order of the parts.

    >>> numbers("rare").tolist()
    [68, 69, 70]
    """
    import numpy as np

    return np.array([number for number, code in enumerate(CODES) if code.role == role])


#: Each component's warnings (software gives none), failure and recovery, in the order of `wear.NAMES`.
WARNINGS = tuple(of("precursor", name) for name in wear.NAMES)
FAILURES = tuple(of("failure", name)[0] for name in wear.NAMES)
RECOVERIES = tuple(of("recovery", name)[0] for name in wear.NAMES)


@functools.cache
def book() -> tuple[Code, ...]:
    """Return every code of both dictionaries: `CODES`, then the new names of the second one with the old meaning.

    >>> len(CODES), len(book())
    (72, 90)
    """
    old = {code.name: code for code in CODES}
    new = [dataclasses.replace(old[name], name=now) for name, names in RENAMED.items() for now in names]
    return (*CODES, *new)


def dictionary(version: int) -> dict[str, Code]:
    """Return one version's codes by name, as a site would look them up; a name means the same in both.

    >>> sorted(set(dictionary(1)) - set(dictionary(2)))[:2], len(dictionary(2))
    (['AL-4010', 'CW-2718'], 74)
    """
    if version == 1:
        return {code.name: code for code in CODES}
    return {code.name: code for code in book() if code.name not in RENAMED}


def translate(name: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the first dictionary's name of each code, whichever dictionary it was said in.

    >>> import numpy as np
    >>> translate(np.array(["DG-2A1B", "DG-2A01"])).tolist()
    ['DG-2A14', 'DG-2A01']
    """
    import numpy as np

    first = {now: old for old, names in RENAMED.items() for now in names}
    known, place = np.unique(np.asarray(name, dtype=np.str_), return_inverse=True)
    return np.array([first.get(str(one), str(one)) for one in known], dtype=np.str_)[place]


def text(name: str, value: float) -> str:
    """Return what a machine writes beside a code whose number is `value`; raises what `template` raises.

    >>> text("VA-2107", 1.31)
    'pump vibration 1.31 mm/s'
    """
    return template(name).format(value)


def template(name: str) -> str:
    """Return a code's text with a hole for its number; a new name has the old one's text.

    Raises DataError for a code that neither dictionary has.

    >>> template("VA-2187")
    'pump vibration {:.2f} mm/s'
    """
    known = _texts()
    if name not in known:
        raise errors.DataError(
            f"fab.codes: no code {name!r} in either dictionary, {errors.did_you_mean(name, known)}"
        )
    return known[name]


@functools.cache
def _texts() -> dict[str, str]:
    return {code.name: code.text for code in book()}
