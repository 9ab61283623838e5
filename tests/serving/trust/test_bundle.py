import tarfile

import pytest
from securesystemslib.signer import CryptoSigner

from flyball import errors
from flyball.serving.trust import bundle, mirror

FILES = {"outcomes.jsonl": b'{"key": "s1"}\n', "audit.jsonl": b"{}\n"}


@pytest.fixture
def key():
    return CryptoSigner.generate_ed25519()


def test_evidence_reads_back(key, tmp_path):
    bundle.outward(tmp_path / "out.tar", FILES, {"machine": "s1", "number": 3}, key)
    assert bundle.opened(tmp_path / "out.tar", key.public_key) == ({"machine": "s1", "number": 3}, FILES)


def test_evidence_of_another_key_is_set_aside(key, tmp_path):
    bundle.outward(tmp_path / "out.tar", FILES, {}, key)
    with pytest.raises(errors.SignatureError):
        bundle.opened(tmp_path / "out.tar", CryptoSigner.generate_ed25519().public_key)


def test_a_note_that_was_changed_below_a_signature_that_looks_right_is_told(key, tmp_path):
    bundle.outward(tmp_path / "out.tar", FILES, {"machine": "s1"}, key)
    content = (tmp_path / "out.tar").read_bytes()
    (tmp_path / "out.tar").write_bytes(content.replace(b'"machine": "s1"', b'"machine": "s2"'))
    with pytest.raises(errors.SignatureError):
        bundle.opened(tmp_path / "out.tar", key.public_key)


def test_a_tar_in_pieces_is_the_tar_that_python_writes(tmp_path):
    import io

    files = {"a": b"", "long/" * 30 + "name": b"x" * 513, "ü": b"y" * 512, "big": bytes(3 * 2**20 + 1)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            told = tarfile.TarInfo(name)
            told.size = len(content)
            tar.addfile(told, io.BytesIO(content))
    (tmp_path / "big").write_bytes(files["big"])
    pieces = list(bundle._tar({**files, "big": tmp_path / "big"}))
    assert b"".join(pieces) == out.getvalue() and max(map(len, pieces)) <= 2**20


@pytest.mark.parametrize("how", ["changed", "missing", "extra", "torn", "link"])
def test_evidence_that_was_touched_is_told(key, tmp_path, how):
    bundle.outward(tmp_path / "out.tar", FILES, {}, key)
    with tarfile.open(tmp_path / "out.tar") as tar:
        found = {told.name: tar.extractfile(told).read() for told in tar}
    if how == "changed":
        found["audit.jsonl"] = b"{ }"
    elif how == "missing":
        del found["audit.jsonl"]
    elif how == "extra":
        found["more"] = b""
    content = b"".join(bundle._tar(found))
    (tmp_path / "out.tar").write_bytes(content[:700] if how == "torn" else content)
    if how == "link":
        with tarfile.open(tmp_path / "out.tar", "a") as tar:
            told = tarfile.TarInfo("l")
            told.type, told.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(told)
    with pytest.raises(errors.TamperedError):
        bundle.opened(tmp_path / "out.tar", key.public_key)


def test_a_machine_cut_off_through_a_rotation_follows_from_a_bundle(rig, packed, ordered, tmp_path):
    rig.update()
    rig.put("root")
    rig.put("root")
    rig.repository.offer(ordered(), packed[0], rig.online, rig.now)
    size = bundle.inward(rig.repository.folder, tmp_path / "in.tar")
    assert size == (tmp_path / "in.tar").stat().st_size
    assert rig.update(mirror.Bundle(tmp_path / "in.tar"))
    assert rig.known("root") == 3
    rig.trusted.release(ordered(), False, mirror.Bundle(tmp_path / "in.tar"), tmp_path / "got.tar")
    assert (tmp_path / "got.tar").read_bytes() == packed[0].read_bytes()
