"""What a release says of how it must answer: its page, the threshold that was frozen, and its limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import errors
from flyball.labels import stage as labels
from flyball.model import limits, physics

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags
    from flyball.features import stage as features
    from flyball.system import System

#: No page is longer.
LONGEST = 2**22


@dataclass(frozen=True)
class Terms:
    """The terms of one release; what it does not say is None, and then not held.

    `p99_ms` and `resident_bytes` are the limits of the page's own gates, `laws` its physics, `threshold` that of its
    decision.
    """

    page: System | None = None
    threshold: float | None = None
    p99_ms: float | None = None
    resident_bytes: int | None = None
    laws: tuple[physics.Physics, ...] = ()

    def violated(self, x: features.Matrix, answers: Array) -> int:
        """Return how many answers are no numbers, or break the page's physics."""
        import numpy as np

        bad = (~np.isfinite(answers.reshape(len(answers), -1))).any(axis=1)
        for law in self.laws:
            bad |= law.violated(x, answers)
        return int(bad.sum())

    def said(self, answers: Array) -> Flags | None:
        """Return which answers the release's own decision would be made on; None where it has no threshold."""
        import numpy as np

        if self.page is None or self.threshold is None:
            return None
        if not isinstance(self.page.labels.kind(), labels.Probability) or answers.ndim != 1:
            return None
        return np.asarray(answers >= self.threshold)


def of(folder: Path) -> Terms:
    """Return the terms in a verified release; a baseline, and a release without a page, have none.

    Raises TrustError for a page that is none: what was signed is not to be taken.
    """
    from flyball import system

    try:
        text = (folder / "page.txt").read_bytes()[:LONGEST].decode()
        told = json.loads((folder / "serving.json").read_bytes())
    except FileNotFoundError:
        return Terms()
    except ValueError as error:
        raise errors.TrustError(f"{folder}: its page cannot be read ({error}): refuse this release") from None
    try:
        page: System = system.read(text)
        if not isinstance(page, system.System):
            raise errors.DeclarationError("no System(...)")
    except errors.DeclarationError as error:
        raise errors.TrustError(f"{folder}: its page cannot be read ({error}): refuse this release") from None
    threshold = told.get("threshold") if isinstance(told, dict) else None
    gates = page.model.gates
    p99 = [gate.p99 / 1000 for gate in gates if isinstance(gate, limits.Latency)]
    memory = [int(gate.at_most) for gate in gates if isinstance(gate, limits.Memory)]
    return Terms(
        page, float(threshold) if isinstance(threshold, (int, float)) else None,
        min(p99, default=None), min(memory, default=None),
        tuple(gate for gate in gates if isinstance(gate, physics.Physics)),
    )  # fmt: skip
