import gzip
import io
import stat
import tarfile
import tracemalloc
import zipfile

import pytest
import zstandard

from flyball import errors
from flyball.data import arrivals, bundles

FILES = {"telemetry/1.csv": b"machine,at\nm1,2025-01-01\n" * 40, "events-1.csv": b"b" * 700, "empty.csv": b""}
KINDS = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst"]
LIMITS = arrivals.Limits()


def tarred(files=FILES, change=None):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as file:
        file.addfile(folder("telemetry"))
        for name, content in files.items():
            told = tarfile.TarInfo(name)
            told.size = len(content)
            if change is not None:
                change(told)
            file.addfile(told, io.BytesIO(content))
    return sink.getvalue()


def folder(name):
    told = tarfile.TarInfo(name)
    told.type = tarfile.DIRTYPE
    return told


def zipped(files=FILES, kind=zipfile.ZIP_DEFLATED):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", kind) as file:
        file.mkdir("telemetry")
        for name, content in files.items():
            file.writestr(name, content)
    return sink.getvalue()


def packed(kind, files=FILES):
    if kind == ".zip":
        return zipped(files)
    whole = tarred(files)
    if kind == ".tar":
        return whole
    return zstandard.compress(whole) if kind == ".tar.zst" else gzip.compress(whole, mtime=0)


@pytest.fixture
def at(tmp_path):
    """Write a bundle: its path."""

    def write(kind, content):
        path = tmp_path / f"drop{kind}"
        path.write_bytes(content)
        return path

    return write


def content_of(path, limits=LIMITS):
    with bundles.opened(path, limits) as bundle:
        return {member.name: bundle.read(member) for member in bundle.members}, bundle.note


def refused(path, why, limits=LIMITS):
    with pytest.raises(arrivals.RefusedError, match=why), bundles.opened(path, limits):
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_members_come_as_they_were_put_in(at, kind):
    assert content_of(at(kind, packed(kind))) == (FILES, "")
    assert content_of(at(kind, packed(kind, {}))) == ({}, "")


@pytest.mark.parametrize("kind", KINDS)
def test_any_cut_is_told_and_members_are_whole_or_not_there(at, kind):
    whole = packed(kind)
    kept = 0
    for size in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        path = at(kind, whole[:size])
        try:
            with bundles.opened(path, LIMITS) as bundle:
                told, whole_ones = bool(bundle.note), 0
                for member in bundle.members:
                    try:
                        assert bundle.read(member) == FILES[member.name]
                        whole_ones += 1
                    except bundles.Cut as cut:
                        told |= "cut off" in str(cut)
                # Of the zeros at the end some may be missing: then nothing is lost.
                assert told or whole_ones == 3
                assert not bundle.note or bundle.note.startswith(f"incomplete at byte {size} (")
                kept += whole_ones
        except arrivals.RefusedError as error:
            assert f"incomplete at byte {size}" in str(error) or "damaged" in str(error)
    assert kept or kind != ".tar"


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits_never_end_in_anything_but_our_errors(at, kind):
    whole = packed(kind)
    for place in range(0, min(len(whole), 6000), 37):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        try:
            found, _ = content_of(at(kind, bytes(changed)))
        except errors.DataError:
            continue
        if kind in (".zip", ".tar.gz", ".tgz"):  # these have checksums of their content
            assert set(found.values()) <= set(FILES.values())


ODD = {
    "../secret.csv": "leads out of it", "/etc/secret.csv": "leads out of it", "a/../../b.csv": "leads out of it",
    "..\\secret.csv": "leads out of it", "C:/secret.csv": "leads out of it",
}  # fmt: skip


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", ODD)
def test_a_name_that_leads_out_is_refused_and_the_others_are_read(at, kind, name):
    with bundles.opened(at(kind, packed(kind, {name: b"x", "a.csv": b"y"})), LIMITS) as bundle:
        first, second = bundle.members
        assert bundle.read(second) == b"y"
        with pytest.raises(arrivals.RefusedError, match=ODD[name]) as told:
            bundle.read(first)
    assert f"in drop{kind}" in str(told.value) and name.replace("\\", "\\\\") in str(told.value)


