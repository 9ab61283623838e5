"""Alarms on their way to people: a name that stays, plain words, and what Alertmanager and its receivers read.

Why: an alarm that stands in a store is seen by whoever looks there.  A plant is woken by what it has: Alertmanager, or
something that takes its webhooks; an air-gapped one reads a file.  What cannot be told is told in the next round.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flyball import durable, errors, seals, units
from flyball.monitoring import bins

#: What the cause of an alarm means to somebody who has to act.
CAUSES = {
    "sensor": "a sensor is likely to be broken: check it before the model",
    "data": "what the machines do has changed: the model answers about something it has not learned",
    "concept": "the same inputs now mean something else: the model has to learn again",
    "": "what changed cannot be told apart yet",
}
#: What a column does, by the kind of its alarm.
KINDS = {
    "burst": "counts more than usual",
    "clipping": "is cut off at an end",
    "clock": "tells another time than the clocks around it",
    "flatline": "stands still",
    "missing": "lacks values",
    "noise": "scatters otherwise than usual",
    "ramp": "drifts away",
    "relation": "no longer goes with the other columns",
    "shift": "lies elsewhere than usual",
    "spikes": "shows wild single values",
    "swap": "shows what another one should",
    "unit": "shows another unit",
}
#: Alertmanager forgets an alarm that is not told again within so many rounds.
ROUNDS = 4
TIMEOUT_S = 10.0


def named(alarm: Mapping[str, Any]) -> str:
    """Return the name of an alarm: the same in every round in which it stands, another one for another alarm.

    By what does not grow while it stands: its detector, since when, and the machine where it is one's own.

    >>> named({"detector": "drift", "at": 9, "since": 3, "columns": ["x"]})
    'drift-0579dd'
    """
    machines = alarm.get("machines", ())
    seen = json.dumps([alarm["detector"], since(alarm), machines[0] if len(machines) == 1 else ""])
    return f"{_word(alarm['detector'])}-{hashlib.sha256(seen.encode()).hexdigest()[:6]}"


def since(alarm: Mapping[str, Any]) -> int:
    """Return when what an alarm is about began, as far as is known (microseconds, or steps of a counter)."""
    begun = alarm.get("since")
    return int(alarm["at"] if begun is None else begun)


def words(alarm: Mapping[str, Any]) -> str:
    """Return an alarm as one sentence for somebody who did not build the model.

    >>> words({"detector": "drift", "at": 9, "columns": ["x"], "machines": ["m1"], "why": "x PSI 0.4 > 0.1",
    ...        "kind": "flatline", "cause": "sensor", "sure": 0.001})
    'x on m1 stands still: a sensor is likely to be broken: check it before the model (by chance once in 1,000 windows)'
    """
    columns = list(dict.fromkeys(bins.bare(name) for name in alarm.get("columns", ())))
    what = _some(columns) or alarm.get("why") or alarm["detector"]
    where = _some(alarm.get("machines", ()))
    sure = alarm.get("sure")
    chance = f" (by chance once in {round(1 / sure):,} windows)" if sure and 0 < sure < 0.5 else ""
    does = KINDS.get(str(alarm.get("kind", "")).split(" ")[0], "")
    # Of several columns the kind is that of the worst; each of the others has its own.
    worst = f" ({columns[0]} {does})" if does and len(columns) > 1 else ""
    does = f" {does}" if does and not worst else ""
    cause = CAUSES.get(alarm.get("cause", ""), CAUSES[""])
    return f"{what}{' on ' + where if where else ''}{does or worst}: {cause}{chance}"


def _some(names: Iterable[str], most: int = 3) -> str:
    found = list(names)
    if len(found) > most:
        return f"{', '.join(found[:most])} and {len(found) - most} more"
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def alerts(
    system: str, raised: Iterable[Mapping[str, Any]], now: int, every_s: float
) -> list[dict[str, Any]]:
    """Return alarms as version 2 of Alertmanager's interface takes them.

    Labels are few and bounded (never a machine or a column), so that alarms are grouped; the rest is annotated.
    An alarm ends by itself when it is not told again for a while, see `ROUNDS`.

    Source: Alertmanager, api/v2/openapi.yaml, postableAlerts.

    >>> told = alerts("pumps", [{"detector": "drift", "at": 31, "statistic": 0.4, "limit": 0.1, "why": "x"}], 0, 60)
    >>> told[0]["labels"]["alertname"], told[0]["endsAt"]
    ('FlyballDrift', '1970-01-01T00:04:00Z')
    """
    out = []
    for alarm in raised:
        begun, name = since(alarm), named(alarm)
        labels = {
            "alertname": f"Flyball{_word(alarm['detector']).title().replace('_', '')}", "system": system,
            "alarm": name, "cause": alarm.get("cause") or "unknown", "severity": "warning",
        }  # fmt: skip
        notes = {
            "summary": words(alarm), "description": alarm.get("why", ""),
            "columns": ", ".join(alarm.get("columns", ())), "machines": ", ".join(alarm.get("machines", ())),
            "figure": f"{alarm['statistic']:.4g} against the limit {alarm['limit']:.4g}",
            "ask": f"flyball why {name}",
        }  # fmt: skip
        told = {"labels": labels, "annotations": {key: text for key, text in notes.items() if text}}
        # A counter's step is no time: such an alarm began when it was first told.
        starts = {"startsAt": _time(begun)} if units.is_time(begun) else {}
        out.append({**told, **starts, "endsAt": _time(now + int(ROUNDS * every_s * 1e6))})
    return out


def webhook(system: str, told: list[dict[str, Any]]) -> dict[str, Any]:
    """Return alerts as the receivers of Alertmanager's webhooks read them (version 4)."""
    return {
        "version": "4", "receiver": "flyball", "status": "firing" if told else "resolved", "groupKey": system,
        "truncatedAlerts": 0, "groupLabels": {"system": system}, "commonLabels": {"system": system},
        "commonAnnotations": {}, "externalURL": "", "alerts": [{**one, "status": "firing"} for one in told],
    }  # fmt: skip


