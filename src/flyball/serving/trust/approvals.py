"""Approvals: that named people said yes to one order, each with a key of their own, checked again on every machine.

Why: the site's threshold keys say that a wave may be sent; a policy may also ask for people who answer for the
machines.  A name that a server noted proves nothing, so each approval is a signature over the order it is for: another
release, version, group or reason is another order, and needs to be approved anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from flyball import errors
from flyball.serving.trust.order import Order, Policy

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key


def digest(order: Order) -> str:
    """Return what an approval is for: the SHA-256 of an order without the approvals that it carries.

    >>> order = Order("scanner", "ab" * 32, version=7, number=12, stage="wave", kinds=("nxe",), schema="cd" * 32)
    >>> digest(order) == digest(replace(order, approved={"ann": "00"})) != digest(replace(order, number=13))
    True
    """
    told = replace(order, approved={}).json()
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def public(key: Key) -> str:
    """Return a public key as it stands in a policy."""
    return str(key.keyval["public"])


def approve(order: Order, who: str, signer: CryptoSigner, policy: Policy) -> Order:
    """Return an order with the approval of a person in it.

    Raises SignatureError for a person that the policy does not name, and for a key that is not theirs.
    """
    if who not in policy.approvers:
        raise errors.SignatureError(
            f"{who}: may not approve at {policy.site}, " + errors.did_you_mean(who, policy.approvers)
        )
    if public(signer.public_key) != policy.approvers[who]:
        raise errors.SignatureError(f"{who}: this is not the key by which {policy.site} knows {who}")
    signature = signer.sign(_signed(order)).signature
    return replace(order, approved={**order.approved, who: signature})


def granted(order: Order, policy: Policy) -> tuple[str, ...]:
    """Return who has approved an order, by signatures that hold, each of the policy's people once and in order.

    >>> granted(Order("p", "ab" * 32, 1, 1, "wave", ("nxe",), "", approved={"ann": "00"}), Policy("fab-1", {}))
    ()
    """
    return tuple(
        sorted(
            who
            for who, signature in order.approved.items()
            if _holds(order, who, signature, policy.approvers)
        )
    )


def missing(order: Order, policy: Policy) -> int:
    """Return how many approvals a wave still needs; nothing else needs any."""
    return max(0, policy.approvals - len(granted(order, policy))) if order.stage == "wave" else 0


def _signed(order: Order) -> bytes:
    return b"flyball approves order " + digest(order).encode()


def _holds(order: Order, who: str, signature: str, approvers: Mapping[str, str]) -> bool:
    from securesystemslib.exceptions import UnverifiedSignatureError
    from securesystemslib.signer import Signature, SSlibKey

    if who not in approvers:
        return False
    key = SSlibKey(who, "ed25519", "ed25519", {"public": approvers[who]})
    try:
        key.verify_signature(Signature(who, signature), _signed(order))
    except (UnverifiedSignatureError, ValueError):
        return False
    return True
