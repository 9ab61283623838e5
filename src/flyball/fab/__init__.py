"""A simulated fleet of lithography scanners with known truth, for trying, teaching and testing.

Synthetic throughout: machine names, event codes, part names and life lengths are invented, and nothing here
is or may be presented as any vendor's data.

>>> from flyball import fab
>>> small = fab.Fab("tiny", seed=1)
>>> sorted(fab.tables(small, "events", "repairs", "telemetry"))
['events', 'repairs', 'telemetry']
"""

from flyball.fab.censored import ceiling_where_known
from flyball.fab.channels import UNITS
from flyball.fab.clients import labels as client_labels
from flyball.fab.files import tables, write
from flyball.fab.fleet import PRESETS, START_US, Fab
from flyball.fab.oracle import ceiling, remaining, severity_oracle
from flyball.fab.truth import failures, occurs

__all__ = [
    "PRESETS", "START_US", "UNITS", "Fab", "ceiling", "ceiling_where_known", "client_labels", "failures", "occurs",
    "remaining", "severity_oracle", "tables", "write",
]  # fmt: skip
