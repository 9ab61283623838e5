"""Detectors of river behind our protocol, for who wants one that is not here."""

from __future__ import annotations

import collections
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from flyball import errors, evidence, extras, part
from flyball.monitoring import losses, stage

#: What may be named: the detectors of one value at a time in river 0.26.
NAMES = (
    "ADWIN", "KSWIN", "PageHinkley", "binary.DDM", "binary.EDDM", "binary.FHDDM", "binary.HDDMA", "binary.HDDMW",
)  # fmt: skip
#: Those that take errors only: a value above a half is one.
BINARY = "binary."

#: Running detectors by the digest of their state: only a shortcut, a state that is not here is replayed.
_RUNNING: collections.OrderedDict[str, Any] = collections.OrderedDict()
MOST_RUNNING = 64


class River(stage.Detector):
    """Watches with a detector of river: `name` as in `river.drift`, such as "ADWIN" or "binary.HDDMW".

    The state is the stream since the last alarm, as plain numbers that are replayed, so nothing of river's is stored
    and a resumed stream alarms as an unbroken one.  It is bounded: after `keep` values the older half is forgotten
    and the detector starts again on the rest.  Its alarms tell no threshold and no budget can be settled: give
    `settings` as river names them.  Where river draws by chance its seed is 0 unless given.

    Needs the extra "river" (BSD-3).

    >>> detector = River("PageHinkley", "log_loss", {"threshold": 2.0, "min_instances": 5})
    >>> state, alarms = detector.start(), []
    >>> for at, value in enumerate([0.1] * 50 + [1.0] * 10):
    ...     state, alarm = detector.update(state, at, value)
    ...     alarms += [alarm.at] if alarm else []
    >>> alarms[0]
    52
    """

    name: str
    metric: str
    settings: Mapping[str, float | int | str] = part.field(default_factory=part.Frozen)
    keep: int = 2000

    def start(self) -> Mapping[str, Any]:
        """Return the state before any value."""
        return {"values": [], "digest": ""}

    def update(
        self, state: Mapping[str, Any], at: int, value: float
    ) -> tuple[Mapping[str, Any], evidence.Alarm | None]:
        """Return the new state and an alarm if the value tips it."""
        if not math.isfinite(value):
            return state, None
        key = f"{self!r} {state['digest']}"
        running = _RUNNING.pop(key, None) if state["digest"] else None
        values = [*state["values"], value]
        if len(values) > self.keep:
            values, running = values[-(self.keep // 2) :], None
        if running is None:
            running = self._made()
            for earlier in values[:-1]:
                self._told(running, earlier)
        if self._told(running, value):
            why = f"river's {self.name} alarms after {len(values)} values of {self.metric}"
            return self.start(), evidence.Alarm(f"River({self.name}, {self.metric})", at, 1.0, 0.0, why=why)
        digest = hashlib.sha256(f"{state['digest']} {value!r} {len(values)}".encode()).hexdigest()
        _RUNNING[f"{self!r} {digest}"] = running
        while len(_RUNNING) > MOST_RUNNING:
            _RUNNING.popitem(last=False)
        return {"values": values, "digest": digest}, None

    def statistic(self, state: Mapping[str, Any]) -> float:
        """Return 0: river tells only whether it alarms."""
        return 0.0

    def threshold(self) -> float | None:
        """Return 0: what it alarms at stands in `settings`."""
        return 0.0

    def settled(self, statistic: float) -> River:
        """Return itself: nothing is settled."""
        return self

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a loss that this page's answers do not have, and a detector that river does not have."""
        yield from losses.problems(page, self.metric)
        if self.name not in NAMES:
            hint = errors.did_you_mean(self.name, NAMES)
            yield errors.Problem("name", f"no detector {self.name!r} of river", hint)
        if self.keep < 2:
            yield errors.Problem("keep", f"keeps {self.keep} values", "give 2 or more, better some thousands")
        for name, value in self.settings.items():
            if not isinstance(value, (int, float, str)):
                yield errors.Problem(
                    "settings", f"{name!r} is {json.dumps(str(value))}", "give a number or a text"
                )

    def _made(self) -> Any:
        if self.name not in NAMES:
            raise errors.DeclarationError(
                f"no detector {self.name!r} of river: {errors.did_you_mean(self.name, NAMES)}"
            )
        room: Any = extras.need("river.drift", "river", "to watch with river's detectors")
        for step in self.name.split("."):
            room = getattr(room, step)
        settings = {"seed": 0, **self.settings} if self.name == "KSWIN" else dict(self.settings)
        try:
            return room(**settings)
        except TypeError as error:
            raise errors.DeclarationError(
                f"river's {self.name}: {error}: name its settings as river does"
            ) from None

    def _told(self, running: Any, value: float) -> bool:
        running.update(value > 0.5 if self.name.startswith(BINARY) else value)
        return bool(running.drift_detected)