def tell(place: str, system: str, raised: Iterable[Mapping[str, Any]], now: int, every_s: float) -> str:
    """Tell alarms to a place and return "", or why that could not be done: a loop does not end because of it.

    `place` is an Alertmanager (`http://host:9093/api/v2/alerts`), any other address that takes its webhooks, or a file
    that holds what stands now.  An alarm that went is told no more: Alertmanager then ends it, a webhook is told that
    nothing stands, a file holds an empty list.
    """
    told = alerts(system, raised, now, every_s)
    if not place.startswith(("http://", "https://")):
        durable.write(Path(place), json.dumps(told, indent=1).encode() + b"\n")
        return ""
    body = told if place.rstrip("/").endswith("/api/v2/alerts") else webhook(system, told)
    if not told and body is told:
        return ""
    asked = urllib.request.Request(
        place, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as reply:
            reply.read()
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"{place}: {len(told)} alarm(s) could not be told: {error}"
    return ""


class Told:
    """Who has been told what, so that a webhook is called when something changed and not in every round.

    The note lies beside the store's states and outlives a killed loop: what was not noted is told again.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def changed(self, place: str, raised: Iterable[Mapping[str, Any]]) -> bool:
        """Return whether other alarms stand than were told to a place."""
        return self._read().get(place) != sorted(named(one) for one in raised)

    def note(self, place: str, raised: Iterable[Mapping[str, Any]]) -> None:
        """Note what a place was told."""
        told = {**self._read(), place: sorted(named(one) for one in raised)}
        durable.folder(self.file.parent)
        durable.write(self.file, seals.sealed(told))

    def _read(self) -> dict[str, Any]:
        try:
            return seals.unsealed(self.file.read_bytes()) if self.file.is_file() else {}
        except ValueError:
            return {}  # damaged: everybody is told again


def checked(place: str) -> str:
    """Return a place, after looking whether alarms can be told there at all; raises DeclarationError."""
    if "://" in place and not place.startswith(("http://", "https://")):
        raise errors.DeclarationError(f"{place}: alarms are told to http(s):// or into a file")
    return place


def _word(detector: str) -> str:
    """Return the detector's own name: what stands before its settings."""
    return (
        "".join(letter if letter.isalnum() else "_" for letter in detector.partition("(")[0])
        .strip("_")
        .lower()
    )


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
