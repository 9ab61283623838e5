"""Stage 7, monitoring: whether it still holds."""

from flyball.monitoring.stage import Detector, DriftDetector, Reference, Trigger, Watch, Watched

__all__ = ["Detector", "DriftDetector", "Reference", "Trigger", "Watch", "Watched"]
