"""Flyball: machine learning for a fleet of machines, from the sensor to the edge and back.

One ML system is one page of Python along seven stages: data, features, labels, model, serving, feedback,
monitoring.  `System` is that page; each stage is a module of parts.
"""

from flyball.system import System

__all__ = ["System", "__version__"]
__version__ = "0.1.0"
