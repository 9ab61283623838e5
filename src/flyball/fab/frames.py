"""Frames of an electron microscope at each machine: scenes, defects one in a thousand, and what is sent of them.

A frame is told by fleet, machine and number alone, and made when it is asked for.  Twenty a day are taken of each
machine's wafers; of those a site keeps one in a fortnight to monitor roughness, and every one that shows a defect.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.fab import defects, dynamics, fleet, roughness, sem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[Any]]
    #: Signal, edges, width, roughness, box.
    _Drawn = tuple[NDArray[np.float64], NDArray[np.float64], float, float, tuple[int, int, int, int]]

#: Frames of a machine in a day, the share that shows a defect, and the days between two that are kept in any case.
PER_DAY, DEFECTIVE, MONITOR_DAYS = 20, 1e-3, 14
#: How many scans are averaged and how often; electrons a pixel that recipes ask for; the share on contact holes.
SCANS, OFTEN, ELECTRONS, HOLES = (1, 2, 4, 32), (0.4, 0.3, 0.25, 0.05), (5.0, 10.0, 20.0, 40.0), 0.3
#: How often work on a machine changes its microscope, and how often a reviewer calls a defect by another name.
CHANGED, MISREAD = 0.3, 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """What one frame of a machine pictures: `clean` [512, 512], as an ideal microscope would see it, and its truth.

    `at` in hours; `pattern` "lines" or "contacts"; `scans` and `electrons` as the recipe asks for; `edges` [edges, 512]
    in nm (of holes: x, y, radius); `width` the mean width of lines or holes in nm, `rough` three sigma of the edges in
    nm (NaN for holes); `defect` "" or one of `defects.KINDS`, `box` its left, top, right and bottom pixel, else zeros.
    """

    fab: fleet.Fab
    machine: int
    number: int
    at: float
    pattern: str
    scans: int
    electrons: float
    clean: NDArray[np.float32]
    edges: NDArray[np.float64]
    width: float
    rough: float
    defect: str
    box: tuple[int, int, int, int]
    optics: sem.Optics

    def picture(self, scans: int | None = None, electrons: float | None = None) -> NDArray[np.uint8]:
        """Return the frame, 8 bits, as the recipe asks for it or with another number of scans or electrons.

        Pictures of one scene with 1 and 32 scans are a pair to learn denoising from.
        """
        scans, electrons = scans or self.scans, electrons or self.electrons
        purpose = f"{scans} scans at {electrons:g} of frame {self.number} of {self.machine}"
        return sem.grey(sem.scanned(self.clean, electrons, scans, fleet.stream(self.fab, purpose)))


def count(fab: fleet.Fab) -> int:
    """Return how many frames each machine takes in the fleet's life."""
    return PER_DAY * fab.size().days


def scene(fab: fleet.Fab, machine: int, number: int, *, defect: str | None = None) -> Scene:
    """Return what one frame of a machine pictures; `defect` puts one in ("" for none) where more are wanted.

    A defect that the pattern cannot show becomes the pattern's own.  Raises DeclarationError for a frame, a machine or
    a defect that there is not.

    >>> one = scene(fleet.Fab("tiny"), 0, 7)
    >>> one.picture(scans=2).shape, one.defect
    ((512, 512), '')
    """
    _check(fab, machine, number, defect)
    told, rng = _outline(fab, machine, number)
    shown = told["defect"] if defect is None else defects.fitting(defect, told["pattern"] == "contacts")
    signal, edges, width, rough, box = (_holes if told["pattern"] == "contacts" else _lines)(rng, shown)
    optics = microscope(fab, machine, told["at"])
    return Scene(
        fab, machine, number, **{**told, "defect": shown}, clean=sem.blurred(signal, optics), edges=edges, width=width,
        rough=rough, box=box, optics=optics,
    )  # fmt: skip


def _outline(fab: fleet.Fab, machine: int, number: int) -> tuple[dict[str, Any], np.random.Generator]:
    """Return what is known of a frame without making it, and the stream that makes it."""
    rng = fleet.stream(fab, f"frame {number} of {machine}")
    at = (number + float(rng.random())) * 24.0 / PER_DAY
    holes = bool(rng.random() < HOLES)
    scans, electrons = (
        SCANS[int(rng.choice(len(SCANS), p=OFTEN))],
        ELECTRONS[int(rng.integers(len(ELECTRONS)))],
    )
    shown = defects.fitting(str(_shown(fab, machine)[number]), holes)
    pattern = "contacts" if holes else "lines"
    return {"at": at, "pattern": pattern, "scans": scans, "electrons": electrons, "defect": shown}, rng


def _check(fab: fleet.Fab, machine: int, number: int, defect: str | None) -> None:
    if not 0 <= machine < fab.size().machines or not 0 <= number < count(fab):
        raise errors.DeclarationError(
            f"fab.scene: no frame {number} of machine {machine}: there are {fab.size().machines} machines with "
            f"{count(fab)} frames each, from 0"
        )
    if defect and defect not in defects.KINDS:
        raise errors.DeclarationError(
            f"fab.scene: no defect {defect!r}, {errors.did_you_mean(defect, defects.KINDS)}"
        )


@functools.lru_cache(maxsize=64)
def _shown(fab: fleet.Fab, machine: int) -> NDArray[np.str_]:
    """Return the defect that each frame of a machine shows, "" for none."""
    import numpy as np

    rng, many = fleet.stream(fab, f"defects in frames of {machine}"), count(fab)
    drawn = np.array(defects.KINDS)[rng.integers(0, len(defects.KINDS), many)]
    return np.where(rng.random(many) < DEFECTIVE, drawn, "")


