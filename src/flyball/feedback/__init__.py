"""Stage 6, feedback: outcomes joined to the answers that were given."""

from flyball.feedback.outcomes import Outcomes
from flyball.feedback.stage import Feedback

__all__ = ["Feedback", "Outcomes"]
