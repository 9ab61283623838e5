"""Images that are the same, or nearly, within and across splits."""

import io

import numpy as np
import pytest

from flyball.data.doctor import folder, likeness

RNG = np.random.default_rng(8)


def maps(count, shape=(40, 40)):
    return list(RNG.integers(0, 3, (count, *shape)).astype(np.uint8))


def brute(digests, splits, mine, theirs):
    there = {digest for digest, split in zip(digests, splits, strict=True) if folder.split(split) == theirs}
    return sum(
        folder.split(split) == mine and digest in there for digest, split in zip(digests, splits, strict=True)
    )


def test_counts_across_splits_are_those_of_counting_by_hand():
    digests = [str(number) for number in RNG.integers(0, 40, 200)]
    splits = RNG.choice(["train_1", "train_2", "val", "test"], 200).tolist()
    told = {(one["of"], one["in"]): one for one in likeness.compare(digests, splits)["across"]}
    for mine, theirs in (("test", "train"), ("val", "train"), ("test", "val")):
        assert told[mine, theirs]["rows"] == brute(digests, splits, mine, theirs)
        assert told[mine, theirs]["back"] == brute(digests, splits, theirs, mine)
    assert ("train_1", "train_2") not in told, "two pieces of one split"
    assert likeness.compare(digests, [""] * 200)["repeated"] == 200 - len(set(digests))


def test_an_image_with_a_few_other_values_is_a_near_twin():
    images = maps(60)
    images[50] = images[3].copy()
    images[50][0, 0] = (images[50][0, 0] + 1) % 3
    images[50][7, 9] = (images[50][7, 9] + 1) % 3
    images[51] = images[4].copy()
    images[51][:, 5] = 9
    told = likeness.twins(images, ["train"] * 30 + ["test"] * 30)
    assert told["across"] == []
    assert [(one["of"], one["in"], one["pairs"]) for one in told["near"]["across"]] == [("test", "train", 1)]
    assert told["near"]["example"] == [3, 50]


def test_images_of_another_shape_or_type_are_others():
    image = maps(1)[0]
    assert likeness.twins([image, image.reshape(20, 80), image.astype(np.uint16)], [""] * 3)["repeated"] == 0


def picture(path, pixels, form="PNG", **options):
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, form, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sink.getvalue())
    return folder.File(path, str(path.relative_to(path.parents[1])), path.stat().st_size, path.suffix)


def scene(seed):
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(10, 240, (8, 8)), np.ones((16, 16), int))
    return (coarse + rng.integers(-5, 6, coarse.shape)).astype(np.uint8)


def test_pictures_that_are_the_same_or_look_alike_across_folders(tmp_path):
    files = [picture(tmp_path / "train" / f"{seed}.png", scene(seed)) for seed in range(8)]
    files.append(picture(tmp_path / "test" / "same.png", scene(2)))
    files.append(picture(tmp_path / "test" / "jpeg.jpg", scene(5), "JPEG", quality=90))
    files.append(picture(tmp_path / "test" / "new.png", scene(99)))
    told = likeness.look(files)
    assert [(one["of"], one["in"], one["rows"]) for one in told["across"]] == [("test", "train", 1)]
    assert [(one["of"], one["in"], one["pairs"]) for one in told["near"]["across"]] == [("test", "train", 1)]
    assert told["names"][told["near"]["example"][0]] == "train/5.png"
    assert told["images"] == 11 and told["shapes"] == {"128x128": 11}


def test_a_picture_that_is_too_large_or_broken_is_named_and_never_decoded(tmp_path):
    import struct
    import zlib

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 0, 0, 0, 0)
    huge = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
        + chunk(b"IEND", b"")
    )
    files = []
    for name, content in {"huge.png": huge, "cut.png": huge[:60], "text.jpg": b"no picture"}.items():
        (tmp_path / name).write_bytes(content)
        files.append(folder.File(tmp_path / name, name, len(content), name[-4:]))
    told = likeness.look(files)
    assert told["images"] == 0
    reasons = dict(told["unread"])
    assert "144000000 pixels" in reasons["huge.png"]
    assert set(reasons) == {"huge.png", "cut.png", "text.jpg"}


def test_more_pictures_than_are_looked_at_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(likeness, "PICTURES", 2)
    told = likeness.look([picture(tmp_path / "a" / f"{seed}.png", scene(seed)) for seed in range(3)])
    assert told["sampled"] == "the first 2 of 3 pictures"


def test_pixels_are_bounded_whatever_the_number_of_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(likeness, "PIXELS", 2 * 128 * 128)
    told = likeness.look([picture(tmp_path / "a" / f"{seed}.png", scene(seed)) for seed in range(4)])
    assert (told["images"], told["sampled"]) == (2, "the first 2 of 4 pictures")


@pytest.mark.parametrize("flat", [0, 128])
def test_blank_pictures_are_not_alike_by_noise(tmp_path, flat):
    noise = [
        np.clip(np.random.default_rng(seed).integers(flat, flat + 2, (32, 32)), 0, 255).astype(np.uint8)
        for seed in (1, 2)
    ]
    files = [
        picture(tmp_path / split / "a.png", pixels)
        for split, pixels in zip(("train", "test"), noise, strict=True)
    ]
    assert likeness.look(files)["near"]["pairs"] == 0
