"""Several learners that answer together: the mean of what each says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model.stage import Learner, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Blend(Learner):
    """The weighted mean of several learners' answers, arithmetic or geometric (of probabilities, renormalised).

    `weights` (None: all alike) are given on the page, never fitted on the rows that the members learned from.

    >>> from flyball.model.constant import Prior
    >>> Blend((Prior(), Prior()), weights=(1, 3)).accepts()[0].__name__
    'Probability'
    """

    learners: tuple[Learner, ...]
    weights: tuple[float, ...] | None = None
    geometric: bool = False

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds that all members can learn."""
        first, *others = self.learners
        kinds = [kind for kind in first.accepts() if all(kind in other.accepts() for other in others)]
        return tuple(kind for kind in kinds if not (self.geometric and issubclass(kind, labels.Quantity)))

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return every member fitted on the same rows."""
        if self.weights is not None and len(self.weights) != len(self.learners):
            raise errors.DeclarationError(f"{len(self.weights)} weights for {len(self.learners)} learners")
        members = tuple(learner.fit(x, y, kind, seed) for learner in self.learners)
        return Blended(members, self.weights, self.geometric)


class Blended(Predictor):
    """The members of a blend, fitted."""

    def __init__(
        self,
        members: tuple[Predictor, ...],
        weights: tuple[float, ...] | None = None,
        geometric: bool = False,
    ) -> None:
        self.members = members
        total = sum(weights) if weights else len(members)
        self.weights = tuple((w / total) for w in (weights or (1.0,) * len(members)))
        self.geometric = geometric

    def predict(self, x: features.Matrix) -> Array:
        """Return the weighted mean of the members' answers."""
        import numpy as np

        answers = [member.predict(x) for member in self.members]
        if not self.geometric:
            return np.asarray(
                sum(w * a for w, a in zip(self.weights, answers, strict=True)), dtype=np.float64
            )
        tiny = np.finfo(np.float64).tiny
        if answers[0].ndim == 1:
            answers = [np.stack([1 - a, a], axis=1) for a in answers]
            return self._geometric(answers, tiny)[:, 1]
        return self._geometric(answers, tiny)

    def _geometric(self, answers: list[Array], tiny: float) -> Array:
        import numpy as np

        logs = sum(w * np.log(np.maximum(a, tiny)) for w, a in zip(self.weights, answers, strict=True))
        grown = np.exp(np.asarray(logs) - np.max(logs, axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))

    def influence(self) -> Mapping[str, float]:
        """Return the weighted mean of the members' influence, each scaled to a sum of one."""
        total: dict[str, float] = {}
        for weight, member in zip(self.weights, self.members, strict=True):
            counts = member.influence()
            whole = sum(counts.values()) or 1.0
            for name, value in counts.items():
                total[name] = total.get(name, 0.0) + weight * value / whole
        return total

    def pack(self) -> Packed:
        """Return the members, packed."""
        settings = {"weights": list(self.weights), "geometric": self.geometric}
        return Packed("blend", settings, inner=tuple(member.pack() for member in self.members))

    @staticmethod
    def unpack(packed: Packed) -> Blended:
        """Return the blend that was packed."""
        from flyball.model import unpack

        members = tuple(unpack.unpack(one) for one in packed.inner)
        return Blended(members, tuple(packed.settings["weights"]), bool(packed.settings["geometric"]))
