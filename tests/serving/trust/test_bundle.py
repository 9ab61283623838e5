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
    content = bundle._tar(found)
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
