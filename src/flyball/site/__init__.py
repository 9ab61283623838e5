"""Carries a release out where the machines are: loads it, checks it, answers."""
