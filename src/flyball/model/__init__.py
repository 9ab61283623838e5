"""Stage 4, model: baselines, learners, chains, the contest and its gates."""

from flyball.model.beats import Beats, NotWorse
from flyball.model.blend import Blend
from flyball.model.chain import Chain
from flyball.model.constant import Prior
from flyball.model.given import Given
from flyball.model.latest import Latest
from flyball.model.limits import Agreement, Latency, Memory, Size
from flyball.model.linear import Logistic, Ridge
from flyball.model.machines import ByMachine
from flyball.model.normalise import Normalise
from flyball.model.rate import Rate
from flyball.model.rolling import Rolling
from flyball.model.rule import Threshold
from flyball.model.stage import AsTested, Compressor, Contest, Fold, Gate, Learner, Measured, Packed, Predictor, Refit
from flyball.model.stage import Ship, Split, Step, Transform
from flyball.model.trees import BoostedTrees

__all__ = [
    "Agreement", "AsTested", "Beats", "Blend", "BoostedTrees", "ByMachine", "Chain", "Compressor", "Contest", "Fold",
    "Gate", "Given", "Latency", "Latest", "Learner", "Logistic", "Measured", "Memory", "Normalise", "NotWorse",
    "Packed", "Predictor", "Prior", "Rate", "Refit", "Ridge", "Rolling", "Ship", "Size", "Split", "Step", "Threshold",
    "Transform",
]  # fmt: skip
