"""Signing keys: Ed25519, each in a file that only its owner can read, encrypted where a passphrase is given.

Why: whoever holds a key decides what runs on a machine.  The root and site keys stay offline (a card, a safe, two
people); only the loop's online key lies where a service can use it, and it signs nothing but candidates.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import errors

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

#: A private key that others can read is no private key.
PRIVATE = 0o600


def make(path: Path, passphrase: str | None = None) -> CryptoSigner:
    """Make a new key, write its private half to `path` (mode 0600) and its public half to `path`.pub; return it.

    Raises TrustError when a key is there already: a lost key is a rotation, never an overwrite.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     key = make(Path(place) / "site-a")
    ...     load(Path(place) / "site-a").public_key.keyid == key.public_key.keyid
    True
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer import CryptoSigner

    secret = Ed25519PrivateKey.generate()
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        how = serialization.BestAvailableEncryption(passphrase.encode())
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption_algorithm=how
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError:
        raise errors.TrustError(
            f"{path}: a key is there already: give another name, or rotate the role to a new key"
        ) from None
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    signer = CryptoSigner(secret)
    path.with_name(path.name + ".pub").write_bytes(public_pem(signer))
    return signer


def load(path: Path, passphrase: str | None = None) -> CryptoSigner:
    """Return the key of a file; raises TrustError for one that others can read, or that does not open."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer import CryptoSigner

    if not path.is_file():
        raise errors.TrustError(f"{path}: no key file: make one with `flyball keys new {path}`")
    if path.stat().st_mode & 0o077:
        raise errors.TrustError(f"{path}: others can read this private key: chmod 600 it, and rotate it")
    try:
        secret = serialization.load_pem_private_key(
            path.read_bytes(), passphrase.encode() if passphrase else None
        )
    except (ValueError, TypeError) as error:
        raise errors.TrustError(
            f"{path}: cannot be opened as a private key ({error}): is the passphrase right?"
        ) from None
    if not isinstance(secret, Ed25519PrivateKey):
        raise errors.TrustError(f"{path}: not an Ed25519 key: make one with `flyball keys new`")
    return CryptoSigner(secret)


def load_public(path: Path) -> Key:
    """Return the public key of a .pub file."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from securesystemslib.signer import SSlibKey

    try:
        found = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise errors.TrustError(f"{path}: no public key can be read there ({error})") from None
    if not isinstance(found, Ed25519PublicKey):
        raise errors.TrustError(f"{path}: not an Ed25519 key: give a .pub file of `flyball keys new`")
    return SSlibKey.from_crypto(found)


def public_pem(signer: CryptoSigner) -> bytes:
    """Return the public half of a key as PEM."""
    from cryptography.hazmat.primitives import serialization

    key = signer.public_key._crypto_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
