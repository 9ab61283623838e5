"""Stage 3, labels: what is to be known, and the answer's kind."""

from flyball.labels.fails import FailsWithin
from flyball.labels.given import Given
from flyball.labels.remaining import RemainingLife
from flyball.labels.reviewed import Corrected
from flyball.labels.stage import Answers, Classes, Kind, Labeller, Probability, Quantity

__all__ = [
    "Answers", "Classes", "Corrected", "FailsWithin", "Given", "Kind", "Labeller", "Probability", "Quantity",
    "RemainingLife",
]  # fmt: skip
