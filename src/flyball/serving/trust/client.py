"""A machine's side of the signed set: what it trusts, brought up to date as a whole or not at all.

python-tuf checks signatures, thresholds, versions and lengths.  What it leaves open is done here: every file is on the
disk before it counts (it calls no fsync), time never goes back with the machine's clock, an expired set is a rule
(what runs goes on, nothing new comes) instead of a stuck machine, and every refusal names the attack it stands for.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors, seals
from flyball.serving.trust import order as orders
from flyball.serving.trust.order import Order, Policy
from flyball.serving.trust.repository import CANDIDATES, POLICY

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile

    from flyball.serving.trust.mirror import Mirror

ROLES = ("timestamp", "snapshot", "targets", CANDIDATES)
#: No release is larger, whatever a signature says of it.
LARGEST = 2**31
#: The time that is sure is written down when it has grown by so much, in microseconds: not at every look.
REMEMBER = 600_000_000


class Trusted:
    """What a machine believes: the signed set in `folder`, started from a root that was brought by hand.

    `update` brings it up to date from a mirror; `orders`, `policy` and `fetch` speak of the set as last updated.

    Raises TrustError for a folder without a root, and when the first root is no root.
    """

    def __init__(self, folder: Path, root: bytes | None = None) -> None:
        self.folder, self._set = folder, folder / "set"
        if root is not None and not (folder / "root.json").exists():
            durable.folder(folder)
            durable.write(folder / "root.json", root)
        if not (folder / "root.json").is_file():
            raise errors.TrustError(f"{folder}: no root of trust: bring the site's root.json by hand")
        self._sweep()
        self._parsed: dict[str, Any] = {}
        self._latest = self._read_latest()

    def update(self, mirror: Mirror, now: int) -> bool:
        """Bring the set up to date and return whether anything changed.

        `now` is the machine's clock in microseconds; a clock that went back is not followed.  What was verified of
        a set that is then refused (a new root, for instance) is kept, as TUF demands.

        Raises SignatureError, RollbackAttackError, FreezeAttackError, MixAndMatchError, EndlessDataError,
        SlowRetrievalError or UnreachableError; the set stays what it was.
        """
        from tuf.ngclient import Updater, UpdaterConfig

        now = max(now, self._latest)
        if self._unchanged(mirror):
            self._fresh(now)
            self._remember(now)
            return False
        scratch = self.folder / "next"
        shutil.rmtree(scratch, ignore_errors=True)
        if self._set.is_dir():
            shutil.copytree(self._set, scratch, symlinks=True)
        else:
            scratch.mkdir()
        before = self._content()
        try:
            with named():
                updater = Updater(
                    str(scratch), "metadata/", target_base_url="targets/", fetcher=mirror,
                    config=UpdaterConfig(), bootstrap=self._root(scratch),
                )  # fmt: skip
                # python-tuf reads the system's clock; a machine's clock may be wrong, or a simulated one.
                updater._trusted_set.reference_time = datetime.fromtimestamp(now / 1e6, UTC)
                updater.refresh()
                updater.get_targetinfo(f"{CANDIDATES}/-/-")  # loads what the online key signed
        finally:
            self._take(scratch)
        self._remember(now)
        return self._content() != before

    def orders(self) -> tuple[tuple[Order, bool], ...]:
        """Return every order of the set, and whether the site's keys (not only the online key) signed it.

        What the online key has no right to order, and a name that does not fit its order, is refused whole.
        """
        found = []
        for role, by_site in (("targets", True), (CANDIDATES, False)):
            for path, target in sorted(self._targets(role).items()):
                if path == POLICY and by_site:
                    continue
                order = orders.read(target.custom)
                room = "releases" if by_site else CANDIDATES
                if path != f"{room}/{order.page}/{order.release}.tar":
                    raise errors.TrustError(f"{path}: its order is for another release: refuse this set")
                if not by_site and order.stage not in orders.ONLINE:
                    raise errors.SignatureError(
                        f"order {order.number} of {order.page}: a {order.stage} that only the online key signed"
                    )
                found.append((order, by_site))
        return tuple(found)

    def policy(self, mirror: Mirror) -> Policy | None:
        """Return the site's policy, fetched when it changed; None when the site has none."""
        target = self._targets("targets").get(POLICY)
        if target is None:
            return None
        place = self.folder / POLICY
        if not self._holds(place, target):
            self.fetch(target, mirror, place)
        try:
            return orders.read_policy(json.loads(place.read_bytes()))
        except ValueError:
            raise errors.TrustError(f"{place}: no JSON: refuse this set") from None

    def release(self, order: Order, by_site: bool, mirror: Mirror, place: Path) -> None:
        """Fetch the release of an order into a file, verified."""
        path = f"{'releases' if by_site else CANDIDATES}/{order.page}/{order.release}.tar"
        self.fetch(self._targets("targets" if by_site else CANDIDATES)[path], mirror, place)

    def size(self, order: Order, by_site: bool) -> int:
        """Return the bytes that a release will take as it comes."""
        path = f"{'releases' if by_site else CANDIDATES}/{order.page}/{order.release}.tar"
        return int(self._targets("targets" if by_site else CANDIDATES)[path].length)

    def fetch(self, target: TargetFile, mirror: Mirror, place: Path) -> None:
        """Write a target to a file, durable and verified, or raise and leave nothing."""
        from tuf.ngclient import UpdaterConfig

        if target.length > LARGEST:
            raise errors.EndlessDataError(
                f"{target.path}: {target.length} bytes announced, at most {LARGEST}"
            )
        folder, _, name = target.path.rpartition("/")
        path = f"{folder}/" if folder else ""
        url = f"targets/{path}{target.hashes['sha256']}.{name}"
        assert UpdaterConfig().prefix_targets_with_hash
        with named(target.path), mirror.download_file(url, target.length) as content:
            target.verify_length_and_hashes(content)
            content.seek(0)
            durable.write(place, iter(lambda: content.read(2**20), b""))

    def fresh(self, now: int) -> None:
        """Raise FreezeAttackError when the set that is here has expired by `now`: nothing new may come of it."""
        if not all((self._set / f"{role}.json").is_file() for role in ("root", *ROLES)):
            raise errors.UnreachableError(f"{self.folder}: no signed set has come yet")
        self._fresh(max(now, self._latest))

    def age(self, now: int) -> int:
        """Return how long ago, in microseconds, the set was last known to be fresh."""
        return max(0, now - self._latest) if self._latest else 0

    @property
    def latest(self) -> int:
        """The latest time that this machine is sure has passed; its clock is behind when it shows less."""
        return self._latest

    def _targets(self, role: str) -> dict[str, Any]:
        if not (self._set / f"{role}.json").is_file():
            return {}
        return dict(self._metadata(role).signed.targets)

    def _unchanged(self, mirror: Mirror) -> bool:
        """Return whether the mirror still has the timestamp that is here and no new root: nothing can be new."""
        from tuf.api.exceptions import DownloadHTTPError

        here = self._set / "timestamp.json"
        if not here.is_file() or not all((self._set / f"{role}.json").is_file() for role in ROLES):
            return False
        with named():
            if mirror.download_bytes("metadata/timestamp.json", 16384) != here.read_bytes():
                return False
            try:
                mirror.download_bytes(f"metadata/{self._version() + 1}.root.json", 512_000)
            except DownloadHTTPError:
                return True
        return False

    def _fresh(self, now: int) -> None:
        """Raise FreezeAttackError when any role of the set that is here has expired."""
        moment = datetime.fromtimestamp(now / 1e6, UTC)
        for role in ("root", *ROLES):
            found = self._metadata(role)
            if found.signed.is_expired(moment):
                raise _frozen(f"{role} expired at {found.signed.expires:%Y-%m-%d %H:%M}", now)

    def _version(self) -> int:
        return int(self._metadata("root").signed.version)

    def _metadata(self, role: str) -> Any:
        """Return a role of the set that is here; read once, until another set takes its place."""
        from tuf.api.metadata import Metadata

        if role not in self._parsed:
            self._parsed[role] = Metadata.from_file(str(self._set / f"{role}.json"))
        return self._parsed[role]

    def _root(self, scratch: Path) -> bytes:
        """Return the root to start from: the newest that was verified, else the one that was brought by hand."""
        newest = scratch / "root.json"
        return newest.read_bytes() if newest.is_file() else (self.folder / "root.json").read_bytes()

    def _take(self, scratch: Path) -> None:
        """Put a verified set in the place of the old one: both are whole at any moment."""
        with durable.guard(f"write {self._set}"):
            self._parsed = {}
            durable.sync_tree(scratch)
            old = self.folder / "old"
            shutil.rmtree(old, ignore_errors=True)
            if self._set.is_dir():
                durable.rename(self._set, old)
            durable.rename(scratch, self._set)
            shutil.rmtree(old, ignore_errors=True)

    def _sweep(self) -> None:
        """Finish or undo an exchange that a crash cut in the middle."""
        if not self._set.is_dir() and (self.folder / "old").is_dir():
            durable.rename(self.folder / "old", self._set)
        for name in ("next", "old"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _content(self) -> list[bytes]:
        return [f.read_bytes() for f in sorted(self._set.glob("*.json"))] if self._set.is_dir() else []

    def _holds(self, place: Path, target: TargetFile) -> bool:
        from tuf.api.exceptions import LengthOrHashMismatchError

        if not place.is_file():
            return False
        try:
            with place.open("rb") as file:
                target.verify_length_and_hashes(file)
        except LengthOrHashMismatchError:
            return False
        return True

    def _remember(self, now: int) -> None:
        """Keep the latest time that was sure, so that a clock set back makes nothing fresh again."""
        if now > self._latest + REMEMBER or (now > self._latest and not self._latest):
            self._latest = now
            durable.write(self.folder / "latest.json", seals.sealed({"at": now}))

    def _read_latest(self) -> int:
        try:
            return int(seals.unsealed((self.folder / "latest.json").read_bytes())["at"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0


@contextmanager
def named(what: str = "") -> Iterator[None]:
    """Turn what python-tuf and a mirror raise into the error that names the attack, or says nobody answers."""
    from tuf.api import exceptions as tuf

    start = f"{what}: " if what else ""
    try:
        yield
    except tuf.ExpiredMetadataError as error:
        raise _frozen(str(error), None) from None
    except tuf.UnsignedMetadataError as error:
        raise errors.SignatureError(
            f"{start}{error}: arbitrary software attack, or keys were changed without a new root: set refused"
        ) from None
    except tuf.BadVersionNumberError as error:
        if not _older(str(error)):
            raise errors.MixAndMatchError(
                f"{start}{error}: parts that were never signed together (mix-and-match attack): set refused"
            ) from None
        raise errors.RollbackAttackError(
            f"{start}{error}: older than what this machine knows (rollback attack): set refused"
        ) from None
    except tuf.LengthOrHashMismatchError as error:
        kind = errors.TamperedError if what else errors.MixAndMatchError
        raise kind(f"{start}{error}: not the content that was signed: refused") from None
    except tuf.RepositoryError as error:
        raise errors.TrustError(f"{start}{error}: not a signed set: refused") from None
    except tuf.DownloadLengthMismatchError as error:
        raise errors.EndlessDataError(f"{start}{error}: endless data attack: let go of") from None
    except tuf.SlowRetrievalError as error:
        raise errors.SlowRetrievalError(f"{start}slow retrieval attack or a dead link: {error}") from None
    except tuf.DownloadError as error:
        cause = error.__cause__
        if isinstance(cause, errors.FlyballError):
            raise cause from None
        raise errors.UnreachableError(f"{start}{error}{f' ({cause})' if cause else ''}") from None


def _older(said: str) -> bool:
    """Return whether what python-tuf says of two versions means that one was seen before, not that two do not fit.

    >>> _older("Expected targets.json version 2, got 1."), _older("Expected targets v2, got v1.")
    (True, False)
    """
    if not said.startswith("Expected") or ".json version" in said:
        return True
    found = re.fullmatch(r"Expected root version (\d+) instead got version (\d+)", said)
    return found is not None and int(found[2]) < int(found[1])


def _frozen(what: str, now: int | None) -> errors.FreezeAttackError:
    shown = "" if now is None else f"; it is {datetime.fromtimestamp(now / 1e6, UTC):%Y-%m-%d %H:%M} here"
    return errors.FreezeAttackError(
        f"{what}{shown}: somebody holds back what is newer (freeze attack), or the clock here is wrong: "
        "what runs goes on, nothing new is taken"
    )
