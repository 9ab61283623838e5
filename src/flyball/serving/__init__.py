"""Stage 5, serving: what is done with the answer, and how it gets there."""

from flyball.serving.stage import Decision, Edge, Rollout

__all__ = ["Decision", "Edge", "Rollout"]
