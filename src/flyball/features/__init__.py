"""Stage 2, features: what the model sees, as of the moment it is asked; nothing fitted."""

from flyball.features.asked import Each, Every
from flyball.features.column import Column
from flyball.features.departure import Departure
from flyball.features.events import Age, Count, Since
from flyball.features.image import Image
from flyball.features.last import Difference, Last
from flyball.features.rolling import Rolling
from flyball.features.sequence import Sequence
from flyball.features.smooth import Smooth
from flyball.features.stage import Asked, AsOf, Feature, Matrix, Moments
from flyball.features.stream import Stream

__all__ = [
    "Age", "AsOf", "Asked", "Column", "Count", "Departure", "Difference", "Each", "Every", "Feature", "Image", "Last",
    "Matrix", "Moments", "Rolling", "Sequence", "Since", "Smooth",
    "Stream",
]  # fmt: skip
