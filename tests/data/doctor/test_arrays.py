"""Arrays as NumPy writes them: grouped into tables and images, bounded, nothing pickled opened."""

import gzip
import io
import lzma
import zipfile

import numpy as np

from flyball.data.doctor import arrays, folder


def packed(array):
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def read(place, most=arrays.LARGEST, **contents):
    files = []
    for name, content in contents.items():
        path = place / name.replace("__", ".")
        path.write_bytes(content)
        files.append(folder.File(path, path.name, len(content), folder._ending(path.name)))
    return arrays.read(files, most)


def bundle(**columns):
    sink = io.BytesIO()
    np.savez_compressed(sink, **columns)
    return sink.getvalue()


def test_a_stack_of_images_and_its_labels_are_one_group(tmp_path):
    maps = np.arange(60 * 12).astype(np.uint8).reshape(60, 3, 4)
    groups, unread = read(
        tmp_path, maps__npy__xz=lzma.compress(packed(maps)), 
        labels__npz=bundle(split=np.array(["a"] * 60), names=np.array(["x", "y"])),
    )  # fmt: skip
    assert unread == []
    (group,) = groups
    assert (group.rows, group.frame.columns, len(group.images)) == (60, ["split"], 60)
    assert np.array_equal(group.images[7], maps[7])


def test_images_of_many_shapes_lie_one_after_another(tmp_path):
    images = [np.full((2 + n % 3, 4), n, np.uint8) for n in range(20)]
    flat = np.concatenate([image.reshape(-1) for image in images])
    shapes = np.array([image.shape for image in images])
    groups, _ = read(tmp_path, flat__npy__gz=gzip.compress(packed(flat)), labels__npz=bundle(shape=shapes))
    assert [np.array_equal(one, two) for one, two in zip(groups[0].images, images, strict=True)] == [
        True
    ] * 20


def test_what_is_hostile_or_damaged_is_named_and_not_unpacked(tmp_path):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as bomb, bomb.open("a.npy", "w") as member:
        head = {"descr": "|u1", "fortran_order": False, "shape": (4 * 10**9,)}
        np.lib.format.write_array_header_1_0(member, head)
        member.write(b"\0" * 10**6)
    objects = io.BytesIO()
    np.save(objects, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    groups, unread = read(
        tmp_path, bomb__npz=sink.getvalue(), objects__npy=objects.getvalue(), cut__npy=packed(np.arange(100))[:-80],
        noise__npz=b"PK\x03\x04 no zip", noise__npy__xz=b"no xz", text__npy=b"hello",
        token__npy=b"\x93NUMPY\x01\x00\x10\x00{'descr': (\n\n\n\n\n\n",
    )  # fmt: skip
    assert groups == []
    reasons = dict(unread)
    assert "unpacks to 4000000000 bytes" in reasons["bomb.npz"]
    assert "never opened" in reasons["objects.npy"]
    assert "is incomplete: 720 of 800 bytes" in reasons["cut.npy"]
    assert len(reasons) == 7 and "damaged" in reasons["noise.npz"]


def test_arrays_together_stay_within_the_bound(tmp_path):
    groups, unread = read(tmp_path, 1_000, a__npy=packed(np.zeros(100)), b__npy=packed(np.zeros(100)))
    assert [group.rows for group in groups] == [100]
    assert "at most 200 are read" in unread[0][1]
