"""Carries a page through its stages: the store, the plan, the run, the loop, the report, and the way to a fleet."""
