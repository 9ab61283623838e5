"""When to train again: by the calendar, because an alarm was raised, or because enough became known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, evidence, units
from flyball.monitoring import stage


class Weekly(stage.Trigger):
    """Due when the last training's cut lies a week (or `every`) back.

    A loop that slept for months finds one training due, not one per missed week; a training for any other reason
    begins the week anew, so that this one needs no cool-down.

    >>> Weekly().due(now=int(units.WEEK), trained=0, alarms=())
    'weekly: the last training knew 7 days less'
    """

    every: units.Duration = units.WEEK

    def due(
        self, now: int, trained: int | None, alarms: tuple[evidence.Alarm, ...], labelled: int = 0
    ) -> str:
        """Return the reason to train now, or "" for none."""
        if trained is None:
            return "weekly: never trained"
        behind = now - trained
        if behind < self.every:
            return ""
        return f"weekly: the last training knew {behind // int(units.DAY)} days less"

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a calendar that never comes round."""
        if not isinstance(self.every, units.Duration) or self.every <= 0:
            yield errors.Problem("every", f"{self.every!r} is no time", "give a duration such as WEEK")


class OnAlarm(stage.Trigger):
    """Due when an alarm was raised after the last training, once the cool-down is over.

    >>> OnAlarm().due(now=2, trained=0, alarms=(evidence.Alarm("drift", 1, 0.3, 0.2),))
    'alarm: drift'
    """

    cooldown: units.Duration = units.Duration(0)

    def due(
        self, now: int, trained: int | None, alarms: tuple[evidence.Alarm, ...], labelled: int = 0
    ) -> str:
        """Return the reason to train now, or "" for none."""
        if trained is not None and now - trained < self.cooldown:
            return ""
        names = sorted({alarm.detector for alarm in alarms if trained is None or alarm.at > trained})
        return f"alarm: {', '.join(names)}" if names else ""

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a trigger that nothing on the page can pull."""
        if page.monitoring.drift is None and not page.monitoring.concept:
            fix = "declare monitoring.Watch(drift=...) or concept=..., or drop it"
            yield errors.Problem("", "nothing on the page raises an alarm", fix)
        if self.cooldown < 0:
            yield errors.Problem("cooldown", f"a cool-down of {self.cooldown!r}", "give 0 or more")


class OnLabels(stage.Trigger):
    """Due when the answers of `at_least` questions became known since the last training, once the cool-down is over.

    Known means an outcome that arrived or what reviewers said, each question once.

    >>> OnLabels(at_least=50).due(now=2, trained=0, alarms=(), labelled=62)
    'labels: 62 answers became known'
    """

    at_least: int
    cooldown: units.Duration = units.Duration(0)

    def due(
        self, now: int, trained: int | None, alarms: tuple[evidence.Alarm, ...], labelled: int = 0
    ) -> str:
        """Return the reason to train now, or "" for none."""
        if labelled < self.at_least or (trained is not None and now - trained < self.cooldown):
            return ""
        return f"labels: {labelled} answers became known"

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a count that is always reached, and a cool-down that is none."""
        if self.at_least < 1:
            yield errors.Problem("at_least", f"{self.at_least} labels are always there", "give 1 or more")
        if self.cooldown < 0:
            yield errors.Problem("cooldown", f"a cool-down of {self.cooldown!r}", "give 0 or more")
