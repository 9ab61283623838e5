"""R21: bombs, lies, links and pipes are refused by name, counted, and cost no more than their own bytes."""

import io
import os
import struct
import subprocess
import sys
import tarfile
import textwrap
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from flyball import data, part
from flyball.data import images
from flyball.runtime.store import Store


def picture(kind, array=None, **more):
    sink = io.BytesIO()
    Image.fromarray(np.full((20, 30), 9, np.uint8) if array is None else array).save(sink, kind, **more)
    return sink.getvalue()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width, height):
    """A whole, valid PNG of zeros."""
    pack = zlib.compressobj(9)
    row = bytes(1 + width)
    packed = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def claims(content, width, height):
    """A JPEG whose header tells another size."""
    place = next(
        content.index(bytes([0xFF, mark])) for mark in (0xC0, 0xC2) if bytes([0xFF, mark]) in content
    )
    return content[: place + 5] + struct.pack(">HH", height, width) + content[place + 9 :]


def tiff(width, height):
    content = bytearray(picture("TIFF"))
    (place,) = struct.unpack_from("<I", content, 4)
    (fields,) = struct.unpack_from("<H", content, place)
    for number in range(fields):
        (tag,) = struct.unpack_from("<H", content, place + 2 + 12 * number)
        if tag in (256, 257):
            struct.pack_into("<HII", content, place + 4 + 12 * number, 4, 1, width if tag == 256 else height)
    return bytes(content)