TYPES = {
    tarfile.SYMTYPE: "is a symbolic link", tarfile.LNKTYPE: "is a hard link", tarfile.FIFOTYPE: "is a pipe",
    tarfile.CHRTYPE: "is a device", tarfile.BLKTYPE: "is a device", b"S": "is no regular file",
    b"Z": "is no regular file",
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_what_is_no_plain_file_in_a_tar_is_refused(at, kind):
    def change(told):
        told.type, told.linkname = kind, "/etc/passwd"

    content = tarred({"a.csv": b""}, change)
    with bundles.opened(at(".tar", content), LIMITS) as bundle:
        assert [member.refused.partition(" in ")[2] for member in bundle.members] == [
            f"drop.tar {TYPES[kind]}"
        ]


def test_links_secrets_and_other_packings_in_a_zip_are_refused(at):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("lzma.csv", b"x" * 100, zipfile.ZIP_LZMA)
        file.writestr("plain.csv", b"x")
    content = bytearray(sink.getvalue())
    place = content.rindex(b"PK\x01\x02")  # of plain.csv
    content[place + 8] |= 1
    with bundles.opened(at(".zip", bytes(content)), LIMITS) as bundle:
        told = [member.refused.partition(" in drop.zip ")[2] for member in bundle.members]
    assert told == ["is a symbolic link", "is packed in another way", "is encrypted"]


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.zst"])
def test_a_bomb_is_refused_before_it_is_unpacked(at, kind):
    path = at(kind, packed(kind, {"zeros.csv": bytes(2**26)}))
    assert path.stat().st_size < 2**17
    tracemalloc.start()
    try:
        refused(path, "unpacks to (more than )?[0-9]+ bytes")
        refused(
            path, "unpacks to 67108864 bytes, at most 1000000|has 67108864", arrivals.Limits(unpacked=10**6)
        )
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_a_zip_of_ten_gigabytes_is_refused_by_what_it_says_of_itself(at):
    """Ten members of a gigabyte each, all of the same few bytes: only the directory is read."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as file:
        for number in range(10):
            file.writestr(f"telemetry-{number}.csv", b"x")
    content = bytearray(sink.getvalue())
    place = 0
    while (place := content.find(b"PK\x01\x02", place)) >= 0:
        content[place + 24 : place + 28] = (2**30).to_bytes(4, "little")
        place += 46
    refused(at(".zip", bytes(content)), r"unpacks to 10737418240 bytes, at most 4294967296 are read")


def test_a_zip_that_lies_about_a_size_is_noticed(at):
    content = bytearray(zipped({"a.csv": b"x" * 5000}))
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    with bundles.opened(at(".zip", bytes(content)), LIMITS) as bundle, pytest.raises(bundles.Cut):
        bundle.read(bundle.members[0])


def test_more_members_than_agreed_are_refused(at):
    many = {f"{n}.csv": b"" for n in range(11)}
    for kind in KINDS:
        refused(at(kind, packed(kind, many)), "more than 10 members", arrivals.Limits(members=10))


def test_a_directory_of_a_million_names_is_not_read(at):
    """What a listing costs is bounded too, whatever the directory claims."""
    many = {f"{'n' * 200}{n}.csv": b"" for n in range(900)}
    few = arrivals.Limits(members=10)
    refused(at(".zip", zipped(many)), "tells of itself in [0-9]+ bytes, at most 131072 are read", few)
    long = {"n" * 9000 + ".csv": b""}
    refused(at(".tar", tarred(long)), "tells of itself in [0-9]+ bytes, at most 8192")


def test_a_tar_whose_header_leads_back_ends(at):
    """CVE-2025-8194: a negative size in an extended header made tarfile read for ever."""

    def change(told):
        told.pax_headers = {"size": "-1024"}

    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as file:
        told = tarfile.TarInfo("a.csv")
        change(told)
        file.addfile(told)
    with pytest.raises(arrivals.RefusedError):
        content_of(at(".tar", sink.getvalue()))


def test_a_member_beyond_what_a_file_may_have_is_refused_by_name(at):
    for kind in KINDS:
        path = at(kind, packed(kind, {"large.csv": b"x" * 2000, "small.csv": b"y"}))
        with bundles.opened(path, arrivals.Limits(file=1000)) as bundle:
            assert (
                bundle.members[0].refused
                == f"'large.csv' in drop{kind} has 2000 bytes, at most 1000 are read"
            )
            assert bundle.read(bundle.members[1]) == b"y"


def test_a_bundle_that_changes_while_it_is_read_is_noticed(at):
    path = at(".tar", tarred())
    with bundles.opened(path, LIMITS) as bundle:
        bundle.read(bundle.members[0])
        with path.open("r+b") as file:
            file.write(b"tele")
        with pytest.raises(arrivals.ChangingError, match=r"drop\.tar changes while it is read"):
            bundle.read(bundle.members[1])


def test_a_link_and_a_folder_are_no_bundle(tmp_path):
    (tmp_path / "link.zip").symlink_to("/etc/hostname")
    (tmp_path / "inner.tar").mkdir()
    refused(tmp_path / "link.zip", "is a symbolic link")
    refused(tmp_path / "inner.tar", "is a folder")
    with (
        pytest.raises(errors.DataError, match="cannot be read"),
        bundles.opened(tmp_path / "gone.zip", LIMITS),
    ):
        pass


def test_names_that_are_not_utf8_are_shown(at):
    content = tarred({"aäb.csv": b"x"}).replace("ä".encode(), b"\xff\xfe")
    parts = bytearray(content)
    block = content.index(b"a\xff\xfeb")
    parts[block + 148 : block + 156] = b" " * 8
    parts[block + 148 : block + 156] = b"%06o\0 " % sum(parts[block : block + 512])
    found, note = content_of(at(".tar", bytes(parts)))
    assert (list(found), note) == (["a??b.csv"], "")
