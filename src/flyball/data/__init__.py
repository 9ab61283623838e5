"""Stage 1, data: what comes in, cleaned as declared and checked on arrival."""

from flyball.data.binding import Binding
from flyball.data.bindings import Bindings
from flyball.data.clean import Clip, HoldGaps
from flyball.data.context import Context
from flyball.data.dictionaries import Dictionary
from flyball.data.expect import Between, Missing, SameUnit
from flyball.data.frames import Frames
from flyball.data.images import Images
from flyball.data.layout import Layout
from flyball.data.query import Query
from flyball.data.retention import Retention
from flyball.data.stage import (
    Check,
    Cleaner,
    Clock,
    Counter,
    Finding,
    Fleet,
    Late,
    Rows,
    Table,
    Tables,
    WallClock,
    Words,
)
from flyball.data.twins import Twins

__all__ = [
    "Between", "Binding", "Bindings", "Check", "Cleaner", "Clip", "Clock", "Context", "Counter", "Dictionary",
    "Finding", "Fleet", "Frames", "HoldGaps", "Images", "Late", "Layout", "Missing", "Query", "Retention",
    "Rows", "SameUnit", "Table", "Tables", "Twins", "WallClock", "Words",
]  # fmt: skip
