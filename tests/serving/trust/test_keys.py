import os
import stat

import pytest

from flyball import errors
from flyball.serving.trust import keys


def test_a_key_is_private_and_signs_what_its_public_half_verifies(tmp_path):
    made = keys.make(tmp_path / "site-a")
    assert stat.S_IMODE(os.stat(tmp_path / "site-a").st_mode) == 0o600
    keys.load_public(tmp_path / "site-a.pub").verify_signature(made.sign(b"wave"), b"wave")


def test_a_passphrase_opens_what_it_closed(tmp_path):
    made = keys.make(tmp_path / "root-a", "horse")
    assert keys.load(tmp_path / "root-a", "horse").public_key.keyid == made.public_key.keyid
    for wrong in ("mule", None):
        with pytest.raises(errors.TrustError, match="passphrase"):
            keys.load(tmp_path / "root-a", wrong)


def test_a_key_is_never_overwritten(tmp_path):
    keys.make(tmp_path / "a")
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(errors.TrustError, match="there already"):
        keys.make(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == before


def test_a_key_that_others_can_read_is_refused(tmp_path):
    keys.make(tmp_path / "a")
    (tmp_path / "a").chmod(0o640)
    with pytest.raises(errors.TrustError, match="chmod 600"):
        keys.load(tmp_path / "a")


def test_what_is_no_key_is_told(tmp_path):
    (tmp_path / "a.pub").write_text("ssh-ed25519 AAAA")
    with pytest.raises(errors.TrustError, match="no public key"):
        keys.load_public(tmp_path / "a.pub")
    with pytest.raises(errors.TrustError, match="flyball keys new"):
        keys.load(tmp_path / "none")
