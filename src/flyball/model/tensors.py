"""How the tensors of a graph are made from a matrix: plain settings in, numpy out, nothing fitted here.

Why: what prepares the inputs must be the same at training, in the contest and on the machine.  A maker holds what
training found (names, labels, means, scales) and is read back from JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from flyball import errors
from flyball.features import stage as features
from flyball.model import inputs

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Maker(Protocol):
    """Makes one tensor."""

    def make(self, x: features.Matrix) -> Array:
        """Return float32, first axis the rows."""

    def settings(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""


@dataclass(frozen=True)
class Flat:
    """Numbers and categories as (n, d), as they are: what trees take; NaN stays."""

    inputs: inputs.Inputs

    def make(self, x: features.Matrix) -> Array:
        """Return (n, d) float32."""
        return self.inputs.dense(x)

    def settings(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {"tensor": "flat", **self.inputs.settings()}

    @staticmethod
    def read(settings: Mapping[str, Any]) -> Flat:
        """Return it from plain values."""
        return Flat(inputs.Inputs.read(settings))


_READERS: dict[str, Callable[[Mapping[str, Any]], Maker]] = {"flat": Flat.read}


def read(settings: Mapping[str, Any]) -> Maker:
    """Return the maker of these settings; raises DataError for one that this version does not know."""
    reader = _READERS.get(settings["tensor"])
    if reader is None:
        raise errors.DataError(f"no tensor {settings['tensor']!r} in this version of flyball: upgrade the machine")
    return reader(settings)
