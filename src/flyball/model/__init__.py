"""Stage 4, model: baselines, learners, chains, the contest and its gates."""

from flyball.model.beats import Beats, NotWorse
from flyball.model.blend import Blend
from flyball.model.candidates import Candidates
from flyball.model.chain import Chain
from flyball.model.conformal import Conformal
from flyball.model.constant import Prior
from flyball.model.costs import Costs
from flyball.model.distilled import Distilled
from flyball.model.encode import Encode
from flyball.model.flag import Flag
from flyball.model.given import Given
from flyball.model.int8 import Int8
from flyball.model.inturn import InTurn
from flyball.model.latest import Latest
from flyball.model.limits import Agreement, Cost, Latency, Memory, Size
from flyball.model.linear import Logistic, Ridge
from flyball.model.log import Log
from flyball.model.machines import ByMachine
from flyball.model.native import NativeTrees
from flyball.model.nets import Conv, Dense, Recurrent
from flyball.model.noise import WithoutSuspects
from flyball.model.normalise import Normalise
from flyball.model.openvino import OpenVino
from flyball.model.physics import Physics
from flyball.model.pruned import Pruned
from flyball.model.quantiles import Quantiles
from flyball.model.rate import Rate
from flyball.model.regimes import Regimes
from flyball.model.rolling import Rolling
from flyball.model.rule import Threshold
from flyball.model.sigma import ThreeSigma
from flyball.model.stage import (
    AsTested,
    Compressor,
    Contest,
    Fold,
    Gate,
    Learner,
    Measured,
    Packed,
    Predictor,
    Refit,
    Ship,
    Split,
    Step,
    Transform,
)
from flyball.model.training import Training
from flyball.model.trees import BoostedTrees
from flyball.model.unlabelled import PositiveUnlabelled
from flyball.model.weibull import WeibullAge

__all__ = [
    "Agreement", "AsTested", "Beats", "Blend", "BoostedTrees", "ByMachine", "Candidates", "Chain",
    "Compressor", "Conformal", "Contest", "Conv", "Cost", "Costs", "Dense", "Distilled", "Encode", "Flag",
    "Fold", "Gate", "Given", "InTurn", "Int8", "Latency", "Latest", "Learner", "Log", "Logistic", "Measured",
    "Memory", "NativeTrees", "Normalise", "NotWorse", "OpenVino", "Packed", "Physics", "PositiveUnlabelled",
    "Predictor", "Prior", "Pruned", "Quantiles", "Rate", "Recurrent", "Refit", "Regimes", "Ridge", "Rolling", "Ship",
    "Size", "Split", "Step", "ThreeSigma", "Threshold", "Training", "Transform", "WeibullAge", "WithoutSuspects",
]  # fmt: skip
