"""Stage 3, labels: what is to be known, and the answer's kind."""

from flyball.labels.stage import Answers, Classes, Kind, Labeller, Probability, Quantity

__all__ = ["Answers", "Classes", "Kind", "Labeller", "Probability", "Quantity"]
