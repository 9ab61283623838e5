"""The signer's side of the signed set: a TUF repository with offline root and site keys and one online key.

```
root        threshold of root keys, offline: names all other keys, is rotated by itself
targets     threshold of the site's keys, offline: the policy, and releases that serve in waves
└ candidates    the loop's online key: releases in shadow and canary, and what is withdrawn
snapshot, timestamp   the online key: that all of this is one set, and that it is fresh
```

Why: the key that lies on a server can offer and withdraw; it can never make a release serve everywhere.  What needs
offline keys is prepared here (`staged/`), carried to each key, signed there, and published when enough have signed.
Layout and rules are those of The Update Framework 1.0; python-tuf makes and reads every file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors
from flyball.serving.trust import approvals
from flyball.serving.trust import order as orders
from flyball.serving.trust.order import Order, Policy

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key
    from tuf.api.metadata import Metadata, Targets

#: The role that the loop's online key signs, and the paths it may sign.
CANDIDATES, WAVES, POLICY = "candidates", "releases", "policy.json"
#: How long each role holds, in days: what is online is renewed every day, what is offline by people.
HOLDS = {"root": 730, "targets": 365, CANDIDATES: 30, "snapshot": 7, "timestamp": 2}
#: What the controller must be able to sign at any time.
ONLINE_ROLES = ("timestamp", "snapshot", CANDIDATES)


class Repository:
    """A folder that a mirror serves: `metadata/` and `targets/`, and `staged/`, which waits for offline signatures.

    `now` (microseconds) is passed to whatever sets an expiry, so that a simulated fleet has its own clock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metadata, self.targets, self.staged = (
            folder / name for name in ("metadata", "targets", "staged")
        )

    @staticmethod
    def create(
        folder: Path, root: Sequence[CryptoSigner], site: Sequence[CryptoSigner], online: CryptoSigner,
        thresholds: tuple[int, int], now: int,
    ) -> Repository:  # fmt: skip
        """Make a repository whose root and site roles need so many signatures; returns it, ready to serve."""
        from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Root, Snapshot, Targets, Timestamp

        made = Repository(folder)
        if made.metadata.exists():
            raise errors.TrustError(f"{folder}: a signed set is there already: rotate keys, never start over")
        _enough("root", root, thresholds[0])
        _enough("site", site, thresholds[1])
        signed = Root(expires=_until("root", now), consistent_snapshot=True)
        for role, signers, threshold in (("root", root, thresholds[0]), ("targets", site, thresholds[1]),
                                         ("snapshot", (online,), 1), ("timestamp", (online,), 1)):  # fmt: skip
            for signer in signers:
                signed.add_key(signer.public_key, role)
            signed.roles[role].threshold = threshold
        candidates = DelegatedRole(
            CANDIDATES, [online.public_key.keyid], 1, True, paths=[f"{CANDIDATES}/*/*"]
        )
        top = Targets(expires=_until("targets", now))
        top.delegations = Delegations({online.public_key.keyid: online.public_key}, {CANDIDATES: candidates})
        durable.folder(made.metadata)
        durable.folder(made.targets)
        made._keep(_by(Metadata(signed), root))
        made._keep(_by(Metadata(top), site))
        made._keep(_by(Metadata(Targets(expires=_until(CANDIDATES, now))), (online,)), CANDIDATES)
        first = Snapshot(expires=_until("snapshot", now))
        first.meta[f"{CANDIDATES}.json"] = _meta(1)
        made._keep(_by(Metadata(first), (online,)))
        made._keep(_by(Metadata(Timestamp(expires=_until("timestamp", now))), (online,)))
        return made

    def root(self) -> bytes:
        """Return the first root, which is brought to every machine by hand: the start of all trust."""
        return (self.metadata / "1.root.json").read_bytes()

    def orders(self) -> tuple[Order, ...]:
        """Return every order that is published, candidates and waves, as they were signed."""
        found = []
        for role in ("targets", CANDIDATES):
            for path, target in sorted(self.read(role).signed.targets.items()):
                if path != POLICY:
                    found.append(orders.read(target.custom))
        return tuple(found)

    def policy(self) -> Policy | None:
        """Return the policy that is published, or None before there is one."""
        return self._policy_of(self.read("targets"))

    def next_number(self, page: str) -> int:
        """Return the number of the next order of a page."""
        return 1 + max((order.number for order in self.orders() if order.page == page), default=0)

    def offer(self, order: Order, bundle: Path, online: CryptoSigner, now: int) -> None:
        """Publish a candidate (shadow, canary) or withdraw a release; the online key alone suffices.

        An order of a release that was offered before takes the place of the earlier one.
        """
        if order.stage not in orders.ONLINE:
            raise errors.TrustError(f"order {order.number}: a {order.stage} needs the site's keys: stage it")
        targets = self._next(CANDIDATES, now)
        self._add(targets, f"{CANDIDATES}/{order.page}/{order.release}.tar", bundle, order.json())
        self._candidates(targets, online)
        self.renew(online, now)

    def stage(self, now: int, order: Order | None = None, bundle: Path | None = None, policy: Policy | None = None,
              remove: Iterable[str] = ()) -> Path:  # fmt: skip
        """Prepare the next version of what the site's keys sign, and return the file that waits for signatures.

        What is staged already and not yet published is carried on, its signatures void: they signed something else.
        """
        from tuf.api.metadata import Metadata, Targets

        waiting = self.staged / "targets.json"
        targets = (
            Metadata[Targets].from_file(str(waiting)) if waiting.is_file() else self._next("targets", now)
        )
        targets.signatures.clear()
        targets.signed.expires = _until("targets", now)
        if order is not None and bundle is not None:
            self._add(targets, f"{WAVES}/{order.page}/{order.release}.tar", bundle, order.json())
        if policy is not None:
            durable.folder(self.staged)
            content = self.staged / POLICY
            durable.write(content, json.dumps(policy.json(), indent=1, sort_keys=True).encode() + b"\n")
            self._add(targets, POLICY, content, {"site": policy.site})
        for path in remove:
            targets.signed.targets.pop(path, None)
        durable.folder(self.staged)
        durable.write(waiting, targets.to_bytes())
        return waiting

    def sign(self, signer: CryptoSigner, role: str = "targets") -> int:
        """Add a signature to what is staged and return how many are still missing."""
        from tuf.api.metadata import Metadata

        waiting = self.staged / f"{role}.json"
        if not waiting.is_file():
            raise errors.TrustError(f"{waiting}: nothing waits for a signature")
        found: Metadata[Any] = Metadata.from_file(str(waiting))
        allowed = self._delegator(role, found)
        if signer.public_key.keyid not in allowed:
            raise errors.SignatureError(
                f"{signer.public_key.keyid[:12]}…: not a key of {role}: use one of "
                + ", ".join(key[:12] + "…" for key in sorted(allowed))
            )
        found.sign(signer, append=True)
        durable.write(waiting, found.to_bytes())
        return self._missing(role, found)

    def approve(self, who: str, signer: CryptoSigner) -> int:
        """Put a person's approval into every wave that waits, and return how many approvals are still missing.

        What the site's keys had signed before is void: they sign a wave with its approvals in it.
        """
        waiting, found = self._staged_targets()
        policy, waves = self._policy_of(found), self._waves(found)
        if not waves:
            raise errors.TrustError(f"{self.staged}: no wave waits for approval")
        if policy is None:
            raise errors.TrustError(f"{self.folder}: no policy says who may approve: stage one first")
        for path, order in waves.items():
            approved = approvals.approve(order, who, signer, policy)
            found.signed.targets[path].unrecognized_fields["custom"] = approved.json()
        found.signatures.clear()
        durable.write(waiting, found.to_bytes())
        return self.unapproved()

    def unapproved(self) -> int:
        """Return how many approvals the waves that wait still need, by the policy that will hold with them."""
        _, found = self._staged_targets()
        policy = self._policy_of(found)
        return (
            max((approvals.missing(one, policy) for one in self._waves(found).values()), default=0)
            if policy
            else 0
        )

    def publish(self, online: CryptoSigner, now: int, role: str = "targets") -> None:
        """Publish what is staged once enough have signed it; raises SignatureError while signatures are missing.

        So it does while a wave lacks approvals: every machine would refuse it.  Where the site named another online
        key, the candidates are signed anew by it, so that machines can go on believing them.
        """
        from tuf.api.metadata import Metadata

        waiting = self.staged / f"{role}.json"
        if not waiting.is_file():
            raise errors.TrustError(f"{waiting}: nothing is staged")
        found: Metadata[Any] = Metadata.from_file(str(waiting))
        if missing := self._missing(role, found):
            raise errors.SignatureError(
                f"{role} version {found.signed.version}: {missing} signature(s) missing"
            )
        if role == "targets":
            if missing := self.unapproved():
                raise errors.SignatureError(f"a wave waits for {missing} approval(s): `flyball keys approve`")
            _named(found, online)
        self._keep(found)
        if role == "targets" and online.public_key.keyid not in self.read(CANDIDATES).signatures:
            self._candidates(self._next(CANDIDATES, now), online)
        self.renew(online, now)
        waiting.unlink()

    def rotate(self, now: int, role: str, keys: Sequence[Key], threshold: int) -> Path:
        """Stage a root that gives a role other keys; it needs the old and, for root itself, the new root keys."""
        from tuf.api.metadata import Metadata, Root

        waiting = self.staged / "root.json"
        new: Metadata[Root] = Metadata.from_file(str(waiting if waiting.is_file() else self._newest("root")))
        if not waiting.is_file():
            new.signed.version += 1
        new.signatures.clear()
        new.signed.expires = _until("root", now)
        for keyid in list(new.signed.roles[role].keyids):
            new.signed.revoke_key(keyid, role)
        for key in keys:
            new.signed.add_key(key, role)
        if len(keys) < threshold:
            raise errors.TrustError(f"{role}: {threshold} signatures of {len(keys)} keys can never be had")
        new.signed.roles[role].threshold = threshold
        durable.folder(self.staged)
        durable.write(waiting, new.to_bytes())
        return waiting

    def delegate(self, now: int, online: Key) -> Path:
        """Stage the site's word that another online key signs candidates from now on (the old one was stolen)."""
        from tuf.api.metadata import DelegatedRole, Delegations, Metadata

        waiting = self.stage(now)
        targets: Metadata[Targets] = Metadata.from_file(str(waiting))
        role = DelegatedRole(CANDIDATES, [online.keyid], 1, True, paths=[f"{CANDIDATES}/*/*"])
        targets.signed.delegations = Delegations({online.keyid: online}, {CANDIDATES: role})
        durable.write(waiting, targets.to_bytes())
        return waiting

    def renew(self, online: CryptoSigner, now: int) -> None:
        """Sign snapshot and timestamp anew over what is there: the daily beat that says nothing is held back."""
        snapshot = self._next("snapshot", now)
        for role in ("targets", CANDIDATES):
            snapshot.signed.meta[f"{role}.json"] = _meta(self.read(role).signed.version)
        self._keep(_by(snapshot, (online,)))
        timestamp = self._next("timestamp", now)
        timestamp.signed.snapshot_meta = _meta(snapshot.signed.version)
        self._keep(_by(timestamp, (online,)))

    def refresh(self, online: CryptoSigner, now: int) -> None:
        """Renew, and sign the candidates anew as they are, so that none of the online roles expires."""
        self._candidates(self._next(CANDIDATES, now), online)
        self.renew(online, now)

    def online_keys(self, role: str = "targets") -> frozenset[str]:
        """Return the ids of the keys that may sign the snapshot once what is staged of a role is published."""
        from tuf.api.metadata import Metadata

        waiting = self.staged / "root.json"
        root: Metadata[Any] = (
            Metadata.from_file(str(waiting)) if role == "root" and waiting.is_file() else self.read("root")
        )
        return frozenset(root.signed.roles["snapshot"].keyids)

    def waves(self) -> tuple[Order, ...]:
        """Return the waves that wait for approvals and signatures."""
        return tuple(self._waves(self._staged_targets()[1]).values())

    def _candidates(self, candidates: Metadata[Any], online: CryptoSigner) -> None:
        _named(self.read("targets"), online)
        self._keep(_by(candidates, (online,)), CANDIDATES)

    def _add(self, targets: Metadata[Targets], path: str, content: Path, custom: dict[str, Any]) -> None:
        from tuf.api.metadata import TargetFile

        info = TargetFile.from_file(path, str(content), ["sha256"])
        info.unrecognized_fields["custom"] = custom
        place = self._content(path, info)
        durable.folder(place.parent)
        if not place.exists():
            durable.write(place, _pieces(content))
        targets.signed.targets[path] = info

    def _staged_targets(self) -> tuple[Path, Metadata[Targets]]:
        """Return the file that waits for the site's keys and what is in it, or what is published where none waits."""
        from tuf.api.metadata import Metadata, Targets

        waiting = self.staged / "targets.json"
        return waiting, Metadata[Targets].from_file(str(waiting)) if waiting.is_file() else self.read(
            "targets"
        )

    def _policy_of(self, found: Metadata[Targets]) -> Policy | None:
        target = found.signed.targets.get(POLICY)
        return (
            None
            if target is None
            else orders.read_policy(json.loads(self._content(POLICY, target).read_bytes()))
        )

    def _waves(self, found: Metadata[Targets]) -> dict[str, Order]:
        """Return the waves of what is staged that are not published yet, by their path."""
        there = self.read("targets").signed.targets
        anew = {
            path: orders.read(target.custom)
            for path, target in found.signed.targets.items()
            if path != POLICY and (path not in there or there[path].custom != target.custom)
        }
        return {path: order for path, order in anew.items() if order.stage == "wave"}

    def _content(self, path: str, info: Any) -> Path:
        """Return where a target's file lies: its digest stands in its name (consistent snapshots)."""
        folder, _, name = path.rpartition("/")
        return self.targets / folder / f"{info.hashes['sha256']}.{name}"

    def _newest(self, role: str) -> Path:
        if role == "timestamp":
            return self.metadata / "timestamp.json"
        found = [int(file.name.split(".")[0]) for file in self.metadata.glob(f"*.{role}.json")]
        return self.metadata / f"{max(found)}.{role}.json"

    def read(self, role: str) -> Metadata[Any]:
        """Return the newest published metadata of a role."""
        from tuf.api.metadata import Metadata

        return Metadata.from_file(str(self._newest(role)))

    def _next(self, role: str, now: int) -> Metadata[Any]:
        found = self.read(role)
        found.signed.version += 1
        found.signed.expires = _until(role, now)
        found.signatures.clear()
        return found

    def _keep(self, found: Metadata[Any], role: str = "") -> None:
        role = role or found.signed.type
        name = "timestamp.json" if role == "timestamp" else f"{found.signed.version}.{role}.json"
        durable.write(self.metadata / name, found.to_bytes())

    def _delegator(self, role: str, found: Metadata[Any]) -> set[str]:
        keyids = set(self.read("root").signed.roles[role].keyids)
        return keyids | set(found.signed.roles["root"].keyids) if role == "root" else keyids

    def _missing(self, role: str, found: Metadata[Any]) -> int:
        """Return how many signatures are missing: for a new root those of the old one and its own."""
        results = [self.read("root").signed.get_verification_result(
            role, found.signed_bytes, found.signatures)]  # fmt: skip
        if role == "root":
            results.append(found.signed.get_verification_result(role, found.signed_bytes, found.signatures))
        return max(max(0, int(result.threshold) - len(result.signed)) for result in results)


