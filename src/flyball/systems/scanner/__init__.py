"""Predictive maintenance of lithography scanners, on a simulated fleet whose truth is known."""

from flyball.systems.scanner import page

__all__ = ["page"]
