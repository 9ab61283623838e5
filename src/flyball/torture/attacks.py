"""Attacks on the signed set: each named attack on an updater, mounted against what a machine trusts.

The names are those of python-tuf's own tests of its top-level update, so that the two lists can be compared; each
says which error must come of it, or that none may.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors
from flyball.serving.trust import client, mirror, repository
from flyball.serving.trust.repository import Repository

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Metadata

#: A day in microseconds, and the morning on which every trial begins.
DAY, BEGIN = 86_400_000_000, 1_767_254_400_000_000
ONLINE = ("timestamp", "snapshot", "candidates")


class Rig:
    """A signed set in a folder, the keys that made it, and a machine that trusts its first root."""

    def __init__(self, folder: Path, gullible: bool = False, stubborn: bool = False) -> None:
        from securesystemslib.signer import CryptoSigner

        def made(count: int) -> list[CryptoSigner]:
            return [CryptoSigner.generate_ed25519() for _ in range(count)]

        self.folder, self.now = folder, BEGIN
        #: Broken on purpose: a machine that believes whatever comes, one that follows no new root.
        self.gullible, self.stubborn = gullible, stubborn
        self.root, self.site, self.online = made(3), made(3), made(1)[0]
        self.repository = Repository.create(
            folder / "repository", self.root, self.site, self.online, (2, 2), self.now
        )

    @cached_property
    def trusted(self) -> client.Trusted:
        """The machine's side, started from the first root."""
        return client.Trusted(self.folder / "machine", self.repository.root())

    def update(self, source: mirror.Mirror | None = None) -> bool:
        """Let the machine update from the mirror."""
        if self.gullible:
            return True
        kind = Rootless if self.stubborn else mirror.Folder
        return self.trusted.update(source or kind(self.repository.folder), self.now)

    def signers(self, role: str) -> Sequence[CryptoSigner]:
        """Return who signs a role."""
        return {"root": self.root, "targets": self.site}.get(role, (self.online,))

    def put(
        self, role: str, change: Callable[[Any], object] = lambda signed: None,
        by: Iterable[CryptoSigner] | None = None, version: int | None = None,
    ) -> None:  # fmt: skip
        """Publish the next version of a role as changed, signed by whoever is given; nothing else is renewed."""
        found = self.repository._next(role, self.now)
        if version is not None:
            found.signed.version = version
        change(found.signed)
        for signer in self.signers(role) if by is None else by:
            found.sign(signer, append=True)
        self.repository._keep(found, role)

    def beat(self, **told: int) -> None:
        """Publish snapshot and timestamp over the versions that are told (others: the newest that are there)."""
        self.put("snapshot", lambda signed: _meta(signed, told), version=told.get("snapshot"))
        version = self.newest("snapshot") if "snapshot" not in told else told["snapshot"]
        self.put("timestamp", lambda signed: setattr(signed, "snapshot_meta", repository._meta(version)))

    def newest(self, role: str) -> int:
        """Return the newest version of a role that lies in the repository."""
        return int(self.repository.read(role).signed.version)

    def known(self, role: str) -> int:
        """Return the version of a role that the machine believes, 0 for none."""
        from tuf.api.metadata import Metadata

        file = self.folder / "machine" / "set" / f"{role}.json"
        return int(Metadata.from_file(str(file)).signed.version) if file.is_file() else 0

    def remove(self, role: str) -> None:
        """Take every version of a role but the first out of the repository: what an attacker does before a replay."""
        for file in self.repository.metadata.glob(f"*.{role}.json"):
            if not file.name.startswith("1."):
                file.unlink()


