"""The fleet that a loop is bound to: what it trained is offered there, and every round follows the rollout a step.

Nothing here is decided anew: the controller decides by the page's rollout and keeps what it decided on the disk.  What
was offered once is never offered again, whatever was killed when; a release that no fleet runs yet answers nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.runtime.controller import Controller


class Following:
    """A fleet's controller, and `hear`: lets it take in what machines told up to a moment, returns how many spoke."""

    def __init__(self, controller: Controller, hear: Callable[[Controller, int | None], int]) -> None:
        self.controller, self.hear = controller, hear

    def step(self, now: int | None) -> dict[str, Any]:
        """Hear the machines and take the rollout as far as the evidence lets it go; return what came of it."""
        heard = self.hear(self.controller, now)
        step = self.controller.step()
        state = self.controller.state
        return {
            "heard": heard, "serving": state["serving"], "stage": (state["rollout"] or {}).get("stage", ""),
            "candidate": (state["candidate"] or {}).get("release", ""), "paused": state["paused"],
            "step": {} if step is None else {"action": step.action, "stage": step.stage, "why": step.why},
        }  # fmt: skip

    def offer(self, folder: Path, why: str) -> str:
        """Offer a release to every kind of machine, unless it was before; return why it waits, "" when it does not.

        It waits while another one is under way: the newest is offered once that one has arrived, or was rolled back.
        """
        if self.offered(folder.name):
            return ""
        candidate = self.controller.state["candidate"]
        if candidate is not None:
            stage = (self.controller.state["rollout"] or {}).get("stage", "")
            return f"version {candidate['version']} is in {stage}"
        policy = self.controller.repository.policy()
        if policy is None:
            return "the site has no policy that names its machines"
        self.controller.ship(folder, sorted(set(policy.machines.values())), schema(folder), why)
        return ""

    def offered(self, digest: str) -> bool:
        """Say whether a release was ever offered."""
        return any(entry["act"] == "shipped" for entry in self.controller.why(digest))


def schema(folder: Path) -> str:
    """Return the digest of the features that a release reads."""
    try:
        told = json.loads((folder / "serving.json").read_bytes())
        columns = sorted(told["schema"]["columns"])
    except (OSError, ValueError, KeyError, TypeError):
        raise errors.TrustError(f"{folder}: no serving.json that names its features: not a release") from None
    return hashlib.sha256(json.dumps(columns).encode()).hexdigest()
