"""Remaining life of turbofan engines, on NASA's simulated C-MAPSS fleet."""

from flyball.systems.turbofan import page
from flyball.systems.turbofan.flights import Flights, TwinFlights
from flyball.systems.turbofan.harmonise import Harmonise, Harmonised
from flyball.systems.turbofan.learners import Calibrated, Engines, Reading
from flyball.systems.turbofan.windows import Inspected, Windows

__all__ = [
    "Calibrated", "Engines", "Flights", "Harmonise", "Harmonised", "Inspected", "Reading", "TwinFlights", "Windows",
    "page",
]  # fmt: skip