class Rootless(mirror.Folder):
    """A mirror whose new roots are not seen: what a machine sees that follows none."""

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file that is no root."""
        if path.endswith(".root.json"):
            raise FileNotFoundError(path)
        yield from super().read(path)


class Attack(NamedTuple):
    """A named attack: the row of the list it belongs to, the error that must name it, and how it is mounted."""

    name: str
    row: str
    error: type[errors.FlyballError] | None
    mount: Callable[[Rig], object]


def mounted(attack: Attack, folder: Path, sabotage: bool = False) -> str:
    """Mount an attack and return why the promise was not kept; empty when it was.

    With `sabotage` the machine believes whatever comes, or follows no new root where one is the cure.
    """
    cured = attack.error is None
    rig = Rig(folder, gullible=sabotage and not cured, stubborn=sabotage and cured)
    try:
        attack.mount(rig)
        rig.update()
    except errors.FlyballError as error:
        if attack.error is None or not isinstance(error, attack.error):
            return f"{type(error).__name__} ({error}) where {attack.error and attack.error.__name__} was due"
        return ""
    return "" if attack.error is None else f"went through, {attack.error.__name__} was due"


def _meta(signed: Any, told: dict[str, int]) -> None:
    for role in ("targets", "candidates"):
        if role in told:
            signed.meta[f"{role}.json"].version = told[role]


def _past(signed: Any) -> None:
    signed.expires = datetime.fromtimestamp(BEGIN / 1e6, UTC).replace(microsecond=0) - timedelta(days=5)


def first_time_refresh(rig: Rig) -> None:
    """Nothing is attacked: a set with a second root is taken whole."""
    rig.put("root")


def trusted_root_expired(rig: Rig) -> None:
    """The newest root has expired; it is kept, and the next one is reached from it."""
    rig.put("root", _past)
    _refused(rig, errors.FreezeAttackError)
    _is(rig, "root", 2)
    rig.put("root")


def trusted_root_unsigned(rig: Rig) -> None:
    """The root that was brought by hand carries no signature."""
    from tuf.api.metadata import Metadata

    found: Metadata[Any] = Metadata.from_bytes(rig.repository.root())
    found.signatures.clear()
    (rig.folder / "machine").mkdir()
    (rig.folder / "machine" / "root.json").write_bytes(found.to_bytes())


def intermediate_root_incorrectly_signed(rig: Rig) -> None:
    """A root on the way is signed by too few."""
    rig.put("root", by=rig.root[:1])
    rig.put("root")


def intermediate_root_expired(rig: Rig) -> None:
    """A root on the way has expired, which does not matter."""
    rig.put("root", _past)
    rig.put("root")


def final_root_incorrectly_signed(rig: Rig) -> None:
    """The newest root is signed by nobody."""
    rig.put("root", by=())


def new_root_same_version(rig: Rig) -> None:
    """The next root is the one that is known."""
    (rig.repository.metadata / "2.root.json").write_bytes(rig.repository.root())


def new_root_nonconsecutive_version(rig: Rig) -> None:
    """The next root skips a version."""
    rig.put("root", version=3)
    (rig.repository.metadata / "3.root.json").rename(rig.repository.metadata / "2.root.json")


def final_root_expired(rig: Rig) -> None:
    """The newest root has expired."""
    rig.put("root", _past)


def new_timestamp_unsigned(rig: Rig) -> None:
    """The timestamp is signed by nobody."""
    rig.put("timestamp", by=())


def new_timestamp_version_rollback(rig: Rig) -> None:
    """The timestamp is older than one that was seen."""
    old = (rig.repository.metadata / "timestamp.json").read_bytes()
    rig.beat()
    rig.update()
    (rig.repository.metadata / "timestamp.json").write_bytes(old)


def new_timestamp_snapshot_rollback(rig: Rig) -> None:
    """A new timestamp names an older snapshot."""
    rig.beat()
    rig.update()
    rig.put("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", 1))


def new_timestamp_expired(rig: Rig) -> None:
    """The newest timestamp has expired."""
    rig.put("timestamp", _past)


def new_timestamp_fast_forward_recovery(rig: Rig) -> None:
    """Who stole the online key raised the timestamp's version; a new key brings it back to earth."""
    rig.put("timestamp", version=99_999)
    rig.update()
    _rotated(rig, "timestamp")
    rig.put("timestamp", version=2)


def new_snapshot_hash_mismatch(rig: Rig) -> None:
    """The snapshot is not the one whose digest the timestamp gives."""
    rig.put("snapshot")
    rig.put(
        "timestamp", lambda signed: _hashed(signed.snapshot_meta, rig, b"another", rig.newest("snapshot"))
    )


def new_snapshot_unsigned(rig: Rig) -> None:
    """The snapshot is signed by nobody."""
    rig.put("snapshot", by=())
    rig.put("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", rig.newest("snapshot")))


def new_snapshot_version_mismatch(rig: Rig) -> None:
    """The file of the snapshot holds another version than the timestamp names."""
    rig.put("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", 2))
    content = (rig.repository.metadata / "1.snapshot.json").read_bytes()
    (rig.repository.metadata / "2.snapshot.json").write_bytes(content)


def new_snapshot_version_rollback(rig: Rig) -> None:
    """A newer snapshot names an older version of the site's targets."""
    rig.put("targets")
    rig.beat(targets=2)
    rig.update()
    rig.beat(targets=1)


def new_snapshot_fast_forward_recovery(rig: Rig) -> None:
    """Snapshot and timestamp were raised by whoever stole the key; new keys bring both back."""
    rig.put("snapshot", version=99_999)
    rig.put("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", 99_999))
    rig.update()
    _rotated(rig, "snapshot", "timestamp")
    rig.remove("snapshot")
    rig.put("snapshot")
    rig.put("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", 2), version=3)


def new_snapshot_expired(rig: Rig) -> None:
    """The newest snapshot has expired."""
    rig.put("snapshot", _past)
    rig.put("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", rig.newest("snapshot")))