@pytest.fixture
def hostile(tmp_path, npy):
    """A folder with good images and everything that is refused, and a table that names them: {name: reason}."""
    folder = tmp_path / "in" / "maps"
    folder.mkdir(parents=True)
    (tmp_path / "in" / "secret.npy").write_bytes(npy(np.ones((3, 3), np.uint8)))
    (folder / "good.npy").write_bytes(npy(np.ones((3, 3), np.uint8)))
    (folder / "good.jpg").write_bytes(picture("JPEG"))
    (folder / "bomb.png").write_bytes(bomb(12_000, 12_000))
    (folder / "ratio.png").write_bytes(bomb(6_000, 6_000))
    (folder / "lie.jpg").write_bytes(claims(picture("JPEG"), 65_000, 65_000))
    (folder / "lie.tif").write_bytes(tiff(200_000, 200_000))
    (folder / "cut.jpg").write_bytes(picture("JPEG")[:-2])
    (folder / "half.jpg").write_bytes(picture("JPEG")[:200] + b"\xff\xd9")
    (folder / "text.png").write_bytes(b"hello")
    (folder / "link.npy").symlink_to("good.npy")
    os.mkfifo(folder / "pipe.png")
    with (folder / "huge.png").open("wb") as file:
        file.truncate(2**40)
    with zipfile.ZipFile(folder / "z.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("good.jpg", picture("JPEG", np.full((8, 8), 3, np.uint8)))
        file.writestr("../secret.npy", b"x")
        file.writestr("ten.png", bytes(10_000))
    whole = (folder / "z.zip").read_bytes()
    place = whole.rindex(b"PK\x01\x02") + 20  # the last entry of the directory: packed size, size
    ten = struct.pack("<II", 10_000_000, 2**32 - 2)
    (folder / "z.zip").write_bytes(whole[:place] + ten + whole[place + 8 :])
    with tarfile.open(folder / "t.tar", "w") as file:
        told = tarfile.TarInfo("link.npy")
        told.type, told.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(told)
    refused = {
        "bomb.png": "144000000 pixels", "ratio.png": "times its size", "lie.jpg": "4225000000 pixels",
        "lie.tif": "40000000000 pixels", "cut.jpg": "no end", "half.jpg": "image", "text.png": "no image",
        "link.npy": "symbolic link", "pipe.png": "a pipe", "huge.png": "at most", "gone.png": "cannot be read",
        "../secret.npy": "outside", "z.zip/../secret.npy": "leads out", "z.zip/ten.png": "4294967294 bytes",
        "t.tar/link.npy": "no regular file",
    }  # fmt: skip
    good = ["good.npy", "good.jpg", "z.zip/good.jpg"]
    (folder / "a.csv").write_text(
        "machine,at,map,kind\n" + "".join(f"m1,2025-01-01,{name},ring\n" for name in [*refused, *good])
    )
    return tmp_path / "in", refused


def test_every_one_is_refused_by_name_and_the_good_are_kept(tmp_path, fleet, hostile, now):
    folder, refused = hostile
    store = Store.open(tmp_path / "store", fleet)
    receipt = store.ingest([folder], now=now)
    assert receipt.good["maps"] == 3
    assert sum(receipt.quarantined["maps"].values()) == len(refused)
    rows = store.journal.read("quarantine")[0].select("text", "reason").iter_rows()
    told = {text: reason for text, reason in rows if text}
    for name, why in refused.items():
        assert why in told[name], (name, told[name])
    assert [image.shape for image in store.rows("maps").columns["map"].load()] == [(3, 3), (20, 30), (8, 8)]
    assert not list((tmp_path / "store" / "frames").glob("secret*"))


def test_sabotage_without_the_budget_the_bomb_goes_off(tmp_path, fleet, hostile, now, monkeypatch):
    folder, _ = hostile
    monkeypatch.setattr(images, "FREE", 2**40)
    assert Store.open(tmp_path / "store", fleet).ingest([folder], now=now).good["maps"] == 4


MEASURED = """
import sys
sys.path.insert(0, {tests!r})
import conftest
from flyball.runtime.store import Store
def peak():  # of this process: ru_maxrss would be that of the one which started it, where that is larger
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
store = Store.open({folder!r}, conftest.FLEET)
store.ingest([{good!r}], now=1)
before = peak()
store.ingest([{hostile!r}], now=2)
print((peak() - before) / 1024)
"""


def test_memory_stays_bounded(tmp_path, hostile, npy):
    folder, _ = hostile
    good = tmp_path / "good" / "maps"
    good.mkdir(parents=True)
    (good / "1.npy").write_bytes(npy(np.ones((3, 4), np.uint8)))
    (good / "1.jpg").write_bytes(picture("JPEG"))
    (good / "a.csv").write_text("machine,at,map,kind\nm1,2025-01-01,1.npy,ring\nm1,2025-01-02,1.jpg,ring\n")
    script = textwrap.dedent(MEASURED).format(
        tests=os.path.dirname(__file__), folder=str(tmp_path / "store"), good=str(good), hostile=str(folder)
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 40, f"{done.stdout} MiB more"


def test_a_page_may_ask_for_more_or_less(tmp_path, fleet, hostile, now):
    folder, _ = hostile
    wide = part.replace(fleet, images=(data.Images("maps.map", ratio=2000),))
    assert Store.open(tmp_path / "wide", wide).ingest([folder], now=now).good["maps"] == 4
    narrow = part.replace(fleet, images=(data.Images("maps.map", pixels=64, size=(4, 4)),))
    store = Store.open(tmp_path / "narrow", narrow)
    assert store.ingest([folder], now=now).good["maps"] == 2
    assert [image.shape for image in store.rows("maps").columns["map"].load()] == [(4, 4), (4, 4)]


def test_table_files_that_are_no_files_are_quarantined_once(tmp_path, fleet, now):
    folder = tmp_path / "in" / "telemetry"
    folder.mkdir(parents=True)
    text = "machine,at,power,pulses\nm1,2025-01-01,1,1\n"
    (tmp_path / "elsewhere.csv").write_text(text)
    (folder / "good.csv").write_text(text)
    (folder / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    os.mkfifo(folder / "pipe.csv")
    store = Store.open(tmp_path / "store", fleet)
    receipt = store.ingest([folder], now=now)
    assert receipt.good["telemetry"] == 1
    assert receipt.quarantined["telemetry"] == {
        "link.csv is a symbolic link: send a regular file": 1, "pipe.csv is a pipe: send a regular file": 1,
    }  # fmt: skip
    again = store.ingest([folder], now=now)
    assert again.known == 3 and not again.changed
    assert sum(store.quarantine()["telemetry"].values()) == 2
    # What somebody names outright may be a link.
    assert store.ingest([folder / "link.csv"], now=now).known == 1
