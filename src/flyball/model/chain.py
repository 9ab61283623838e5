"""Steps that learn from training rows, and the learner at their end, as one learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model.stage import Learner, Packed, Predictor, Step, Transform

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Chain(Learner):
    """Fitted steps and a learner: each step is fitted on training rows as the one before it left them.

    Steps are shipped inside the release with the model; nothing fitted stands in the features.

    >>> from flyball.model.constant import Prior
    >>> from flyball.model.normalise import Normalise
    >>> Chain(Normalise(by="machine"), Prior())
    model.Chain(model.Normalise(by='machine'), model.Prior())
    """

    parts: tuple[Step | Learner, ...]

    def __init__(self, *parts: Any, **named: Any) -> None:
        # A page writes Chain(step, learner); dataclasses.replace and the canonical text say parts=(step, learner).
        if set(named) - {"parts"} or (parts and named):
            raise TypeError(f"Chain takes steps and a learner, not {sorted(named)}")
        given = named.get("parts", parts)
        if len(given) == 1 and isinstance(given[0], (tuple, list)):
            given = given[0]
        super().__init__(tuple(given))
        if not self.parts or not isinstance(self.parts[-1], Learner):
            raise errors.DeclarationError("a Chain ends with a learner")
        if not all(isinstance(one, Step) for one in self.parts[:-1]):
            raise errors.DeclarationError("what stands before the learner of a Chain are steps")

    def __repr__(self) -> str:
        return f"model.Chain({', '.join(repr(one) for one in self.parts)})"

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds that its learner can learn."""
        return self._learner().accepts()

    def _learner(self) -> Learner:
        last = self.parts[-1]
        assert isinstance(last, Learner)
        return last

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the fitted steps and the predictor fitted on what they made of the training rows."""
        steps = []
        for one in self.parts[:-1]:
            assert isinstance(one, Step)
            step, x = one.fit_apply(x, y, seed)
            steps.append(step)
        return Chained(tuple(steps), self._learner().fit(x, y, kind, seed))


class Chained(Predictor):
    """Fitted steps and the predictor at their end."""

    def __init__(self, steps: tuple[Transform, ...], last: Predictor) -> None:
        self.steps, self.last = steps, last

    def prepared(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix as the predictor sees it."""
        for step in self.steps:
            x = step.apply(x)
        return x

    def predict(self, x: features.Matrix) -> Array:
        """Return the answers."""
        return self.last.predict(self.prepared(x))

    def influence(self) -> Mapping[str, float]:
        """Return the influence of the columns that the predictor sees."""
        return self.last.influence()

    def pack(self) -> Packed:
        """Return the steps and the predictor, packed in order."""
        return Packed("chain", inner=(*(step.pack() for step in self.steps), self.last.pack()))

    @staticmethod
    def unpack(packed: Packed) -> Chained:
        """Return the chain that was packed."""
        from flyball.model import unpack

        steps = tuple(unpack.transform(one) for one in packed.inner[:-1])
        return Chained(steps, unpack.unpack(packed.inner[-1]))