def new_targets_hash_mismatch(rig: Rig) -> None:
    """The site's targets are not those whose digest the snapshot gives."""
    rig.put("targets")
    rig.put("snapshot", lambda signed: _hashed(signed.meta["targets.json"], rig, b"another", 2))
    rig.put("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", rig.newest("snapshot")))


def new_targets_unsigned(rig: Rig) -> None:
    """The site's targets are signed by nobody."""
    rig.put("targets", by=())
    rig.beat(targets=2)


def new_targets_version_mismatch(rig: Rig) -> None:
    """The file of the targets holds another version than the snapshot names."""
    content = (rig.repository.metadata / "1.targets.json").read_bytes()
    rig.beat(targets=2)
    (rig.repository.metadata / "2.targets.json").write_bytes(content)


def new_targets_expired(rig: Rig) -> None:
    """The newest targets have expired."""
    rig.put("targets", _past)
    rig.beat(targets=2)


def new_targets_fast_forward_recovery(rig: Rig) -> None:
    """The targets' version was raised; a new snapshot key brings it back."""
    rig.put("targets", version=99_999)
    rig.beat(targets=99_999)
    rig.update()
    _rotated(rig, "snapshot", "timestamp")
    rig.remove("targets")
    rig.put("targets")
    rig.beat(targets=2)


def snapshot_rollback_with_local_snapshot_hash_mismatch(rig: Rig) -> None:
    """The snapshot that is here no longer fits the timestamp, and still it is what a rollback is told by."""
    rig.put("targets")
    rig.beat(targets=2)
    rig.update()
    rig.put("snapshot", lambda signed: _meta(signed, {"targets": 1}))
    name = f"{rig.newest('snapshot')}.snapshot.json"
    content = (rig.repository.metadata / name).read_bytes()
    rig.put("timestamp", lambda signed: _hashed(signed.snapshot_meta, rig, content, rig.newest("snapshot")))


def compute_metafile_hashes_length(rig: Rig) -> None:
    """Digests and lengths of the parts are given in one set and not in the next."""
    content = (rig.repository.metadata / "1.snapshot.json").read_bytes()
    rig.put("timestamp", lambda signed: _hashed(signed.snapshot_meta, rig, content, 1))
    rig.update()
    rig.beat()


def arbitrary_software_wrong_key(rig: Rig) -> None:
    """The site's targets are signed by keys that nobody named."""
    from securesystemslib.signer import CryptoSigner

    rig.put("targets", by=[CryptoSigner.generate_ed25519() for _ in range(3)])
    rig.beat(targets=2)


def arbitrary_software_below_threshold(rig: Rig) -> None:
    """One of the two signatures that the site's targets need."""
    rig.put("targets", by=rig.site[:1])
    rig.beat(targets=2)


def arbitrary_software_one_key_twice(rig: Rig) -> None:
    """One key that signed twice is one key."""
    rig.put("targets", by=rig.site[:1] * 2)
    rig.beat(targets=2)


def online_key_signs_targets(rig: Rig) -> None:
    """Who stole the online key signs the site's part as well."""
    rig.put("targets", by=(rig.online,))
    rig.beat(targets=2)


def key_loss_one_of_three(rig: Rig) -> None:
    """One of three site keys is lost: the other two still suffice."""
    rig.put("targets", by=rig.site[1:])
    rig.beat(targets=2)


def key_loss_two_of_three(rig: Rig) -> None:
    """Two of three site keys are lost; the root names new ones and revokes all of the old."""
    from securesystemslib.signer import CryptoSigner

    new = [CryptoSigner.generate_ed25519() for _ in range(2)]
    rig.repository.rotate(rig.now, "targets", [key.public_key for key in new], 2)
    for key in rig.root[:2]:
        rig.repository.sign(key, "root")
    rig.repository.publish(rig.online, rig.now, "root")
    rig.site = new
    rig.put("targets")
    rig.beat(targets=2)


def revoked_keys_sign_on(rig: Rig) -> None:
    """After a rotation the stolen keys go on signing: what they sign is refused."""
    old = rig.site
    key_loss_two_of_three(rig)
    rig.update()
    rig.put("targets", by=old)
    rig.beat(targets=3)


def freeze_for_ever(rig: Rig) -> None:
    """The mirror serves the same rightly signed set for weeks."""
    rig.update()
    rig.now += 30 * DAY


def clock_set_back(rig: Rig) -> None:
    """The clock is set back so that an expired set seems fresh: time that has passed stays passed."""
    rig.repository.refresh(rig.online, rig.now + 20 * DAY)
    stale = {file.name: file.read_bytes() for file in rig.repository.metadata.iterdir()}
    rig.now += 20 * DAY
    rig.update()
    rig.now += 5 * DAY
    rig.repository.refresh(rig.online, rig.now)
    rig.update()
    rig.now -= 24 * DAY
    for name, content in stale.items():
        (rig.repository.metadata / name).write_bytes(content)