def _named(targets: Metadata[Any], online: CryptoSigner) -> None:
    """Raise SignatureError unless the site's keys name this online key: machines would refuse the whole set."""
    if online.public_key.keyid not in targets.signed.delegations.roles[CANDIDATES].keyids:
        raise errors.SignatureError(
            f"{online.public_key.keyid[:12]}…: not the online key that the site's keys name: publish the new root "
            "first, then what `flyball keys delegate` staged"
        )


def _until(role: str, now: int) -> datetime:
    begun = datetime.fromtimestamp(now / 1e6, UTC).replace(microsecond=0)
    return begun + timedelta(days=HOLDS[role])


def _meta(version: int) -> Any:
    from tuf.api.metadata import MetaFile

    return MetaFile(version)


def _by(found: Metadata[Any], signers: Iterable[CryptoSigner]) -> Metadata[Any]:
    for signer in signers:
        found.sign(signer, append=True)
    return found


def _enough(role: str, signers: Sequence[CryptoSigner], threshold: int) -> None:
    if not 1 <= threshold <= len({signer.public_key.keyid for signer in signers}):
        raise errors.TrustError(f"{role}: {threshold} signatures of {len(signers)} keys can never be had")


def _pieces(content: Path) -> Iterable[bytes]:
    with content.open("rb") as file:
        while piece := file.read(2**20):
            yield piece
