"""Failing hard drives in a data centre, on real daily logs."""

from flyball.systems.drives.parts import Behind, Change, Rises, SinceRise, Standstill

# The page names the parts, so it comes after them.
from flyball.systems.drives import page  # isort: skip

__all__ = ["Behind", "Change", "Rises", "SinceRise", "Standstill", "page"]
