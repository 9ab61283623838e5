"""Frames as fast as ten cameras send them: scenes made beforehand in a mapped file, each frame varied and noised anew.

A scene takes tens of milliseconds, a camera wants six.  So some hundred scenes are made once, larger than a frame, and
mapped; a frame is a crop of one, mirrored or not, with its own gain, and with noise of its own cut from a long strip of
it.  No two frames of a stream are equal: where and how they are cut never comes twice.
"""

from __future__ import annotations

import itertools
import pathlib
from typing import TYPE_CHECKING

from flyball import errors
from flyball.fab import fleet, frames, sem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

#: Pixels by which a scene is wider than a frame, so many scenes, and so many values of noise in the strip.
MARGIN, SCENES, STRIP = 32, 64, 1 << 23
#: Electrons a pixel of these frames.
ELECTRONS = 20.0


def scenes(fab: fleet.Fab, file: pathlib.Path, many: int) -> NDArray[np.uint8]:
    """Return scenes without noise, [many, 544, 544], mapped from a file that is made if it is not there.

    They are those of the first frames of the machines in turn.  Raises DataError where the file holds anything else.
    """
    import numpy as np

    side = sem.SIDE + MARGIN
    shape = (many, side, side)
    if not file.exists():
        part = file.with_name(f".{file.name}.part")
        mapped = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        for number in range(many):
            machine = number % fab.size().machines
            clean = frames.scene(fab, machine, number // fab.size().machines).clean
            # The scene goes on beyond its border as its own mirror image.
            mapped[number] = sem.grey(np.pad(clean, ((0, MARGIN), (0, MARGIN)), mode="symmetric"))
        mapped.flush()
        del mapped
        part.replace(file)
    found = np.load(file, mmap_mode="r")
    if found.shape != shape or found.dtype != np.uint8:
        raise errors.DataError(f"{file} holds no scenes of this kind: remove it, it is made anew")
    return np.asarray(found)


def stream(
    fab: fleet.Fab, file: pathlib.Path, *, first: int = 0, many: int | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield frames [512, 512] of 8 bits without an end, from the frame numbered `first` on; each is told by its number.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     some = stream(fleet.Fab("tiny"), pathlib.Path(place) / "scenes.npy", many=2)
    ...     one, two = next(some), next(some)
    >>> one.shape, one.dtype.name, bool((one != two).any())
    ((512, 512), 'uint8', True)
    """
    import numpy as np

    made = scenes(fab, file, many or SCENES)
    rng = fleet.stream(fab, "noise of the rate generator")
    noise = rng.standard_normal(STRIP, dtype="f4")
    # Noise of so many electrons, in grey levels, by the level it is on.
    level = np.arange(256) / 255.0 * sem.WHITE
    sigma = (np.sqrt(ELECTRONS * level + sem.READ**2) / ELECTRONS * 255.0 / sem.WHITE).astype("f4")
    size = sem.SIDE * sem.SIDE
    for number in itertools.count(first):
        yield _varied(made, noise, sigma, number, size)


def _varied(
    made: NDArray[np.uint8], noise: NDArray[np.float32], sigma: NDArray[np.float32], number: int, size: int
) -> NDArray[np.uint8]:
    """Return the frame of a number: the digits of a scrambled number choose scene, crop, mirror, gain and noise."""
    import numpy as np

    # An odd factor scrambles without meeting: every number below 2**40 has its own place.
    drawn = number * 0x9E3779B97F4A7C15 % 2**64
    scene, drawn = drawn % len(made), drawn // len(made)
    down, drawn = drawn % MARGIN, drawn // MARGIN
    right, drawn = drawn % MARGIN, drawn // MARGIN
    mirror, drawn = drawn % 4, drawn // 4
    gain = np.float32(0.9 + 0.2 * (drawn % 256) / 255.0)
    begin = number * 1_000_003 % (len(noise) - size)
    cut = made[scene, down : down + sem.SIDE, right : right + sem.SIDE]
    cut = cut[:: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1]
    out = sigma[cut]
    out *= noise[begin : begin + size].reshape(sem.SIDE, sem.SIDE)
    out += cut
    out *= gain
    np.clip(out, 0.0, 255.0, out=out)
    return out.astype(np.uint8)
