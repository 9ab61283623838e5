"""Who may ask: the machine itself, or whoever brings a token over TLS, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flyball import errors

#: A token has at least so many characters, a file at most so many tokens and bytes.
SHORTEST, MOST_TOKENS, MOST_BYTES = 24, 64, 2**16


@dataclass(frozen=True)
class Bind:
    """Where an endpoint listens, and by whose leave.

    `port` 0 takes a free one, None does not listen; `certificate` and `key` are PEM files; `tokens` is a file of
    mode 0600 with a bearer token a line.  Beyond the loopback both are needed.

    >>> Bind().problem()
    ''
    >>> Bind("0.0.0.0").problem()
    '0.0.0.0 is reached from other machines: give certificate, key and tokens, or bind to 127.0.0.1'
    """

    host: str = "127.0.0.1"
    port: int | None = 8080
    grpc_port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    tokens: Path | None = None

    def problem(self) -> str:
        """Return why it may not listen there, or an empty text."""
        if (self.certificate is None) != (self.key is None):
            return "a certificate without its key, or a key without its certificate: give both or neither"
        if not loopback(self.host) and (self.certificate is None or self.tokens is None):
            return (
                f"{self.host} is reached from other machines: give certificate, key and tokens, "
                "or bind to 127.0.0.1"
            )
        return ""


def loopback(host: str) -> bool:
    """Say whether an address is this machine's own alone; a name is not looked up, so only `localhost` is one.

    >>> [loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "", "::", "example.org")]
    [True, True, True, False, False, False, False]
    """
    import ipaddress

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Tokens:
    """Bearer tokens, kept as digests: comparing takes as long for a wrong token as for a right one."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = [hashlib.sha256(token.encode()).digest() for token in tokens]

    @staticmethod
    def read(file: Path) -> Tokens:
        """Read a file of tokens; raises DataError when others may read it, or it holds none that is long enough."""
        content = private(file)
        tokens = [line.strip() for line in content.decode(errors="replace").splitlines() if line.strip()]
        if not 1 <= len(tokens) <= MOST_TOKENS:
            raise errors.DataError(f"{file}: {len(tokens)} tokens: give 1 to {MOST_TOKENS}, one a line")
        if any(len(token) < SHORTEST or not token.isascii() or " " in token for token in tokens):
            raise errors.DataError(
                f"{file}: a token that is short or odd: make each with "
                "`python -c 'import secrets; print(secrets.token_urlsafe(32))'`"
            )
        return Tokens(tokens)

    def allow(self, header: bytes | str | None) -> bool:
        """Say whether the value of an Authorization header is one of the tokens.

        >>> Tokens(["a" * 24]).allow("Bearer " + "a" * 24), Tokens(["a" * 24]).allow("Bearer " + "b" * 24)
        (True, False)
        """
        given = header.encode() if isinstance(header, str) else header or b""
        scheme, _, token = given.partition(b" ")
        digest = hashlib.sha256(token[:4096].strip()).digest()
        found = [hmac.compare_digest(digest, one) for one in self._digests]
        return scheme.lower() == b"bearer" and any(found)


def private(file: Path) -> bytes:
    """Return the content of a file that is this user's alone (mode 0600, no link); raises DataError otherwise."""
    try:
        number = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise errors.DataError(f"{file}: {error.strerror}: give a plain file of mode 0600") from None
    with open(number, "rb") as source:
        told = os.fstat(number)
        if not stat.S_ISREG(told.st_mode) or told.st_mode & 0o077 or told.st_uid not in (os.geteuid(), 0):
            raise errors.DataError(f"{file}: others may read or change it: chmod 600 {file}")
        content = source.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise errors.DataError(f"{file}: more than {MOST_BYTES} bytes")
    return content
