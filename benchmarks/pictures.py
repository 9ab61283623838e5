"""Frames to measure with: all of them different, of real texture where FLYBALL_DATA has it, noisy as a scan is."""

from __future__ import annotations

import collections
import io
import multiprocessing
import os
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def texture(side: int) -> tuple[Array, str]:
    """Return a grey image (side, side) and what it is: photographs of Set12 beside one another, or drawn lines."""
    folder = os.environ.get("FLYBALL_DATA")
    packed = Path(folder or "") / "denoise/Set12.zip"
    if not folder or not packed.is_file():
        return lines(side), "drawn lines (FLYBALL_DATA is not set)"
    from PIL import Image

    with zipfile.ZipFile(packed) as file:
        names = sorted(name for name in file.namelist() if name.endswith(".png"))
        found = [np.asarray(Image.open(io.BytesIO(file.read(name))).convert("L")) for name in names]
    large = [image for image in found if image.shape == (512, 512)]
    rows = [
        np.concatenate([large[(row * 3 + column) % len(large)] for column in range(-(-side // 512))], axis=1)
        for row in range(-(-side // 512))
    ]
    return np.ascontiguousarray(np.concatenate(rows)[:side, :side]), "photographs"


def lines(side: int) -> Array:
    """Return lines and spaces that run down, with bright edges, as an electron microscope shows them."""
    across = np.arange(side)
    row = 90 + 60 * (across // 16 % 2) + 80 * np.exp(-(((across + 8) % 16 - 8) ** 2) / 12)
    return np.tile(row, (side, 1)).astype(np.uint8)


class Camera:
    """Gives frames without end, each a piece of a texture under a piece of noise, at places drawn anew.

    What is cut out lies on a canvas twice as wide and high, so hardly ever do two frames share both places; that they
    all differ is told by their digests, not assumed.
    """

    def __init__(self, canvas: Array, sigma: float, side: int, seed: int = 0) -> None:
        self.side = side
        self.random = np.random.default_rng(seed)
        # Kept clear of the ends of the scale: adding the noise then needs no clipping.
        room = 4 * sigma
        self.canvas = np.rint(room + canvas * ((255 - 2 * room) / 255)).astype(np.uint8)
        drawn = np.clip(self.random.normal(0, sigma, canvas.shape), -room, room)
        self.noise = np.rint(drawn).astype(np.int8).view(np.uint8)

    def shoot(self) -> Array:
        """Return the next frame (side, side), uint8."""
        y, x, v, u = self.random.integers(0, len(self.canvas) - self.side, 4)
        seen = self.canvas[y : y + self.side, x : x + self.side]
        frame: Array = seen + self.noise[v : v + self.side, u : u + self.side]
        return frame


class Compressing:
    """A camera that sends JPEG, in a process of its own as it is a machine of its own; it works some frames ahead."""

    def __init__(self, sigma: float, side: int, ahead: int = 8) -> None:
        self.pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _aim, (sigma, side))
        self.frames = collections.deque(self.pool.submit(_snap) for _ in range(ahead))
        self.frames[-1].result()

    def shoot(self) -> bytes:
        """Return the next frame as JPEG, quality 90."""
        self.frames.append(self.pool.submit(_snap))
        return self.frames.popleft().result()

    def close(self) -> None:
        """End its process."""
        self.pool.shutdown(cancel_futures=True)


def _aim(sigma: float, side: int) -> None:
    global _camera
    _camera = Camera(texture(2 * side)[0], sigma, side)


def _snap() -> bytes:
    return jpeg(_camera.shoot())


def jpeg(frame: Array, quality: int = 90) -> bytes:
    """Return a frame as a camera sends it that compresses."""
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(frame).save(sink, "JPEG", quality=quality)
    return sink.getvalue()


def png(frame: Array, level: int = 6) -> bytes:
    """Return a frame as PNG; 6 is Pillow's own level."""
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(frame).save(sink, "PNG", compress_level=level)
    return sink.getvalue()


def opened(content: bytes) -> Array:
    """Return a PNG's or JPEG's values by Pillow."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)))
