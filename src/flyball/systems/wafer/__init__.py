"""Classes of wafer maps, on the public WM-811K maps."""

from flyball.systems.wafer import page
from flyball.systems.wafer.zones import Zones

__all__ = ["Zones", "page"]
