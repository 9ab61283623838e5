"""What a machine should run by the orders it trusts: a pure choice, so that any order of orders can be tried.

Why: signatures say who ordered what; whether it holds here is decided on the machine, which knows its own kind, its
own features and what it ran before.  Whatever is refused is refused by name, and what runs goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from flyball import errors
from flyball.serving.trust import approvals
from flyball.serving.trust.order import Order, Policy


@dataclass(frozen=True)
class Standing:
    """Where a machine stands: who it is, what serves, and which releases it found broken.

    `schema` is the digest of the features it can make ("" while nothing was installed: the first release pins it).
    """

    machine: str
    kind: str
    page: str
    schema: str = ""
    serving: Order | None = None
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """What should serve and what should shadow; `by_site` says which keys stand behind what should serve.

    `keep` is true where nothing better than what serves is ordered; `refusals` name what was offered and not taken,
    `waiting` says what a switch waits for.
    """

    serving: Order | None
    shadow: Order | None
    keep: bool
    refusals: tuple[errors.FlyballError, ...] = ()
    waiting: str = ""


def wanted(
    orders: Iterable[tuple[Order, bool]], me: Standing, policy: Policy | None, now: int, open_at: bool = True
) -> Wanted:
    """Return what the orders of a set come to on this machine at `now` (microseconds).

    Of the orders that hold here the one with the highest number wins.  An older version than the one that serves is
    taken only where that one was withdrawn, is broken here, or is named in the order's `back_from`.  `open_at` is
    whether the site's windows let a machine switch; a withdrawal waits for no window.
    """
    mine = [(order, by_site) for order, by_site in orders if order.page == me.page]
    gone = {order.release: order.number for order, _ in mine if order.stage == "withdrawn"}
    refusals: list[errors.FlyballError] = []
    serve: list[Order] = []
    shadows: list[Order] = []
    for order, by_site in sorted(mine, key=lambda told: told[0].number):
        if (
            order.stage == "withdrawn"
            or order.number < gone.get(order.release, 0)
            or order.release in me.refused
        ):
            continue
        if order.stage != "shadow" and not _meant(order, by_site, me, policy):
            continue
        if (error := _fits(order, by_site, me, policy)) is not None:
            refusals.append(error)
        elif order.stage == "shadow":
            shadows.append(order)
        else:
            serve.append(order)
    shadow = shadows[-1] if shadows else None
    now_serving = me.serving
    lost = now_serving is not None and (
        now_serving.release in me.refused or now_serving.number < gone.get(now_serving.release, 0)
    )
    best, waiting = _best(serve, None if lost else now_serving, refusals, now, open_at or lost)
    if shadow is not None and best is not None and shadow.release == best.release:
        shadow = None
    keep = not lost and (best is None or (now_serving is not None and best.release == now_serving.release))
    return Wanted(best, shadow, keep, tuple(refusals), waiting)


def _best(
    serve: list[Order],
    standing: Order | None,
    refusals: list[errors.FlyballError],
    now: int,
    may_switch: bool,
) -> tuple[Order | None, str]:
    """Return the order to follow, and what a switch waits for."""
    waiting = ""
    for order in reversed(serve):
        if standing is not None and order.release == standing.release:
            return order, waiting
        if standing is not None and order.number < standing.number:
            break
        if order.since > now:
            waiting = waiting or f"version {order.version} may run from {order.since} on"
            continue
        older = standing is not None and order.version < standing.version
        if older and standing is not None and standing.version not in order.back_from:
            refusals.append(errors.RollbackAttackError(
                f"order {order.number}: version {order.version} is older than {standing.version}, which runs, and "
                f"does not say that {standing.version} may be left for it (rollback attack): what runs goes on"
            ))  # fmt: skip
            continue
        if not may_switch:
            waiting = waiting or f"version {order.version} waits for a maintenance window"
            continue
        return order, waiting
    return None, waiting


def _meant(order: Order, by_site: bool, me: Standing, policy: Policy | None) -> bool:
    """Return whether an order to serve is for this machine; the online key reaches the policy's canary alone."""
    groups = policy.groups_of(me.machine) if policy is not None else ()
    named = set(order.groups) & set(groups)
    if not by_site:
        return policy is not None and me.machine in policy.canary and (not order.groups or bool(named))
    return bool(named) if order.groups else "all" in groups or policy is None


def _fits(order: Order, by_site: bool, me: Standing, policy: Policy | None) -> errors.FlyballError | None:
    """Return why an order must not be followed here, or None."""
    what = f"order {order.number} of {order.page}: version {order.version}"
    if me.kind not in order.kinds:
        return errors.WrongTargetError(
            f"{what} was made for {', '.join(order.kinds)}, this machine is a {me.kind}: refused"
        )
    if me.schema and order.schema != me.schema:
        return errors.WrongTargetError(
            f"{what} reads features {order.schema[:12]}…, this machine makes {me.schema[:12]}…: refused"
        )
    if policy is not None and me.machine not in policy.machines:
        return errors.WrongTargetError(f"{what}: {me.machine} is no machine of {policy.site}: refused")
    if policy is not None and policy.machines[me.machine] != me.kind:
        return errors.WrongTargetError(
            f"{what}: {policy.site} knows {me.machine} as a {policy.machines[me.machine]}, it is a {me.kind}: refused"
        )
    if by_site and policy is not None and (missing := approvals.missing(order, policy)):
        return errors.SignatureError(
            f"{what}: {missing} of {policy.approvals} approvals are missing or do not hold: refused"
        )
    return None
