"""Carries a release out where the machines are: verifies and checks it, scores what arrives, answers, and tells."""
