"""Stage 7, monitoring: whether it still holds."""

from flyball.monitoring.adwin import Adwin
from flyball.monitoring.ddm import Ddm
from flyball.monitoring.discrepancy import MeanDiscrepancy
from flyball.monitoring.domain import DomainClassifier
from flyball.monitoring.drift import Drift
from flyball.monitoring.kswin import Kswin
from flyball.monitoring.page_hinkley import PageHinkley
from flyball.monitoring.performance import Performance
from flyball.monitoring.reconstruction import Reconstruction
from flyball.monitoring.river import River
from flyball.monitoring.stage import Detector, DriftDetector, Multivariate, Reference, Trigger, Watch, Watched
from flyball.monitoring.triggers import OnAlarm, OnLabels, Weekly

__all__ = [
    "Adwin",
    "Ddm",
    "Detector",
    "DomainClassifier",
    "Drift",
    "DriftDetector",
    "Kswin",
    "MeanDiscrepancy",
    "Multivariate",
    "OnAlarm",
    "OnLabels",
    "PageHinkley",
    "Performance",
    "Reconstruction",
    "Reference",
    "River",
    "Trigger",
    "Watch",
    "Watched",
    "Weekly",
]
