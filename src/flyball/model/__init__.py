"""Stage 4, model: baselines, learners, chains, the contest and its gates."""

from flyball.model.stage import AsTested, Compressor, Contest, Fold, Gate, Learner, Measured, Packed, Predictor, Refit
from flyball.model.stage import Ship, Split, Step, Transform

__all__ = [
    "AsTested", "Compressor", "Contest", "Fold", "Gate", "Learner", "Measured", "Packed", "Predictor", "Refit",
    "Ship", "Split", "Step", "Transform",
]  # fmt: skip
