"""Where releases lie on a machine: two slots that take turns, one for what shadows, and the baseline beside them.

A slot is filled whole under another name, forced to the disk and renamed, so that it holds one release or none.
Each keeps the order it was filled by, so that a machine that lost its notes can find its way by its slots alone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from flyball import durable, errors, seals
from flyball.serving import release
from flyball.serving.trust import order as orders
from flyball.serving.trust.order import Order

#: The two slots that serve in turn, and the one whose answers nobody acts on.
TURNS, SHADOW, BASELINE = ("a", "b"), "shadow", "baseline"
#: What must stay free on the disk after an installation, in bytes, so that results and notes have room.
SPARE = 2**24


class Slots:
    """The slots of one page below a folder."""

    def __init__(self, folder: Path) -> None:
        durable.folder(folder)
        self.folder = folder
        for left in folder.glob(".*"):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()

    def release(self, slot: str) -> Path:
        """Return where the release of a slot lies."""
        return self.folder / slot / "release"

    def order(self, slot: str) -> Order | None:
        """Return the order that a slot was filled by, or None for a slot that holds nothing whole."""
        try:
            return orders.read(seals.unsealed((self.folder / slot / "order.json").read_bytes()))
        except (OSError, ValueError, errors.TrustError):
            return None

    def other(self, slot: str) -> str:
        """Return the slot whose turn it is when `slot` serves."""
        return TURNS[1] if slot == TURNS[0] else TURNS[0]

    def holds(self, slot: str, digest: str) -> bool:
        """Return whether a slot holds a release, every byte of it checked."""
        order = self.order(slot)
        if order is None or order.release != digest:
            return False
        try:
            release.admit(self.release(slot), digest)
        except errors.TrustError:
            return False
        return True

    def check(self, slot: str) -> Order:
        """Return the order of a slot whose release is whole; raises TrustError for one that is not."""
        order = self.order(slot)
        if order is None:
            raise errors.TamperedError(f"{self.folder / slot}: no release is whole there")
        release.admit(self.release(slot), order.release)
        return order

    def room(self, size: int) -> None:
        """Raise StoreError when a release of so many bytes, packed and unpacked, would fill the disk."""
        told = os.statvfs(self.folder)
        free = told.f_bavail * told.f_frsize
        if free < 2 * size + SPARE:
            raise errors.StoreError(
                f"{self.folder}: {free} bytes free, {2 * size + SPARE} needed for an update: free space; "
                "what runs goes on"
            )

    def fill(self, slot: str, order: Order, fetch: Callable[[Path], None]) -> None:
        """Fill a slot with the release of an order; `fetch` writes the packed release to the path it is given.

        Raises what `fetch` raises, TrustError for a release that is not what was ordered, StoreError for a disk that
        refuses; what the slot held before is gone then, or still whole.
        """
        packed, place = self.folder / f".{slot}.tar", self.folder / f".{slot}.new"
        with durable.guard(f"install into {self.folder / slot}"):
            shutil.rmtree(place, ignore_errors=True)
            try:
                fetch(packed)
                durable.step("write", place)
                (place / "release").mkdir(parents=True)
                release.unpack(packed, place / "release", order.release)
                (place / "order.json").write_bytes(seals.sealed(order.json()))
                durable.sync_tree(place)
                self.empty(slot)
                durable.rename(place, self.folder / slot)
            finally:
                packed.unlink(missing_ok=True)
                shutil.rmtree(place, ignore_errors=True)

    def empty(self, slot: str) -> None:
        """Empty a slot; renamed first, so that it is never half a release."""
        if (self.folder / slot).exists():
            gone = self.folder / f".{slot}.old"
            shutil.rmtree(gone, ignore_errors=True)
            with durable.guard(f"empty {self.folder / slot}"):
                durable.rename(self.folder / slot, gone)
            shutil.rmtree(gone, ignore_errors=True)

    def keep_baseline(self, slot: str) -> None:
        """Keep the baseline of a slot's release beside the slots: it must outlive both of them."""
        source = self.release(slot) / BASELINE
        if not source.is_dir():
            return
        name = release.digest(source)
        if self.baseline() == (self.folder / BASELINE / name, name):
            return
        with durable.guard(f"keep the baseline in {self.folder}"):
            durable.publish(
                self.folder / BASELINE / name,
                lambda place: shutil.copytree(source, place, dirs_exist_ok=True),
            )
            durable.write(self.folder / "baseline.json", seals.sealed({"digest": name}))

    def baseline(self) -> tuple[Path, str] | None:
        """Return the baseline's folder and digest, or None where there is none that is whole."""
        try:
            name = seals.unsealed((self.folder / "baseline.json").read_bytes())["digest"]
            release.verify(self.folder / BASELINE / name, name)
        except (OSError, ValueError, KeyError, json.JSONDecodeError, errors.TrustError):
            return None
        return self.folder / BASELINE / name, name
