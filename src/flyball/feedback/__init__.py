"""Stage 6, feedback: outcomes joined to the answers that were given."""

from flyball.feedback.metrology import Metrology
from flyball.feedback.orders import WorkOrders
from flyball.feedback.outcomes import Outcomes
from flyball.feedback.review import Review
from flyball.feedback.reviewed import Reviewed
from flyball.feedback.several import Several
from flyball.feedback.stage import Feedback

__all__ = ["Feedback", "Metrology", "Outcomes", "Review", "Reviewed", "Several", "WorkOrders"]
