"""Where a round of the loop is told beside the command line: alarms to people's receivers, figures to Prometheus."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from flyball import errors


class Outlets:
    """What is told after every round, and ended with the loop.

    `tell` names Alertmanagers, receivers of its webhooks and files; `gauges` a port of the loopback (0: any) or a file
    whose name ends in .prom.  What cannot be told is said in the round's result and tried again in the next one.
    """

    def __init__(
        self, system: str, store: Path, tell: Sequence[str], gauges: str | None, every_s: float
    ) -> None:
        from flyball.runtime import alarms
        from flyball.runtime import gauges as gauge

        self._system, self._every_s = system, every_s
        self._places = [alarms.checked(place) for place in tell]
        self._told = alarms.Told(store / "state" / "told.json")
        self._gauges = gauge.Gauges(system) if gauges is not None else None
        self._file: Path | None = None
        self._server: Any = None
        self.listens = ""
        if self._gauges is None or gauges is None:
            return
        if gauges.isdigit():
            self.listens, self._server = self._gauges.serve(int(gauges))
        elif gauges.endswith(".prom"):
            self._file = Path(gauges)
        else:
            raise errors.DeclarationError(f"--gauges {gauges}: give a port, or a file that ends in .prom")

    def __enter__(self) -> Outlets:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def round(self, told: Mapping[str, Any]) -> list[str]:
        """Tell a round; return what could not be told."""
        from flyball.runtime import alarms

        now = time.time_ns() // 1000
        raised = told["watch"].get("alarms", [])
        missed = []
        for place in self._places:
            hook = place.startswith("http") and not place.rstrip("/").endswith("/api/v2/alerts")
            if hook and not self._told.changed(place, raised):
                continue
            why = alarms.tell(place, self._system, raised, now, self._every_s)
            if why:
                missed.append(why)
            elif hook:
                self._told.note(place, raised)
        if self._gauges is not None:
            self._gauges.update(told, now)
            if self._file is not None:
                self._gauges.write(self._file)
        return missed
