"""Stage 2, features: what the model sees, as of the moment it is asked; nothing fitted."""

from flyball.features.asked import Each, Every
from flyball.features.events import Age, Count, Since
from flyball.features.last import Difference, Last
from flyball.features.rolling import Rolling
from flyball.features.stage import Asked, AsOf, Feature, Matrix, Moments

__all__ = [
    "Age", "AsOf", "Asked", "Count", "Difference", "Each", "Every", "Feature", "Last", "Matrix", "Moments",
    "Rolling", "Since",
]  # fmt: skip