def microscope(fab: fleet.Fab, machine: int, at: float) -> sem.Optics:
    """Return a machine's microscope at an hour: its own, and changed by some of the work done on the machine."""
    import numpy as np

    upkeep = dynamics.history(fab).journal.read("maintenance")
    worked = upkeep["at"][upkeep["row"] == machine]
    rng = fleet.stream(fab, f"microscope of {machine}")
    blur, gain, contrast = rng.uniform(1.4, 1.9), rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.15)
    changed = rng.random(len(worked)) < CHANGED
    moved = rng.normal(0.0, (0.06, 0.12, 0.12), (len(worked), 3))
    last = np.flatnonzero(changed & (worked <= at))[-1:]
    for visit in last:
        gain *= np.exp(moved[visit, 0])
        return sem.Optics(
            blur * np.exp(moved[visit, 1]), blur * np.exp(moved[visit, 2]), float(gain), contrast
        )
    return sem.Optics(blur, blur, gain, contrast)


def _lines(rng: np.random.Generator, defect: str) -> _Drawn:
    import numpy as np

    edge = roughness.Edge(rng.uniform(0.67, 1.0), rng.uniform(10.0, 25.0), rng.uniform(0.5, 0.7))
    signal, found = sem.lines(sem.Lines(32.0, 16.0 * float(np.exp(rng.normal(0.0, 0.03))), edge), rng)
    rough = 3.0 * float((found - found.mean(axis=1, keepdims=True)).std())
    width = float((found[1::2] - found[::2]).mean())
    signal, box = defects.on_lines(signal, found, defect, rng)
    return signal, found, width, rough, box


def _holes(rng: np.random.Generator, defect: str) -> _Drawn:
    import numpy as np

    signal, holes = sem.contacts(sem.Contacts(40.0, 20.0 * float(np.exp(rng.normal(0.0, 0.03)))), rng)
    signal, box = defects.on_holes(signal, holes, defect, rng)
    return signal, holes, float(2.0 * holes[:, 2].mean()), float("nan"), box


@functools.lru_cache(maxsize=4)
def kept(fab: fleet.Fab) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return machine and number of each frame that sites keep: monitors, and all that show a defect."""
    import numpy as np

    machines, numbers = [], []
    for machine in range(fab.size().machines):
        monitors = np.arange(PER_DAY * (machine % MONITOR_DAYS), count(fab), PER_DAY * MONITOR_DAYS)
        mine = np.union1d(monitors, np.flatnonzero(_shown(fab, machine) != ""))
        machines.append(np.full(len(mine), machine))
        numbers.append(mine)
    return np.concatenate(machines), np.concatenate(numbers)


def review(fab: fleet.Fab) -> Columns:
    """Return a row per kept frame: what was pictured and how, the file, and the reviewer's word days later.

    `image` names the file beside the table; `defect` is "" until it was reviewed, "none" where nothing was found;
    one in twenty is called by another name.  `seen` is when the word was there.
    """
    import numpy as np

    machine, number = kept(fab)
    rng, names = fleet.stream(fab, "review of frames"), fleet.plan(fab).names
    every = [_outline(fab, int(m), int(n))[0] for m, n in zip(machine, number, strict=True)]
    at = np.array([one["at"] for one in every], dtype=np.float64)
    told = np.array([one["defect"] or "none" for one in every], dtype="U16")
    other = np.array(defects.KINDS)[rng.integers(0, len(defects.KINDS), len(told))]
    told = np.where((told != "none") & (rng.random(len(told)) < MISREAD), other, told)
    return {
        "machine": machine,
        "at": at,
        "seen": at + 24.0 * rng.exponential(1.5, len(at)) + 1.0,
        "frame": number,
        "image": np.array([f"{names[m]}-{n:06d}.png" for m, n in zip(machine, number, strict=True)]),
        "pattern": np.array([one["pattern"] for one in every], dtype="U8"),
        "scans": np.array([one["scans"] for one in every], dtype=np.int64),
        "electrons": np.array([one["electrons"] for one in every], dtype=np.float64),
        "pixel_nm": np.full(len(at), sem.PIXEL),
        "defect": told,
    }


def truth(fab: fleet.Fab) -> Columns:
    """Return the truth of each kept frame: the defect and its box in pixels, width and roughness in nm, the blur."""
    import numpy as np

    machine, number = kept(fab)
    every = [scene(fab, int(m), int(n)) for m, n in zip(machine, number, strict=True)]
    box = np.array([one.box for one in every], dtype=np.int64).reshape(len(every), 4)
    return {
        "machine": machine,
        "at": np.array([one.at for one in every], dtype=np.float64),
        "frame": number,
        "defect": np.array([one.defect for one in every], dtype="U16"),
        **{name: box[:, place] for place, name in enumerate(("left", "top", "right", "bottom"))},
        "width_nm": np.array([one.width for one in every], dtype=np.float64),
        "rough_nm": np.array([one.rough for one in every], dtype=np.float64),
        "blur_x_nm": np.array([one.optics.blur_x for one in every], dtype=np.float64),
        "blur_y_nm": np.array([one.optics.blur_y for one in every], dtype=np.float64),
        "gain": np.array([one.optics.gain for one in every], dtype=np.float64),
    }
