"""Stage 5, serving: what is done with the answer, and how it gets there."""

from flyball.serving.budget import Budget
from flyball.serving.choice import Below, Review
from flyball.serving.stage import Decision, Edge, Rollout
from flyball.serving.staged import Staged

__all__ = ["Below", "Budget", "Decision", "Edge", "Review", "Rollout", "Staged"]
