"""A simulated fleet that lives: from what the command was given to where its rows, samples and frames go."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors

if TYPE_CHECKING:
    from flyball.fab import Fab
    from flyball.fab.live import Outlet


def go(
    fab: Fab, *, speed: float, broker: str | None, ring: str | None, rate: int = 0, out: Path | None = None,
    begin: float, seconds: float,
) -> dict[str, Any]:  # fmt: skip
    """Let a fleet live until its last day, for some seconds, or until interrupted; return what was sent.

    Raises DeclarationError when nothing is to go anywhere, and what the outlets raise.
    """
    from flyball.fab import live

    if broker is None and ring is None and not rate:
        raise errors.DeclarationError(
            "fab --live: nowhere to send: give --broker (localhost:1883) or --ring a prefix"
        )
    if rate and ring is None and out is None:
        raise errors.DeclarationError(
            "fab --rate: nowhere for frames: give --ring a prefix or --out a folder"
        )
    live.check(fab, speed, 24.0 * begin)
    outlets: list[Outlet] = []
    with tempfile.TemporaryDirectory() as scenes:
        try:
            outlets.extend(_frames(fab, rate, ring, out, Path(scenes)))
            outlets.extend(_outlets(fab, broker, ring, 24.0 * begin))
        except BaseException:
            for outlet in outlets:
                outlet.close()
            raise
        return {"fleet": f"{fab.preset}, seed {fab.seed}"} | live.go(
            fab, outlets, speed=speed, begin_h=24.0 * begin, seconds=seconds
        )


def _frames(fab: Fab, rate: int, ring: str | None, out: Path | None, scenes: Path) -> Iterator[Outlet]:
    """Yield where frames go: into a folder where one is given, else into a ring."""
    if rate:
        from flyball.fab import rate as rates
        from flyball.fab import rings

        frames = rates.stream(fab, scenes / "scenes.npy")
        yield rings.Frames(frames, rate, name="" if out else f"{ring}-frames", folder=out)


def _outlets(fab: Fab, broker: str | None, ring: str | None, begin_h: float) -> Iterator[Outlet]:
    from flyball.fab import live, mqtt, rings

    if ring is not None:
        yield rings.Samples(fab, ring, begin_h=begin_h)
    if broker is not None:
        yield live.Broker(fab, mqtt.Publisher(broker), begin_h=begin_h)


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was sent, as a person reads it."""
    yield (
        f"{told['fleet']}: {told['lived_h']:.1f} h of its life in {told['seconds']:.1f} s"
        + (", interrupted" if told["interrupted"] else "")
        + (f", at most {told['behind_s']:.1f} s late" if told["behind_s"] > 1.0 else "")
    )
    if "messages" in told:
        yield (
            f"  broker: {told['messages']} messages, {told['acknowledged']} acknowledged, {told['dropped']} dropped, "
            f"{told['unsent']} unsent, {told['connects']} connect(s)"
        )
    if "samples" in told:
        yield f"  rings: {told['samples']} samples into {told['rings']} ring(s)"
    if "frames" in told:
        yield f"  frames: {told['frames']}, {told['frames_short']} short of the rate"
