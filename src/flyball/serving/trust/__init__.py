"""Who may say what runs: keys, orders, the signed set (TUF), and the files that cross an air gap."""

from flyball.serving.trust.order import Order, Policy

__all__ = ["Order", "Policy"]
