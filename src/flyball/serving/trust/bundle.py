"""What crosses an air gap: updates in, evidence out, one plain tar file each.

The way in holds a signed set as a mirror would serve it and needs no trust of its own.  The way out holds what the
site's policy lets leave (counts, outcomes, audit), numbered and signed by the machine's own key.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from flyball import durable, errors

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

NOTE, SIGNATURE = "evidence.json", "evidence.sig.json"
#: The most that a bundle of evidence may hold.
MOST_FILES, MOST_BYTES = 1000, 2**30


def inward(repository: Path, file: Path) -> int:
    """Write the published set of a repository folder as one bundle and return its bytes.

    All roots go along, so that a machine that was cut off through several rotations can follow; of releases only
    those that the newest set orders.
    """
    from tuf.api.metadata import Metadata, Targets

    metadata = repository / "metadata"
    names = [f"metadata/{found.name}" for found in sorted(metadata.glob("*.root.json"))]
    names.append("metadata/timestamp.json")
    for role in ("snapshot", "targets", "candidates"):
        newest = max(metadata.glob(f"*.{role}.json"), key=lambda found: int(found.name.split(".")[0]))
        names.append(f"metadata/{newest.name}")
        if role == "snapshot":
            continue
        for path, told in sorted(Metadata[Targets].from_file(str(newest)).signed.targets.items()):
            folder, _, name = path.rpartition("/")
            names.append("/".join(filter(None, ("targets", folder, f"{told.hashes['sha256']}.{name}"))))
    durable.write(file, _tar({name: repository / name for name in names}))
    return file.stat().st_size


def outward(file: Path, files: Mapping[str, bytes], told: Mapping[str, Any], signer: CryptoSigner) -> None:
    """Write evidence that leaves a site: the files, a note with their digests and what is told, and its signature."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    note = json.dumps({**told, "files": digests}, sort_keys=True).encode()
    signature = json.dumps(signer.sign(note).to_dict()).encode()
    durable.write(file, _tar({NOTE: note, SIGNATURE: signature, **dict(sorted(files.items()))}))


def opened(file: Path, key: Key) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what a bundle of evidence tells and its files; raises SignatureError or TamperedError."""
    from securesystemslib.exceptions import UnverifiedSignatureError
    from securesystemslib.signer import Signature

    found = _members(file)
    if NOTE not in found or SIGNATURE not in found:
        raise errors.TamperedError(f"{file}: no signed note: not evidence of a machine")
    try:
        key.verify_signature(Signature.from_dict(json.loads(found[SIGNATURE])), found[NOTE])
        told = json.loads(found[NOTE])
        digests = told.pop("files")
    except (UnverifiedSignatureError, ValueError, KeyError, TypeError):
        raise errors.SignatureError(f"{file}: not signed by the key of this machine: set it aside") from None
    content = {name: value for name, value in found.items() if name not in (NOTE, SIGNATURE)}
    for name in sorted(set(digests) ^ set(content)):
        raise errors.TamperedError(f"{file}: {name}: put in or taken out on the way")
    for name, value in content.items():
        if hashlib.sha256(value).hexdigest() != digests[name]:
            raise errors.TamperedError(f"{file}: {name}: changed on the way")
    return told, content


def _tar(files: Mapping[str, Path | bytes]) -> Iterator[bytes]:
    """Yield a plain tar of files piece by piece: a bundle may be larger than this machine's memory."""
    written = 0
    for name, content in files.items():
        with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
            told = tarfile.TarInfo(name)
            told.size = source.seek(0, io.SEEK_END)
            source.seek(0)
            for piece in itertools.chain((told.tobuf(tarfile.PAX_FORMAT),), _read(source, told.size)):
                written += len(piece)
                yield piece
            padding = -written % tarfile.BLOCKSIZE
            written += padding
            yield bytes(padding)
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(written + end) % tarfile.RECORDSIZE)


def _read(source: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield so many bytes of a file: what is written to it meanwhile was not announced."""
    while size and (piece := source.read(min(size, 2**20))):
        size -= len(piece)
        yield piece


def _members(file: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    taken = 0
    try:
        with tarfile.open(file, "r:") as tar:
            for told in tar:
                taken += told.size
                if taken > MOST_BYTES or len(found) >= MOST_FILES:
                    raise errors.EndlessDataError(f"{file}: larger than evidence may be")
                content = tar.extractfile(told) if told.isreg() else None
                if content is None or told.sparse or told.name in found or "/" in told.name:
                    raise errors.TamperedError(f"{file}: {told.name!a}: no plain file of evidence")
                found[told.name] = content.read()
    except (tarfile.TarError, EOFError, FileNotFoundError) as error:
        raise errors.TamperedError(f"{file}: damaged or missing ({error})") from None
    return found
