"""Stage 7, monitoring: whether it still holds."""

from flyball.monitoring.drift import Drift
from flyball.monitoring.page_hinkley import PageHinkley
from flyball.monitoring.stage import Detector, DriftDetector, Reference, Trigger, Watch, Watched
from flyball.monitoring.triggers import OnAlarm, Weekly

__all__ = [
    "Detector",
    "Drift",
    "DriftDetector",
    "OnAlarm",
    "PageHinkley",
    "Reference",
    "Trigger",
    "Watch",
    "Watched",
    "Weekly",
]
