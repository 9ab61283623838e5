"""An order: which release should run where and how; and the policy of a site, under which orders hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flyball import errors, part

#: How a release may be ordered to run: beside the one that serves, on a few machines, on all that are named, or never.
STAGES = ("shadow", "canary", "wave", "withdrawn")
#: What the loop's online key may order by itself: nothing that serves beyond the policy's canary machines.
ONLINE = ("shadow", "canary", "withdrawn")


class Order(part.Part):
    """Which release of a page should run on which groups of machines, signed as the custom part of a TUF target.

    Why: a signature says who; an order also says what for.  `number` only grows: an order that is not newer than
    the last one a machine followed is a replay.  `version` counts the releases of a page; going back to an older
    one needs `back_from`, the versions that may be left for it.  `kinds` and `schema` name the machine types and the
    feature schema the release was made for; `since` is the first moment (microseconds) at which a machine may switch;
    `approved` maps each person who approved it to their signature over it (`approvals`).

    >>> order = Order("scanner", "ab" * 32, version=7, number=12, stage="wave", kinds=("nxe",), schema="cd" * 32)
    >>> read(order.json()) == order
    True
    """

    page: str
    release: str
    version: int
    number: int
    stage: str
    kinds: tuple[str, ...]
    schema: str
    groups: tuple[str, ...] = ()
    since: int = 0
    back_from: tuple[int, ...] = ()
    why: str = ""
    approved: Mapping[str, str] = part.field(default_factory=part.Frozen)

    def json(self) -> dict[str, Any]:
        """Return the order as plain JSON."""
        told = {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items()}
        return told | {"approved": dict(self.approved)}


#: What leaves a site whose policy does not say: no rows, no single answers, no traces of questions.
LEAVES = ("audit", "alarms", "alerts", "outcomes", "sketches", "exposures")


class Policy(part.Part):
    """What a site's threshold keys laid down: its machines by group, and when and how a release may come.

    `machines` maps a machine to its kind, `canary` names the machines on which the online key alone may let a
    candidate answer, `approvals` is how many of the `approvers` (each with a public key, 64 hexadecimal digits) must
    have approved a wave, `windows` and `freezes` are when a machine may switch (calendar parts, as text), `alarm_after`
    is the age in microseconds after which a set that has not been renewed is an alarm, `cap` the bytes of results kept
    while offline, `leaves` the classes of what machines tell that may leave the site.

    >>> Policy("fab-1", {"s1": "nxe", "s2": "nxe"}, canary=("s1",)).groups_of("s1")
    ('all', 'canary', 'kind:nxe', 'machine:s1')
    """

    site: str
    machines: Mapping[str, str]
    canary: tuple[str, ...] = ()
    waves: Mapping[str, tuple[str, ...]] = part.field(default_factory=part.Frozen)
    approvals: int = 0
    approvers: Mapping[str, str] = part.field(default_factory=part.Frozen)
    windows: tuple[str, ...] = ()
    freezes: tuple[tuple[int, int], ...] = ()
    alarm_after: int = 14 * 86_400_000_000
    cap: int = 64 * 2**20
    leaves: tuple[str, ...] = LEAVES

    def groups_of(self, machine: str) -> tuple[str, ...]:
        """Return the groups that a machine belongs to; none for a machine the policy does not name."""
        if machine not in self.machines:
            return ()
        found = ["all"] + (["canary"] if machine in self.canary else [])
        found += sorted(name for name, members in self.waves.items() if machine in members)
        return (*found, f"kind:{self.machines[machine]}", f"machine:{machine}")

    def frozen(self, now: int) -> bool:
        """Return whether a freeze of the calendar covers the moment."""
        return any(since <= now < until for since, until in self.freezes)

    def json(self) -> dict[str, Any]:
        """Return the policy as plain JSON."""
        mappings = {name: dict(getattr(self, name)) for name in ("machines", "waves", "approvers")}
        told = dict(vars(self)) | mappings
        # As long as it says nothing else, a machine that does not know of it yet can read the policy.
        return {name: value for name, value in told.items() if name != "leaves" or value != LEAVES}


def read(told: Any) -> Order:
    """Return the order in the custom part of a target; raises TrustError for what is none."""
    order: Order = _read(Order, told, "an order")
    if order.stage not in STAGES or order.number < 1 or order.version < 1 or len(order.release) != 64:
        raise errors.TrustError(
            f"order {order.number} of {order.page!r}: not a lawful order: refuse this set"
        )
    return order


def read_policy(told: Any) -> Policy:
    """Return the policy of a site from JSON; raises TrustError for what is none."""
    policy: Policy = _read(Policy, told, "a policy")
    named = {*policy.canary, *(machine for members in policy.waves.values() for machine in members)}
    if strange := sorted(named - set(policy.machines)):
        raise errors.TrustError(
            f"policy of {policy.site!r}: no machine {strange[0]!r}: name it or leave it out"
        )
    people = sorted({key.lower() for key in policy.approvers.values()})
    if len(people) < len(policy.approvers) or not all(re.fullmatch("[0-9a-f]{64}", key) for key in people):
        raise errors.TrustError(f"policy of {policy.site!r}: each approver needs a public key of their own")
    if policy.approvals > len(people):
        raise errors.TrustError(
            f"policy of {policy.site!r}: {policy.approvals} approvals of {len(people)} approvers can never be had"
        )
    return policy


def _read(kind: type[Any], told: Any, what: str) -> Any:
    """Return a part from JSON whose every field has the type that it is declared with."""
    import dataclasses

    fields = {item.name: str(item.type) for item in dataclasses.fields(kind)}
    if not isinstance(told, Mapping) or not set(told) <= set(fields):
        raise errors.TrustError(f"{str(told)[:80]!r} is not {what}: refuse this set")
    for name, value in told.items():
        if not _fits(value, fields[name]):
            raise errors.TrustError(f"{name} {str(value)[:80]!r} does not belong in {what}: refuse this set")
    try:
        return kind(**told)
    except TypeError as error:
        raise errors.TrustError(f"not {what}: {error}: refuse this set") from None


def _fits(value: Any, declared: str) -> bool:
    if declared == "str":
        return isinstance(value, str)
    if declared == "int":
        return type(value) is int
    listed = isinstance(value, (list, tuple))
    if declared == "tuple[str, ...]":
        return listed and all(isinstance(one, str) for one in value)
    if declared == "tuple[int, ...]":
        return listed and all(type(one) is int for one in value)
    if declared == "tuple[tuple[int, int], ...]":
        return listed and all(
            isinstance(one, (list, tuple)) and len(one) == 2 and all(type(end) is int for end in one)
            for one in value
        )
    if declared == "Mapping[str, str]":
        return isinstance(value, Mapping) and all(isinstance(v, str) for v in value.values())
    return isinstance(value, Mapping) and all(_fits(v, "tuple[str, ...]") for v in value.values())
