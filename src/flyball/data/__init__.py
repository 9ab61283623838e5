"""Stage 1, data: what comes in, cleaned as declared and checked on arrival."""

from flyball.data.stage import Check, Cleaner, Clock, Counter, Finding, Fleet, Late, Rows, Table, Tables, WallClock, Words

__all__ = [
    "Check", "Cleaner", "Clock", "Counter", "Finding", "Fleet", "Late", "Rows", "Table", "Tables", "WallClock", "Words",
]  # fmt: skip
