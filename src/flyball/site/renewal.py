"""flyball itself by order: a new version comes over the signed set, as releases do, and is installed from its wheels.

Why: what installs software on a machine must ask for the same signatures as what answers there.  A version of flyball
is an order of the page `flyball`: the site's threshold keys sign it, its approvals and the calendar hold, the machine's
kind is checked, and an older version needs an order that says which newer one may be left for it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flyball import durable, errors, seals
from flyball.serving import calendar, release
from flyball.serving.trust import order as orders
from flyball.serving.trust.client import Trusted
from flyball.serving.trust.order import Order
from flyball.site import self_update, slots
from flyball.site.wanted import Standing, wanted

if TYPE_CHECKING:
    from flyball.serving.trust.mirror import Mirror

#: The page whose releases are versions of flyball itself.
PAGE = "flyball"


class Renewed(NamedTuple):
    """What came of a look for a new version: the order that holds now, whether it is installed just now, or why not."""

    order: Order | None
    installed: bool
    why: str = ""


def renew(
    state: Path, home: Path, mirror: Mirror, machine: str, kind: str, now: int, python: str = ""
) -> Renewed:
    """Bring the signed set up to date, and install the version of flyball that it orders for this machine.

    `state` is the folder of the machine's agent, from whose root trust starts; what is believed here is kept beside, so
    that the agent may run meanwhile.  `home` is where versions lie (`self_update`).  Raises TrustError, by the name of
    the attack, for what is not to be believed; RolloutError for a version that is not healthy.  What runs goes on.
    """
    own = state / "renewal"
    durable.folder(own)
    with durable.lock(own / ".lock", 1.0):
        trusted = Trusted(own / "trust", (state / "trust" / "root.json").read_bytes())
        trusted.update(mirror, now)
        trusted.fresh(now)
        policy = trusted.policy(mirror)
        open_at = policy is None or calendar.of(policy.windows, policy.freezes).open_at(now)
        before = _followed(own)
        offered = tuple((one, by_site) for one, by_site in trusted.orders() if by_site)
        choice = wanted(offered, Standing(machine, kind, PAGE, serving=before), policy, now, open_at)
        if choice.keep or choice.serving is None:
            why = choice.waiting or "; ".join(str(refusal) for refusal in choice.refusals)
            return Renewed(before, False, why)
        order = choice.serving
        with tempfile.TemporaryDirectory(prefix=".wheels-", dir=own) as place:
            packed, folder = Path(place) / "wheels.tar", Path(place) / order.release
            trusted.release(order, True, mirror, packed)
            folder.mkdir()
            release.unpack(packed, folder, order.release, admit=release.verify)
            self_update.update(folder, order.release, home, _served(state), python)
        durable.write(own / "order.json", seals.sealed(order.json()))
        return Renewed(order, True)


def about(wheels: Path) -> str:
    """Return the version of flyball that a sealed folder of wheels is said to hold, every byte of it checked.

    Raises TrustError for a folder that is none.
    """
    listed = release.verify(wheels)
    try:
        return str(json.loads((wheels / self_update.ABOUT).read_bytes())["flyball"])
    except (OSError, ValueError, KeyError, TypeError):
        what = f"no {self_update.ABOUT} among {len(listed)} files"
        raise errors.FormatError(f"{wheels}: {what}: make it with `flyball wheels collect`") from None


def _followed(own: Path) -> Order | None:
    try:
        return orders.read(seals.unsealed((own / "order.json").read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, errors.TrustError):
        raise errors.StoreError(f"{own / 'order.json'}: damaged: remove it; what runs goes on") from None


def _served(state: Path) -> self_update.Served | None:
    """Return a release that serves on this machine, on whose golden vectors a new version is tried."""
    for page in sorted((state / "pages").glob("*")):
        try:
            slot = str(seals.unsealed((page / "state.json").read_bytes())["serving"])
        except (OSError, ValueError, KeyError):
            continue
        held = slots.Slots(page)
        order = held.order(slot) if slot in slots.TURNS else None
        if order is not None:
            return self_update.Served(held.release(slot), order.release)
    return None
