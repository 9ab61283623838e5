"""Images that are the same, or nearly: within a split they repeat, across splits they make a test easier than it is.

The same: type, shape and values (a picture: its bytes).  Nearly: of one shape, and at most `AT_MOST` values differ.
Two such images agree on at least one of `AT_MOST` + 1 interleaved parts, so that comparing parts finds every pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import images as pictures
from flyball.data.doctor import folder, members

if TYPE_CHECKING:
    from flyball.data.stage import Array

#: So many values of near twins may differ, and no more than this share of them.
AT_MOST, SHARE = 3, 0.002
#: Images that share a part with more others than this are compared with so many of them, and that is said.
CROWD = 64
#: Pictures are compared at this size, in grey; near twins differ by at most so many of 255 levels on average.
SMALL, LEVELS = (16, 16), 2.0
#: A picture of more bytes is not decoded; of more pictures than this, so many are looked at.
LARGEST, PICTURES = 64 * 2**20, 20_000
#: Nor is any more once so many pixels were: what a few minutes take.
PIXELS = 20 * 10**9


def twins(images: Sequence[Array], splits: Sequence[str], near: bool = True) -> dict[str, Any]:
    """Return how images repeat within and across splits; `splits` has the split of each ("" for none).

    >>> import numpy as np
    >>> images = [np.zeros((2, 2)), np.ones((2, 2)), np.zeros((2, 2))]
    >>> twins(images, ["train", "train", "test"])["across"][0]["rows"]
    1
    """
    digests = [_digest(image) for image in images]
    told = compare(digests, splits)
    if near:
        pairs, crowded = _near_pairs(images, digests)
        told["near"] = _near(pairs, splits)
        told["near"]["at_most"] = AT_MOST
        if crowded:
            told["near"]["crowded"] = crowded
    return told


def compare(digests: Sequence[str], splits: Sequence[str]) -> dict[str, Any]:
    """Return how often equal digests stand in one split and in two; every pair of splits, the stronger one first.

    `across` counts the rows of the stronger split with a twin in the weaker, and the other way round.
    """
    groups: dict[str, list[int]] = {}
    for place, digest in enumerate(digests):
        if digest:
            groups.setdefault(digest, []).append(place)
    repeated = [places for places in groups.values() if len(places) > 1]
    found: dict[tuple[str, str], tuple[set[int], set[int]]] = {}
    for places in repeated:
        for name, other in _pairs({level for place in places for level in _levels(splits[place])}):
            pair = found.setdefault((name, other), (set(), set()))
            pair[0].update(place for place in places if name in _levels(splits[place]))
            pair[1].update(place for place in places if other in _levels(splits[place]))
    sizes: dict[str, int] = {}
    for split in splits:
        for level in _levels(split):
            sizes[level] = sizes.get(level, 0) + 1
    across = [
        {
            "of": name, "in": other, "rows": len(mine), "out_of": sizes[name], "back": len(theirs),
            "example": [min(mine), min(theirs)],
        }
        for (name, other), (mine, theirs) in sorted(found.items(), key=lambda item: _order(item[0]))
    ]  # fmt: skip
    return {"repeated": sum(len(places) - 1 for places in repeated), "across": across}


def _levels(split: str) -> tuple[str, ...]:
    """Return a split and, where it is a part of one ("train_20"), the whole ("train")."""
    whole = folder.split(split)
    return (split, whole) if whole and whole != split else (split,) if split else ()


def _pairs(names: set[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names of different splits; of two pieces of one split nothing is to be said."""
    ordered = sorted(names, key=lambda name: _order((name,)))
    for place, name in enumerate(ordered):
        for other in ordered[place + 1 :]:
            if (folder.split(name) or name) != (folder.split(other) or other):
                yield name, other


def _order(names: tuple[str, ...]) -> tuple[Any, ...]:
    ranks = {name: place for place, name in enumerate(folder.STRENGTH)}
    return tuple((ranks.get(folder.split(name), len(ranks)), name) for name in names)


def _digest(image: Array) -> str:
    return pictures.digest(image)


