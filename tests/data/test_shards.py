import io
import tarfile

import numpy as np
from PIL import Image

from flyball.data import images, shards


def members():
    rng = np.random.default_rng(0)
    sink = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (40, 30)).astype(np.uint8)).save(sink, "JPEG")
    arrays = [np.zeros((9, 9), np.uint8), rng.normal(size=(5, 7))]
    return [*map(images.packed, arrays), images.member(sink.getvalue())]


def test_tar_reads_a_shard():
    content = members()
    _, pieces, places = shards.lay(content)
    whole = b"".join(pieces)
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as file:
        found = [(told.name, file.extractfile(told).read()) for told in file]
        assert all(told.isreg() and told.mtime == 0 and told.uid == 0 for told in file.getmembers())
    endings = ("fly", "fly", "jpg")
    assert found == [(f"{m.digest}.{end}", m.content) for m, end in zip(content, endings, strict=True)]
    assert [whole[offset : offset + length] for offset, length in places] == [m.content for m in content]
    with Image.open(io.BytesIO(found[2][1])) as picture:
        assert picture.size == (30, 40)


def test_the_name_follows_the_content():
    content = members()
    name = shards.lay(content)[0]
    assert name == shards.lay(members())[0] and name.endswith(".tar")
    assert len({name, shards.lay(content[::-1])[0], shards.lay(content[:2])[0]}) == 3


def test_an_empty_shard_is_an_empty_tar():
    with tarfile.open(fileobj=io.BytesIO(b"".join(shards.lay([])[1])), mode="r:") as file:
        assert file.getmembers() == []
