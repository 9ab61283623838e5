import json
import os
import shutil
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import errors
from flyball.model import stage as model
from flyball.serving import release

PACKED = model.Packed(
    "chain",
    {"steps": 2, "rate": 0.25},
    {"a.bin": b"\0\1", "notes.txt": b""},
    (model.Packed("rule", {"columns": ["x"]}), model.Packed("onnxruntime", {}, {"model.onnx": b"graph"})),
)


@pytest.fixture
def folder(tmp_path):
    """A sealed release under its digest."""
    draft = tmp_path / "draft"
    release.write_packed(draft / "model", PACKED)
    (draft / "page.txt").write_text("System(...)\n")
    return draft.rename(tmp_path / release.sealed(draft))


def test_what_was_sealed_verifies_and_reads_back(folder):
    listed = release.verify(folder)
    assert sorted(listed) == [
        "model/0/packed.json",
        "model/1/model.onnx",
        "model/1/packed.json",
        "model/a.bin",
        "model/notes.txt",
        "model/packed.json",
        "page.txt",
    ]
    assert release.read_packed(folder / "model") == PACKED


def test_the_same_content_has_the_same_name(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "again")
    (tmp_path / "again" / "manifest.json").unlink()
    assert release.sealed(tmp_path / "again") == folder.name


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def git(folder):
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("[core]\n")


def rewrite(folder, **changes):
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**told, **changes}))


