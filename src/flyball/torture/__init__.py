"""Faults on purpose: seeded trials that anybody can run where the software is to run, on that disk and that kernel."""