def _near_pairs(images: Sequence[Array], digests: Sequence[str]) -> tuple[list[tuple[int, int]], int]:
    """Return the pairs of different images that nearly agree, each image once for every digest."""
    import numpy as np

    first: dict[str, int] = {}
    for place, digest in enumerate(digests):
        first.setdefault(digest, place)
    seen: dict[tuple[Any, ...], list[int]] = {}
    found: set[tuple[int, int]] = set()
    crowded = 0
    for place in sorted(first.values()):
        image = images[place]
        most = min(AT_MOST, int(SHARE * image.size))
        if not most:
            continue
        flat = np.ascontiguousarray(image).reshape(-1)
        tried: set[int] = set()
        for part in range(most + 1):
            key = (
                image.shape, part, hashlib.blake2b(flat[part :: most + 1].tobytes(), digest_size=8).digest(),
            )  # fmt: skip
            others = seen.setdefault(key, [])
            if len(others) >= CROWD:
                crowded += 1
                tried.update(others[-CROWD:])
            else:
                tried.update(others)
            others.append(place)
        for other in tried:
            if np.count_nonzero(flat != images[other].reshape(-1)) <= most:
                found.add((other, place))
    return sorted(found), crowded


def _near(pairs: Sequence[tuple[int, int]], splits: Sequence[str]) -> dict[str, Any]:
    across: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], list[int]] = {}
    for one, other in pairs:
        names = {folder.split(splits[place]) or splits[place] for place in (one, other)} - {""}
        for pair in _pairs(names):
            across[pair] = across.get(pair, 0) + 1
            first.setdefault(pair, [one, other])
    return {
        "pairs": len(pairs), "example": list(pairs[0]) if pairs else [],
        "across": [
            {"of": name, "in": other, "pairs": count, "example": first[name, other]}
            for (name, other), count in sorted(across.items(), key=lambda item: _order(item[0]))
        ],
    }  # fmt: skip


def look(files: Sequence[folder.File]) -> dict[str, Any]:
    """Return what pictures in files are: their shapes, how they repeat, and which could not be read and why."""
    import numpy as np

    chosen = list(files[:PICTURES])
    digests, small, names = [], [], []
    shapes: dict[str, int] = {}
    unread: list[tuple[str, str]] = []
    left = PIXELS
    looked = 0
    for file in chosen:
        if left <= 0:
            break
        looked += 1
        try:
            content = members.content(file, LARGEST)
            image = pictures.decode(content)
            grey = pictures.scaled(image.mean(axis=2).astype(np.uint8) if image.ndim == 3 else image, SMALL)
        except (errors.DataError, ValueError, MemoryError) as error:
            unread.append((file.name, str(error)[:120]))
            continue
        left -= image.shape[0] * image.shape[1]
        digests.append(_digest(image))
        small.append(grey.astype(np.float32))
        names.append(file.name)
        shape = "x".join(map(str, image.shape))
        shapes[shape] = shapes.get(shape, 0) + 1
    splits = [folder.split(name) for name in names]
    told = compare(digests, splits)
    told |= {
        "near": _near(_alike(small, digests), splits),
        "images": len(names),
        "unread": unread,
        "names": names,
    }
    told |= {"shapes": dict(sorted(shapes.items(), key=lambda pair: -pair[1]))}
    if len(files) > looked:
        told["sampled"] = f"the first {looked} of {len(files)} pictures"
    return told


def _alike(small: Sequence[Array], digests: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of different pictures that look alike: same signs of slope in a quarter, and close in all."""
    import numpy as np

    seen: dict[tuple[int, bytes], list[int]] = {}
    found: set[tuple[int, int]] = set()
    for place, image in enumerate(small):
        # A flat picture has no slopes of its own: noise would decide.
        if float(image.std()) < LEVELS:
            continue
        slopes = (np.diff(image, axis=1) > LEVELS).reshape(4, -1)
        for quarter, signs in enumerate(slopes):
            others = seen.setdefault((quarter, np.packbits(signs).tobytes()), [])
            for other in others[-CROWD:]:
                close = float(np.abs(small[other] - image).mean()) <= LEVELS
                if close and digests[other] != digests[place]:
                    found.add((other, place))
            others.append(place)
    return sorted(found)
