import contextlib
import io
import os
import socket
import tarfile
import threading
import zipfile

import pytest

from flyball import errors
from flyball.data import arrivals


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    (tmp_path / "secret").write_bytes(b"s")
    (place / "a").write_bytes(b"content")
    return place


def test_what_is_no_regular_file_is_refused_by_name(folder):
    (folder / "link").symlink_to("a")
    os.mkfifo(folder / "pipe")
    (folder / "inner").mkdir()
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(folder / "socket"))
        for name, what in (
            ("link", "a symbolic link"), ("pipe", "a pipe"), ("inner", "a folder"), ("socket", "a socket"),
        ):  # fmt: skip
            with pytest.raises(arrivals.RefusedError, match=f"{name} is {what}"):
                arrivals.read(folder / name)
            assert arrivals.odd(folder / name) == what
    assert arrivals.read(folder / "a") == b"content" and arrivals.odd(folder / "a") == ""
    with pytest.raises(errors.DataError, match="cannot be read"):
        arrivals.read(folder / "gone")


def test_a_file_beyond_its_budget_is_not_read(folder):
    with (folder / "large").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(arrivals.RefusedError, match="at most 1000 are read"):
        arrivals.read(folder / "large", 1000)


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten"])
def test_a_file_that_changes_while_it_is_read_is_refused(folder, monkeypatch, change):
    path, real = folder / "a", os.fstat
    calls = iter(range(9))

    def changing(handle):
        if next(calls) == 1:
            path.write_bytes(
                {"grows": b"content and more", "shrinks": b"c", "is rewritten": b"tnetnoc"}[change]
            )
            os.utime(path, ns=(1, 1))
        return real(handle)

    monkeypatch.setattr(os, "fstat", changing)
    with pytest.raises(arrivals.RefusedError, match="changes while it is read"):
        arrivals.read(path)
    monkeypatch.undo()
    arrivals.read(path)


def test_a_file_that_is_being_written_does_not_keep_us_for_ever(folder):
    path, stop = folder / "busy", threading.Event()
    path.write_bytes(bytes(4096))

    def write():
        with path.open("ab") as file:
            while not stop.is_set():
                file.write(bytes(1000))
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        # Where the clock of the file system stands still a reading may be between two writings: it is whole then.
        for _ in range(200):
            before = path.stat().st_size
            with contextlib.suppress(arrivals.RefusedError):
                assert before <= len(arrivals.read(path, 2**24)) <= path.stat().st_size
    finally:
        stop.set()
        writer.join()


def zipped(folder, entries):
    with zipfile.ZipFile(folder / "b.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)


def test_members_of_archives_are_found(folder):
    zipped(folder, [("x/1.png", b"one"), ("2.png", b"two")])
    with tarfile.open(folder / "c.tar", "w") as file:
        told = tarfile.TarInfo("x/3.png")
        told.size = 5
        file.addfile(told, io.BytesIO(b"three"))
    assert arrivals.find("b.zip/x/1.png", folder) == b"one"
    assert arrivals.find("b.zip/2.png", folder) == b"two"
    assert arrivals.find("c.tar/x/3.png", folder) == b"three"
    assert arrivals.find("a", folder) == b"content"
    for name in ("b.zip/none", "c.tar/none", "b.zip/x"):
        with pytest.raises(errors.DataError, match=r"no '(none|x)'"):
            arrivals.find(name, folder)


@pytest.mark.parametrize(
    "name", ["../secret", "x/../../secret", "/etc/passwd", "a\0b", "b.zip/../../secret", "out/secret"]
)
def test_a_name_that_leads_out_is_refused(folder, name):
    zipped(folder, [("../../secret", b"x")])
    (folder / "out").symlink_to(folder.parent)
    with pytest.raises(arrivals.RefusedError, match="outside"):
        arrivals.find(name, folder)


def test_members_that_lead_out_link_or_lie_are_refused(folder):
    zipped(folder, [("../secret", b"x"), ("large", bytes(10**6))])
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(folder / "b.zip", "a") as file:
        file.writestr(link, "/etc/passwd")
    with tarfile.open(folder / "c.tar", "w") as file:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            told = tarfile.TarInfo(name)
            told.type, told.linkname = kind, "/etc/passwd"
            file.addfile(told)
    for name, what in (
        ("b.zip/large", "at most 1000"), ("b.zip/link", "symbolic link"), ("c.tar/link", "no regular file"),
        ("c.tar/hard", "no regular file"), ("c.tar/pipe", "no regular file"),
    ):  # fmt: skip
        with pytest.raises(arrivals.RefusedError, match=what):
            arrivals.find(name, folder, 1000)


def test_an_archive_that_lies_or_is_damaged_is_refused(folder):
    zipped(folder, [("1", b"a" * 5000)])
    whole = (folder / "b.zip").read_bytes()
    # The directory says 100 bytes, the data has 5000: no more than 101 are unpacked.
    place = whole.rindex(b"PK\x01\x02") + 24
    (folder / "lie.zip").write_bytes(whole[:place] + (100).to_bytes(4, "little") + whole[place + 4 :])
    (folder / "cut.zip").write_bytes(whole[:40])
    (folder / "cut.tar").write_bytes(b"x" * 700)
    (folder / "pipe.zip").symlink_to("b.zip")
    for name in ("lie.zip/1", "cut.zip/1", "cut.tar/1", "pipe.zip/1"):
        with pytest.raises(errors.DataError):
            arrivals.find(name, folder, 10**6)
