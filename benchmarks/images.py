"""Images: packed without loss, kept, read back and loaded, beside PNG, files, parquet, lance and PyTorch's DataLoader.

Every figure but those of the stream is of one core.  Frames all differ; equal results come before times.  What is
durable is forced to the disk after every batch of 64, by each of them.  `--minutes 10` streams for as long: first
grey frames without loss, then JPEG; without it each streams for half a minute.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import keepers, pictures, sidebyside, sustained
from flyball import data
from flyball.data import frames, lossless, shards
from flyball.data import images as kept

#: Frames of one measurement, by megapixels.
MANY = {1: 128, 4: 32}
#: What is to be sustained, and what the camera sends: a little more, for the last batch is read back after it stops.
PER_MINUTE, SENT = 10_000, 10_400
CAP = 2 * 2**30
#: How PyTorch's users load: by `resize` as it is, by the filter that we use as well, and by the decoder's fractions.
LOADERS: dict[str, tuple[str, float | None]] = {
    "default": ("DataLoader, Pillow as it is (bicubic)", 2.5),
    "same": ("DataLoader, Pillow, our filter (bilinear)", 2.5),
    "draft": ("DataLoader, Pillow, our filter, draft", None),
}
ABSENT = {"torch": "pip install 'flyball[nets]'", "lance": "pip install pylance==14.0.2"}


def run(minutes: float = 0.5) -> dict[str, Any]:
    """Measure packing, keeping and loading, then the stream."""
    with one_core():
        rows = [*_packing(), *_keeping(), *_loading()]
    for form in ("grey without loss", "JPEG q90"):
        rows += _stream(form, minutes)
    libraries = ["pillow", "zstandard", "polars", "numpy"]
    libraries += [{"lance": "pylance"}.get(name, name) for name in ABSENT if there(name)]
    return sidebyside.result("images", tuple(libraries), rows)


def there(module: str) -> bool:
    """Say whether a peer is installed."""
    return importlib.util.find_spec(module) is not None


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process to one core."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(mine)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def _packing() -> Iterator[dict[str, Any]]:
    """Yield what the lossless container does beside PNG, for images of different kinds."""
    photographs, what = pictures.texture(2048)
    drawn = pictures.lines(2048)
    cases = [
        (f"{what}, as they are", [photographs[:1024, :1024]]),
        (f"{what}, noise 6", _shots(photographs, 6, 1024, 4)),
        ("lines, noise 4", _shots(drawn, 4, 1024, 4)),
        ("lines, noise 12", _shots(drawn, 12, 1024, 4)),
        ("lines across, noise 4", [np.ascontiguousarray(f.T) for f in _shots(drawn, 4, 1024, 4)]),
        ("lines, noise 4, 4 MP", _shots(pictures.lines(4096), 4, 2048, 2)),
    ]
    for name, images in cases:
        ours, theirs = [lossless.pack(i) for i in images], [pictures.png(i) for i in images]
        for image, packed, png in zip(images, ours, theirs, strict=True):
            assert np.array_equal(lossless.unpack(packed), image)
            assert np.array_equal(pictures.opened(png), image)
        size = [sum(map(len, content)) / len(images) for content in (ours, theirs)]
        yield sidebyside.row(f"{name}: size", size[0] / 1024, size[1] / 1024, "PNG, level 6", "kB", 1.15)
        fast = sidebyside.versus(
            lambda c=ours: [lossless.unpack(one) for one in c],
            lambda c=theirs: [pictures.opened(one) for one in c],
            9,
        )
        rate = [len(images) / took for took in fast]
        yield sidebyside.row(
            f"{name}: decoding", rate[0], rate[1], "PNG, Pillow", "images/s", 10.0, lower=False
        )
        took = sidebyside.versus(
            lambda i=images: [lossless.pack(one) for one in i],
            lambda i=images: [pictures.png(one, 1) for one in i],
            3,
        )
        rate = [len(images) / one for one in took]
        yield sidebyside.row(
            f"{name}: packing", rate[0], rate[1], "PNG, level 1", "images/s", None, lower=False
        )


def _shots(canvas: Any, sigma: float, side: int, many: int) -> list[Any]:
    camera = pictures.Camera(canvas, sigma, side)
    return [camera.shoot() for _ in range(many)]


def _keeping() -> Iterator[dict[str, Any]]:
    """Yield images per second of taking in and reading back, verified and decoded, ours and the peers."""
    canvas, _ = pictures.texture(4096)
    for megapixels, many in MANY.items():
        shots = _shots(canvas, 6, 1024 * int(megapixels**0.5), many)
        for form, sent in (("grey", shots), ("JPEG q90", list(map(pictures.jpeg, shots)))):
            want = shots if form == "grey" else [pictures.opened(one) for one in sent]
            ours = _kept(keepers.Ours, sent, want)
            for keeper in (keepers.Files, keepers.Parquet, keepers.Lance):
                name = keeper.said(form)
                if keeper is keepers.Lance and not there("lance"):
                    told: tuple[float | None, float | None] = None, None
                    name = f"lance is not installed: {ABSENT['lance']}"
                else:
                    told = _kept(keeper, sent, want)
                for verb, one, other in zip(
                    ("taken in, durable", "read back, decoded"), ours, told, strict=True
                ):
                    case = f"{form}, {megapixels} MP: {verb}"
                    yield sidebyside.row(case, one, other, name, "images/s", None, lower=False)


def _kept(keeper: type[keepers.Keeper], sent: list[Any], want: list[Any]) -> tuple[float, float]:
    """Return images per second written and read by a keeper, by the median of three."""
    rates: list[tuple[float, float]] = []
    for _ in range(4):
        folder = Path(tempfile.mkdtemp(prefix="flyball-images-", dir="/var/tmp"))
        try:
            one = keeper(folder)
            begun = time.perf_counter()
            for start in range(0, len(sent), 64):
                one.write(sent[start : start + 64])
            written = time.perf_counter()
            found = one.read()
            read = time.perf_counter()
            assert len(found) == len(want)
            assert all(np.array_equal(a, b) for a, b in zip(found, want, strict=True))
            rates.append((len(sent) / (written - begun), len(sent) / (read - written)))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return statistics.median(r for r, _ in rates[1:]), statistics.median(r for _, r in rates[1:])


def _loading() -> Iterator[dict[str, Any]]:
    """Yield images per second of loading 1 MP JPEG as 224 x 224, beside PyTorch's DataLoader with Pillow."""
    canvas, _ = pictures.texture(2048)
    grey = _shots(canvas, 3, 1024, MANY[1])
    colour = [np.stack([g, np.roll(g, 3, 1) // 2 + 40, 255 - g], axis=2) for g in grey]
    for name, shots in (("colour", colour), ("grey", grey)):
        content = [pictures.jpeg(shot) for shot in shots]
        with tempfile.TemporaryDirectory(prefix="flyball-images-", dir="/var/tmp") as place:
            late = _shelved(Path(place), content)

            def ours(late: data.Frames = late) -> list[Any]:
                return [np.stack(batch) for batch in late.batches(32, threads=1)]

            assert {batch.shape[1:3] for batch in ours()} == {(224, 224)}
            for how, (said, goal) in LOADERS.items():
                if not there("torch"):
                    rate = len(content) / sidebyside.seconds(ours, 3), None
                    said = f"torch is not installed: {ABSENT['torch']}"
                else:
                    loader = _data_loader(Path(place), content, how)
                    if how == "draft":
                        pairs = zip(ours(), loader(), strict=True)
                        assert all(np.array_equal(a, b.numpy()) for a, b in pairs)
                    took = sidebyside.versus(ours, loader, 3)
                    rate = len(content) / took[0], len(content) / took[1]
                case = f"{name} JPEG, 1 MP to 224 x 224: loaded"
                yield sidebyside.row(case, *rate, said, "images/s", goal, lower=False)
            bare = len(content) / sidebyside.seconds(lambda c=content: [_drafted(one) for one in c], 3)
            case = f"{name} JPEG, 1 MP to 224 x 224: loaded"
            yield sidebyside.row(case, rate[0], bare, "bare decoder at 1/4", "images/s", 0.95, lower=False)


def _shelved(folder: Path, content: list[bytes]) -> data.Frames:
    members = [kept.member(one, kept.Images("", proved=False)) for one in content]
    name, pieces, places = shards.lay(members)
    (folder / name).write_bytes(b"".join(pieces))
    index = {
        member.digest: frames.Place(name, *place, member.form, member.kind, member.shape)
        for member, place in zip(members, places, strict=True)
    }
    return data.Frames(frames.Shards(folder, index), list(index), size=(224, 224))


def _drafted(content: bytes) -> None:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        picture.draft(None, (224, 224))
        picture.load()


def _data_loader(folder: Path, content: list[bytes], how: str) -> Callable[[], Any]:
    import torch
    from PIL import Image

    torch.set_num_threads(1)
    for number, one in enumerate(content):
        (folder / f"{number}.jpg").write_bytes(one)

    class Shots(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return len(content)

        def __getitem__(self, number: int) -> Any:
            with Image.open(folder / f"{number}.jpg") as picture:
                if how == "draft":
                    picture.draft(None, (224, 224))
                chosen = Image.Resampling.BICUBIC if how == "default" else Image.Resampling.BILINEAR
                return torch.from_numpy(np.array(picture.resize((224, 224), chosen)))

    return lambda: list(torch.utils.data.DataLoader(Shots(), batch_size=32))


def _stream(form: str, minutes: float) -> Iterator[dict[str, Any]]:
    """Yield what a stream of one-megapixel frames at 10,400 a minute came to."""
    canvas, what = pictures.texture(2048)
    if form.startswith("grey"):
        told = sustained.run(pictures.Camera(canvas, 6, 1024).shoot, minutes * 60, SENT, CAP)
    else:
        apart = pictures.Compressing(6, 1024)
        try:
            told = sustained.run(apart.shoot, minutes * 60, SENT, CAP)
        finally:
            apart.close()
    assert told.acknowledged == told.sent == told.read, (told.sent, told.acknowledged, told.read)
    case = f"stream, {form}, {what}"
    per_minute = told.read / told.seconds * 60
    delays = sorted(told.delays_ms)

    def row(what: str, value: float, unit: str, goal: float | None = None, lower: bool = True) -> Any:
        return sidebyside.row(f"{case}: {what}", value, None, "", unit, goal, lower)

    yield row("taken in, read back and decoded", per_minute, "images/min", float(PER_MINUTE), lower=False)
    yield row("for", told.seconds, "s")
    yield row("frames sent less frames that differ", float(told.sent - told.unique), "images", 0.0)
    yield row("acknowledged after, p50", delays[len(delays) // 2], "ms")
    yield row("acknowledged after, p99", delays[int(len(delays) * 0.99)], "ms")
    yield row("acknowledged after, worst", delays[-1], "ms")
    yield row("the camera was held up for", told.held_s, "s")
    yield row("came in as values or files", told.raw_bytes / 2**20, "MiB")
    yield row("unique, as stored", told.unique_bytes / 2**20, "MiB")
    yield row("forced to the disk", told.fsynced_bytes / 2**20, "MiB")
    yield row("in the store at the end, cap 2048", told.shards_bytes / 2**20, "MiB", CAP / 2**20)
    camera = "camera included" if form.startswith("grey") else "camera apart"
    yield row(f"processor time, {camera}", told.cpu_s / told.seconds, "cores", 2.0)
    # What a minute shows is mostly the start.
    yield row(
        "resident memory, last quarter less second", told.growth(), "MiB", 32.0 if minutes >= 2 else None
    )
