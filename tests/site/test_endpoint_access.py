import os

import pytest

from flyball import errors
from flyball.site import endpoint_access as access

TOKEN = "t" * 32


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "tokens"
    place.write_text(f"{TOKEN}\n{'u' * 24}\n")
    place.chmod(0o600)
    return place


def test_beyond_this_machine_it_needs_a_certificate_and_tokens(tmp_path):
    pem, key, tokens = tmp_path / "c", tmp_path / "k", tmp_path / "t"
    for host in ("0.0.0.0", "::", "", "10.0.0.1", "scanner.example"):
        for more in ({}, {"tokens": tokens}, {"certificate": pem, "key": key}):
            assert "other machines" in access.Bind(host, **more).problem()
        assert access.Bind(host, certificate=pem, key=key, tokens=tokens).problem() == ""
    assert access.Bind("127.0.0.7").problem() == "" == access.Bind("::1").problem()
    assert "without its key" in access.Bind(certificate=pem).problem()


def test_a_token_is_known_or_not(file):
    tokens = access.Tokens.read(file)
    for good in (f"Bearer {TOKEN}", f"bearer {TOKEN}".encode(), "Bearer " + "u" * 24):
        assert tokens.allow(good)
    for bad in (
        None,
        "",
        b"Bearer",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer " + "x" * 10**6,
    ):
        assert not tokens.allow(bad)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "0 tokens"),
        ("short\n", "short or odd"),
        ("a b" * 20, "short or odd"),
        (f"{TOKEN}\n" * 65, "65 tokens"),
    ],
)
def test_a_file_of_bad_tokens_is_refused(file, content, said):
    file.write_text(content)
    with pytest.raises(errors.DataError, match=said):
        access.Tokens.read(file)


def test_a_file_that_others_may_read_is_refused(file, tmp_path):
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(errors.DataError, match="chmod 600"):
            access.private(file)
    file.chmod(0o600)
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(errors.DataError, match="plain file"):
        access.private(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(errors.DataError, match="others may"):
        access.private(tmp_path / "pipe")
    with pytest.raises(errors.DataError, match="No such file"):
        access.private(tmp_path / "none")
    file.write_bytes(bytes(access.MOST_BYTES + 1))
    with pytest.raises(errors.DataError, match="more than"):
        access.private(file)