def endless_data(rig: Rig) -> None:
    """The timestamp never ends."""
    (rig.repository.metadata / "timestamp.json").write_bytes(b"{" + b" " * 2**20)


def mix_and_match(rig: Rig) -> None:
    """The candidates of an older set beside the targets of a newer one."""
    old = (rig.repository.metadata / "1.candidates.json").read_bytes()
    rig.put("candidates")
    rig.beat(candidates=2)
    (rig.repository.metadata / "2.candidates.json").write_bytes(old)


def not_json(rig: Rig) -> None:
    """The timestamp is no JSON at all."""
    (rig.repository.metadata / "timestamp.json").write_bytes(random.Random(7).randbytes(500))


def _hashed(told: Any, rig: Rig, content: bytes, version: int) -> None:
    import hashlib

    told.version, told.length = version, max(len(content), 100_000)
    told.hashes = {"sha256": hashlib.sha256(content).hexdigest()}
    if b"signed" in content:
        told.length = len(content)


def _rotated(rig: Rig, *roles: str) -> None:
    """Give roles a new online key, as the root's keys order it."""
    from securesystemslib.signer import CryptoSigner

    rig.online = CryptoSigner.generate_ed25519()
    for role in roles:
        rig.repository.rotate(rig.now, role, [rig.online.public_key], 1)
    for key in rig.root:
        rig.repository.sign(key, "root")
    waiting = rig.repository.staged / "root.json"
    from tuf.api.metadata import Metadata

    new: Metadata[Any] = Metadata.from_file(str(waiting))
    rig.repository._keep(new)
    waiting.unlink()


def _refused(rig: Rig, error: type[errors.FlyballError]) -> None:
    try:
        rig.update()
    except error:
        return
    raise errors.RolloutError(f"went through, {error.__name__} was due")


def _is(rig: Rig, role: str, version: int) -> None:
    if rig.known(role) != version:
        raise errors.RolloutError(f"{role} version {rig.known(role)} is believed, {version} was due")


_SIGNATURE, _ROLLBACK, _FREEZE = errors.SignatureError, errors.RollbackAttackError, errors.FreezeAttackError
_MIX = errors.MixAndMatchError
ATTACKS = tuple(
    Attack(mount.__name__, row, error, mount)
    for row, error, mount in (
        ("R32", None, first_time_refresh), ("R45", None, trusted_root_expired),
        ("R32", _SIGNATURE, trusted_root_unsigned), ("R32", _SIGNATURE, intermediate_root_incorrectly_signed),
        ("R45", None, intermediate_root_expired), ("R32", _SIGNATURE, final_root_incorrectly_signed),
        ("R33", _ROLLBACK, new_root_same_version), ("R33", _MIX, new_root_nonconsecutive_version),
        ("R34", _FREEZE, final_root_expired), ("R32", _SIGNATURE, new_timestamp_unsigned),
        ("R33", _ROLLBACK, new_timestamp_version_rollback), ("R33", _ROLLBACK, new_timestamp_snapshot_rollback),
        ("R34", _FREEZE, new_timestamp_expired), ("R37", None, new_timestamp_fast_forward_recovery),
        ("R35", _MIX, new_snapshot_hash_mismatch), ("R32", _SIGNATURE, new_snapshot_unsigned),
        ("R35", _MIX, new_snapshot_version_mismatch), ("R33", _ROLLBACK, new_snapshot_version_rollback),
        ("R37", None, new_snapshot_fast_forward_recovery), ("R34", _FREEZE, new_snapshot_expired),
        ("R35", _MIX, new_targets_hash_mismatch), ("R32", _SIGNATURE, new_targets_unsigned),
        ("R35", _MIX, new_targets_version_mismatch), ("R34", _FREEZE, new_targets_expired),
        ("R37", None, new_targets_fast_forward_recovery),
        ("R33", _ROLLBACK, snapshot_rollback_with_local_snapshot_hash_mismatch),
        ("R32", None, compute_metafile_hashes_length), ("R32", _SIGNATURE, arbitrary_software_wrong_key),
        ("R32", _SIGNATURE, arbitrary_software_below_threshold),
        ("R32", _SIGNATURE, arbitrary_software_one_key_twice), ("R40", _SIGNATURE, online_key_signs_targets),
        ("R40", None, key_loss_one_of_three), ("R40", None, key_loss_two_of_three),
        ("R40", _SIGNATURE, revoked_keys_sign_on), ("R34", _FREEZE, freeze_for_ever),
        ("R45", errors.TrustError, clock_set_back), ("R36", errors.EndlessDataError, endless_data),
        ("R35", _MIX, mix_and_match), ("R32", errors.TrustError, not_json),
    )
)  # fmt: skip
