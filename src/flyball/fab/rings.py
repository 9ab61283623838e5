"""Fast samples and frames of a fleet into rings in shared memory, as the program at a sensor would write them.

A ring per machine holds one item per second of the fleet's life, and the moment in each: `time` and the channels.
Frames go into one ring, or as files into a folder.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

from flyball import durable, errors
from flyball.fab import fleet, windows
from flyball.kernels import ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    #: (fleet, machine index, first second, seconds) -> {channel: (seconds,)}.
    Window = Callable[[fleet.Fab, int, int, int], dict[str, NDArray[Any]]]

#: Items that a machine's ring holds, and the most seconds made at once.
CAPACITY, AT_ONCE = 1 << 14, 1 << 12
#: Frames that a ring holds, and the most frames a minute.
FRAMES, MOST = 256, 10_000


class Samples:
    """Samples at 1 Hz of every machine, each into a ring named PREFIX-MACHINE that drops the oldest.

    An item is a structure of `time` (microseconds) and a float32 per channel. What a slow reader loses, it is told
    exactly (see `kernels.RingReader`). The rings stay for readers until `remove`.
    """

    def __init__(
        self, fab: fleet.Fab, prefix: str, window: Window | None = None, *, begin_h: float = 0.0
    ) -> None:
        """Make the rings; `window` gives the samples of some seconds (by default those of `windows.seconds`)."""
        self.fab, self.window = fab, window or windows.seconds
        window = self.window
        self.names = [f"{prefix}-{name}" for name in fleet.plan(fab).names]
        self._second, self._end = round(begin_h * 3600.0), fab.size().days * 86_400
        self.channels = list(window(fab, 0, min(self._second, self._end - 1), 1))
        kind = [("time", "i8"), *((name, "f4") for name in self.channels)]
        self._writers: list[ring.RingWriter] = []
        try:
            for name in self.names:
                self._writers.append(
                    ring.RingWriter(name, kind, CAPACITY, overrun="drop_oldest", span=AT_ONCE)
                )
        except BaseException:
            self._shut()
            raise
        self.written = 0

    def due(self, until_us: int, elapsed_s: float) -> bool:
        """Write the seconds that are over."""
        until = min((until_us - fleet.START_US) // 1_000_000, self._end)
        while self._second < until:
            many = int(min(until - self._second, AT_ONCE))
            for machine, writer in enumerate(self._writers):
                items = writer.reserve(many)
                items["time"] = fleet.START_US + 1_000_000 * (self._second + _counted(many))
                for name, values in self.window(self.fab, machine, self._second, many).items():
                    items[name] = values
                writer.commit(many)
                self.written += many
            self._second += many
        return self._second < self._end

    def close(self) -> dict[str, int]:
        """Close the rings and tell how many samples were written."""
        self._shut()
        return {"samples": self.written, "rings": len(self.names)}

    def _shut(self) -> None:
        for writer in self._writers:
            writer.close()

    def remove(self) -> None:
        """Remove the rings; readers that have them open go on."""
        for name in self.names:
            ring.unlink(name)


def _counted(many: int) -> NDArray[np.int64]:
    import numpy as np

    return np.arange(many)


class Frames:
    """So many frames a minute, into a ring (one frame an item) or as .npy files into a folder.

    `frames` gives frames without an end, uint8 of one shape. What making or writing them took too long for is told
    in the end as `frames_short`.
    """

    def __init__(
        self, frames: Iterator[NDArray[Any]], rate: int, *, name: str = "", folder: pathlib.Path | None = None
    ) -> None:
        """Make the ring or the folder; DeclarationError for a rate outside 1 to 10,000 a minute."""
        if not 1 <= rate <= MOST:
            raise errors.DeclarationError(f"--rate {rate}: give 1 to {MOST} frames a minute")
        if bool(name) == (folder is not None):
            raise errors.DeclarationError("frames: give either a ring or a folder for them")
        self.rate, self._frames, self._folder, self._writer = rate, frames, folder, None
        self.written = self._wanted = 0
        self._first = next(frames)
        self.shape = self._first.shape
        if folder is not None:
            with durable.guard(f"write into {folder}"):
                durable.folder(folder)
        else:
            self._writer = ring.RingWriter(
                name, "u1", FRAMES, channels=self._first.size, overrun="drop_oldest"
            )

    def due(self, until_us: int, elapsed_s: float) -> bool:
        """Write the frames whose time has come, at most a second's worth at once."""
        self._wanted = int(elapsed_s * self.rate / 60.0)
        for _ in range(min(self._wanted - self.written, max(self.rate // 60, 1))):
            frame = self._first if self.written == 0 else next(self._frames)
            if self._writer is not None:
                self._writer.push(frame.reshape(1, -1))
            else:
                self._write(frame)
            self.written += 1
        return True

    def _write(self, frame: NDArray[Any]) -> None:
        """Write a frame under its name once it is whole: a stream is watched while it is written."""
        import numpy as np

        assert self._folder is not None
        path = self._folder / f"{self.written:08d}.npy"
        part = path.with_name(f".{path.name}.part")
        with durable.guard(f"write {path}"), part.open("wb") as file:
            np.save(file, frame)
        part.replace(path)

    def close(self) -> dict[str, int]:
        """Close the ring and tell how many frames were written."""
        if self._writer is not None:
            self._writer.close()
        return {"frames": self.written, "frames_short": self._wanted - self.written}
