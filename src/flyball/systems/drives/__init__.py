"""Failing hard drives in a data centre, on real daily logs."""

from flyball.systems.drives import page

__all__ = ["page"]
