"""When to train again: by the calendar, or because an alarm was raised."""

from __future__ import annotations

from flyball import evidence, units
from flyball.monitoring import stage


class Weekly(stage.Trigger):
    """Due when the last training's cut lies a week (or `every`) back.

    >>> Weekly().due(now=int(units.WEEK), trained=0, alarms=())
    'weekly: the last training knew 7 days less'
    """

    every: units.Duration = units.WEEK

    def due(self, now: int, trained: int | None, alarms: tuple[evidence.Alarm, ...]) -> str:
        if trained is None:
            return "weekly: never trained"
        behind = now - trained
        return f"weekly: the last training knew {behind // int(units.DAY)} days less" if behind >= self.every else ""


class OnAlarm(stage.Trigger):
    """Due when an alarm was raised after the last training, once the cool-down is over.

    >>> OnAlarm().due(now=2, trained=0, alarms=(evidence.Alarm("drift", 1, 0.3, 0.2),))
    'alarm: drift'
    """

    cooldown: units.Duration = units.Duration(0)

    def due(self, now: int, trained: int | None, alarms: tuple[evidence.Alarm, ...]) -> str:
        after = -1 if trained is None else trained
        if trained is not None and now - trained < self.cooldown:
            return ""
        names = sorted({alarm.detector for alarm in alarms if alarm.at > after})
        return f"alarm: {', '.join(names)}" if names else ""
