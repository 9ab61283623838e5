"""Stage 2, features: what the model sees, as of the moment it is asked; nothing fitted."""

from flyball.features.stage import Asked, AsOf, Feature, Matrix, Moments

__all__ = ["AsOf", "Asked", "Feature", "Matrix", "Moments"]