TAMPERED = {
    "a changed byte": lambda folder: flip(folder / "model" / "1" / "model.onnx"),
    "a changed byte of the page": lambda folder: flip(folder / "page.txt"),
    "a changed byte of the manifest": lambda folder: flip(folder / "manifest.json"),
    "a shortened file": lambda folder: (folder / "model" / "a.bin").write_bytes(b""),
    "a missing file": lambda folder: (folder / "page.txt").unlink(),
    "a missing manifest": lambda folder: (folder / "manifest.json").unlink(),
    "an extra file": lambda folder: (folder / "model" / "run.py").write_text("boom"),
    "an extra hidden file": lambda folder: (folder / ".hidden").write_text(""),
    "a git folder": git,
    "a file that became a link": lambda folder: (
        (folder / "page.txt").rename(folder.parent / "page"),
        (folder / "page.txt").symlink_to(folder.parent / "page"),
    ),
    "a folder that is a link": lambda folder: (folder / "more").symlink_to("/"),
    "a manifest that is a link": lambda folder: (
        (folder / "manifest.json").rename(folder.parent / "told"),
        (folder / "manifest.json").symlink_to(folder.parent / "told"),
    ),
    "a pipe": lambda folder: os.mkfifo(folder / "pipe"),
    "an odd name": lambda folder: (folder / "a\nb").write_text(""),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_what_was_tampered_with_is_refused(folder, tamper):
    tamper(folder)
    with pytest.raises(errors.TamperedError, match=r"refuse|incomplete"):
        release.verify(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"../page.txt": "0" * 64}},
        {"files": {"/etc/passwd": "0" * 64}},
        {"files": ["page.txt"]},
        {"files": {"page.txt": 3}},
        {"files": {}},
        {"format": 99},
        {"format": None},
    ],
    ids=str,
)
def test_a_manifest_that_verifies_and_lies_is_refused(folder, changes):
    rewrite(folder, **changes)
    with pytest.raises(errors.TrustError):
        release.verify(folder, digest=release._digest(folder / "manifest.json"))


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "[" * 100_000])
def test_a_manifest_that_is_no_object_is_refused(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(errors.TrustError):
        release.verify(folder, digest=release._digest(folder / "manifest.json"))


def test_another_release_under_this_name_is_refused(folder):
    with pytest.raises(errors.TamperedError, match="its digest is not"):
        release.verify(folder, "0" * 64)


def test_links_are_not_sealed(tmp_path):
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(errors.TamperedError):
        release.sealed(tmp_path / "draft")


def test_too_much_is_refused(folder, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(errors.TrustError, match="more than 8 bytes"):
        patch.setattr(release, "MOST_BYTES", 8)
        release.verify(folder)
    with monkeypatch.context() as patch, pytest.raises(errors.TamperedError, match="larger or more"):
        patch.setattr(release, "MOST_BYTES", 8)
        release.sealed(folder)
    monkeypatch.setattr(release, "MOST_FILES", 3)
    with pytest.raises(errors.TamperedError, match="larger or more"):
        release.verify(folder)


ODD_NAMES = [
    "../x",
    "/etc/passwd",
    "a/b",
    "..",
    ".",
    "",
    ".hidden",
    "packed.json",
    "0",
    "a\0b",
    "a\nb",
    "a b",
    "c:\\x",
    "é",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_no_file_name_leads_out_of_the_folder(tmp_path, name):
    with pytest.raises(errors.TrustError, match="no plain file name"):
        release.write_packed(tmp_path / "model", model.Packed("rule", {}, {name: b"x"}))
    assert not (tmp_path / "model").exists()
    (tmp_path / "read").mkdir()
    told = {"runner": "rule", "settings": {}, "files": [name], "inner": 0}
    (tmp_path / "read" / "packed.json").write_text(json.dumps(told))
    with pytest.raises(errors.TrustError, match="no plain file name"):
        release.read_packed(tmp_path / "read")


@given(st.text(max_size=30))
def test_a_name_is_plain_or_refused(name):
    try:
        release._plain(name, release.Path("."))
    except errors.TrustError:
        return
    assert os.path.basename(name) == name
    assert name not in ("", ".", "..", "packed.json")


@pytest.mark.parametrize(
    "told",
    [
        {},
        [],
        {"runner": 3, "settings": {}, "files": [], "inner": 0},
        {"runner": "rule", "settings": [], "files": [], "inner": 0},
        {"runner": "rule", "settings": {}, "files": {}, "inner": 0},
        {"runner": "rule", "settings": {}, "files": [7], "inner": 0},
        {"runner": "rule", "settings": {}, "files": [], "inner": -1},
        {"runner": "rule", "settings": {}, "files": [], "inner": True},
        {"runner": "rule", "settings": {}, "files": [], "inner": 10**9},
        {"runner": "rule", "settings": {}, "files": [], "inner": 1},
        {"runner": "rule", "settings": {}, "files": ["gone.onnx"], "inner": 0},
    ],
    ids=str,
)
def test_what_is_no_packed_predictor_is_refused(tmp_path, told):
    (tmp_path / "packed.json").write_text(json.dumps(told))
    with pytest.raises(errors.TrustError):
        release.read_packed(tmp_path)


def test_predictors_inside_each_other_end_somewhere(tmp_path):
    packed = model.Packed("rule")
    for _ in range(release.MOST_DEEP + 1):
        packed = model.Packed("chain", {}, {}, (packed,))
    release.write_packed(tmp_path / "model", packed)
    with pytest.raises(errors.TrustError, match="deeper"):
        release.read_packed(tmp_path / "model")


def test_a_packed_release_has_the_same_bytes_and_unpacks_to_the_same_release(plain, tmp_path):
    for name in ("a.tar", "b.tar"):
        release.pack(plain, tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    (tmp_path / "new").mkdir()
    release.unpack(tmp_path / "a.tar", tmp_path / "new", plain.name)
    assert release.verify(tmp_path / "new", plain.name) == release.verify(plain)


@pytest.mark.parametrize(
    "name", ["../out.txt", "/out.txt", "a/./b.txt", "a//b.txt", "page.txt", "a\\b.txt", "é\n"]
)
def test_a_member_that_is_no_plain_new_file_is_refused(plain, tmp_path, name):
    release.pack(plain, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo(name))
    (tmp_path / "new").mkdir()
    with pytest.raises(errors.TamperedError):
        release.unpack(tmp_path / "a.tar", tmp_path / "new", plain.name)
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_no_file_is_refused(plain, tmp_path, kind):
    release.pack(plain, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar", "a") as tar:
        told = tarfile.TarInfo("model/more")
        told.type, told.linkname = kind, "page.txt"
        tar.addfile(told)
    (tmp_path / "new").mkdir()
    with pytest.raises(errors.TamperedError):
        release.unpack(tmp_path / "a.tar", tmp_path / "new", plain.name)


def test_a_torn_archive_is_refused(plain, tmp_path):
    release.pack(plain, tmp_path / "a.tar")
    content = (tmp_path / "a.tar").read_bytes()
    for cut in (100, 700, 1500):
        (tmp_path / "torn.tar").write_bytes(content[:cut])
        place = tmp_path / f"new{cut}"
        place.mkdir()
        with pytest.raises(errors.TamperedError):
            release.unpack(tmp_path / "torn.tar", place, plain.name)


def test_a_hard_link_and_a_swapped_kind_are_not_admitted(plain, tmp_path):
    release.admit(plain)
    os.link(plain / "page.txt", tmp_path / "other")
    with pytest.raises(errors.FormatError, match="hard link"):
        release.admit(plain)
    draft = tmp_path / "draft"
    (draft / "model").mkdir(parents=True)
    (draft / "model" / "model.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(errors.FormatError, match="pickle"):
        release.admit(draft, release.sealed(draft))


@pytest.fixture
def plain(tmp_path):
    """A sealed release with nothing but what a machine admits."""
    draft = tmp_path / "plain"
    release.write_packed(draft / "model", model.Packed("rule", {"columns": ["x"]}))
    (draft / "page.txt").write_text("System(...)\n")
    return draft.rename(tmp_path / release.sealed(draft))
