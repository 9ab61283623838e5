"""Peaks of a series that arrives in pieces, one sample at a time, by the definition of what can be told when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.kernels.reference import peaks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flyball.kernels.peaks import Rules

__all__ = ["PeakStream"]

DISTANCE, TIE, PROMINENCE, WIDTH, PLATEAU = 1, 2, 4, 8, 16
NEVER = 2**63 - 1
DECIDED = float("-inf")
NAN = float("nan")


class PeakStream:
    """The stream behind `flyball.kernels.Peaks`; its state is that of the C++."""

    def __init__(self, rules: Rules, delay: int) -> None:
        self.rules, self.delay = rules, delay
        self.walks = rules.prominence is not None or rules.width is not None
        self.reach = rules.half or delay
        self.kept = delay + (self.reach if self.walks else 0) + 2
        self.count = self.run = self.expired = 0
        self.rising = self.ended = False
        self.samples: list[float] = []
        self.tops: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []

    def push(self, chunk: Sequence[float]) -> list[dict[str, Any]]:
        """Take samples and return what can be told of peaks."""
        if self.ended:
            raise ValueError("push: the stream was finished, begin a new one")
        return [record for value in chunk for record in self._take(value)]

    def finish(self) -> list[dict[str, Any]]:
        """Return what the end of the series tells."""
        self.ended = True
        return self._tell(self.count)

    def _take(self, value: float) -> list[dict[str, Any]]:
        now, last = self.count, self._at(self.count - 1) if self.count else NAN
        if len(self.samples) > 2 * self.kept:
            del self.samples[: -self.kept]
        self.samples.append(value)
        self.count += 1
        entered = []
        if value != last:
            if self.rising and value < last:
                entered = self._enter(self.run, now - 1, last)
            self.run, self.rising = now, last < value
        return self._tell(now, entered)

    def _at(self, place: int) -> float:
        return self.samples[place - self.count]

    def _enter(self, left: int, right: int, height: float) -> list[dict[str, Any]]:
        """Return the top if it keeps the rules that need no other sample than its neighbours."""
        rules, place = self.rules, (left + right) // 2
        top: dict[str, Any] = {"place": place, "span": right - left, "key": height, "height": height}
        top |= {"when": NEVER, "doubt": DECIDED}
        steps = self._thresholds(top)
        kept = peaks.holds(rules.plateau_size, right - left + 1, 0) and peaks.holds(rules.height, height, 0)
        return [top] if kept and peaks.threshold_holds(rules.threshold, steps | {"at": 0}) else []

    def _thresholds(self, top: dict[str, Any]) -> dict[str, float]:
        here = self._at(_known(top) - 1)
        if top["span"] > 1:
            return {"left_thresholds": here - here, "right_thresholds": here - here}
        left, right = self._at(top["place"] - 1), self._at(top["place"] + 1)
        return {"left_thresholds": here - left, "right_thresholds": here - right}

    def _due(self, top: dict[str, Any]) -> int:
        return max(int(top["place"]) + self.delay, _known(top))

    def _tell(self, now: int, entered: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
        """Return what becomes clear at one sample."""
        if self.rules.distance > 2:
            self.tops += entered
            passed = [*self._forget(now), *self._decide(now), *self._expire(now)]
        else:
            passed = [(top, 0) for top in entered]
        records = []
        for top, doubt in passed:
            records += self._await(top, now, doubt)
        told = [(peak, self._told(peak, now)) for peak in self.waiting]
        self.waiting = [peak for peak, record in told if record is None]
        records += [record for _, record in told if record]
        return sorted(records, key=lambda record: int(record["peak"]))

    # The distance rule.

    def _undecided(self) -> list[dict[str, Any]]:
        return [top for top in self.tops if top["key"] != DECIDED]

    def _near(self, top: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            other
            for other in self.tops
            if other is not top and abs(other["place"] - top["place"]) < self.rules.distance
        ]

    def _forget(self, now: int) -> Iterator[tuple[dict[str, Any], int]]:
        """Give up tops that no report waits for, so that memory stays bounded."""
        for top in self._undecided():
            if max(top["place"] + self.delay + self.rules.distance, _known(top)) > now:
                break
            top["doubt"], top["key"] = top["key"], DECIDED
        yield from ()

    def _decide(self, now: int) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield what is kept, or can never be told, until nothing more follows."""
        known = NEVER if self.ended else self.run - 1
        again = True
        while again:
            again = False
            for top in self._undecided():
                group = [] if top["key"] == DECIDED else self._contenders(top)
                higher = [o for one in group for o in self._near(one) if o["key"] > top["key"]]
                if not group or higher or any(o["place"] + self.rules.distance - 1 > known for o in group):
                    continue
                again = True
                yield from self._settle(group, now)

    def _contenders(self, top: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the equal tops that contend with one, directly or through each other."""
        group = [top]
        for one in group:
            group += [o for o in self._near(one) if o["key"] == top["key"] and not any(o is g for g in group)]
        return group

    def _settle(self, group: list[dict[str, Any]], now: int) -> Iterator[tuple[dict[str, Any], int]]:
        height = group[0]["key"]
        doubted = any(other["doubt"] >= height for one in group for other in self._near(one))
        doubt = DISTANCE if doubted else TIE if len(group) > 1 else 0
        for one in group:
            one["key"], one["when"], one["doubt"] = DECIDED, now, height if doubt else DECIDED
            if now <= self._due(one):
                yield one, doubt
        if not doubted:
            # One of the equal ones is kept, whichever: what all of them reach is taken by it.
            for other in self._undecided():
                if all(abs(other["place"] - one["place"]) < self.rules.distance for one in group):
                    other["key"], other["when"] = DECIDED, now

    def _expire(self, now: int) -> Iterator[tuple[dict[str, Any], int]]:
        """Yield tops whose time is over, and let go of what none can reach any more."""
        while self.expired < len(self.tops) and self._due(self.tops[self.expired]) <= now:
            top = self.tops[self.expired]
            if top["when"] > self._due(top):
                yield top, DISTANCE
            self.expired += 1
        least = min([self.run, *(top["place"] for top in self._undecided())])
        while self.expired and self.tops[0]["place"] + self.rules.distance <= least:
            del self.tops[0]
            self.expired -= 1

    # Prominence and width.

    def _doubt_of_walks(self) -> int:
        return PROMINENCE * (self.rules.prominence is not None) | WIDTH * (self.rules.width is not None)

    def _await(self, top: dict[str, Any], now: int, doubt: int) -> list[dict[str, Any]]:
        place = top["place"]
        late = _known(top) > place + self.delay
        if late or not self.walks:
            return [self._record(top, now, doubt | (PLATEAU | self._doubt_of_walks()) * late)]
        bound = max(0, place - self.reach)
        next_, low = self._walk(place, range(place - 1, bound - 1, -1))
        open_ = not self.rules.half and next_ < bound and bound > 0
        if not open_ and not self._may_stand(self._at(place) - low):
            return []
        peak = {"place": place, "span": top["span"], "time": now, "doubt": doubt}
        self.waiting.append(peak | {"left_next": next_, "left_open": int(open_), "left_low": low})
        return []

    def _may_stand(self, most: float) -> bool:
        return self.rules.prominence is None or peaks.holds((self.rules.prominence[0], None), most, 0)

    def _walk(self, place: int, walked: range) -> tuple[int, float]:
        """Return where a walk over samples not above the peak ends, and the smallest value on it."""
        low = self._at(place)
        for i in walked:
            if not self._at(i) <= self._at(place):
                return i, low
            low = min(low, self._at(i))
        return walked.stop, low

    def _told(self, peak: dict[str, Any], now: int) -> dict[str, Any] | None:
        """Return the peak's record once its right side ends or its time is over, empty where it is none."""
        place, due = peak["place"], self._due(peak)
        window = place + self.rules.half if self.rules.half else NEVER
        bound = min(window, due, self.count - 1)
        next_, right_low = self._walk(place, range(place + 1, bound + 1))
        open_ = not (next_ <= bound or bound == window or (self.ended and self.count <= due))
        if open_ and now < due:
            return None
        doubt = self._doubt_of_walks() if open_ or peak["left_open"] else 0
        made = self._record(peak, now, peak["doubt"] | doubt)
        # The same figures as in a whole series, over the samples walked.
        from_, height = peak["left_next"] + 1, made["peak_heights"]
        x = [self._at(i) for i in range(from_, next_)]
        made |= _shifted(peaks.stand_out(x, place - from_, 0), from_)
        if self.rules.width is not None:
            made |= _width(x, made, from_, self.rules.share)
        if not open_ and not peak["left_open"]:
            kept = peaks.holds(self.rules.prominence, made["prominences"], 0)
            kept = kept and peaks.holds(self.rules.width, made["widths"], 0)
        else:
            high = self.rules.prominence[1] if self.rules.prominence else None
            kept = peak["left_open"] or self._may_stand(height - peak["left_low"])
            kept = kept and (open_ or self._may_stand(height - right_low))
            kept = kept and not (high is not None and made["prominences"] > high)
        return made if kept else {}

    def _record(self, top: dict[str, Any], seen: int, open_: int) -> dict[str, Any]:
        left = top["place"] - top["span"] // 2
        made = {"peak": top["place"], "seen": seen, "open": open_, "plateau_sizes": top["span"] + 1}
        made |= {
            "left_edges": left,
            "right_edges": left + top["span"],
            "peak_heights": self._at(_known(top) - 1),
        }
        if self.rules.threshold is not None:
            made |= self._thresholds(top)
        nothing = dict.fromkeys(("prominences", "widths", "width_heights", "left_ips", "right_ips"), NAN)
        return made | nothing | {"left_bases": -1, "right_bases": -1}

    # The state, laid out as that of the C++.

    def state(self) -> dict[str, Any]:
        """Return all that the future depends on."""
        import numpy as np

        tops = {name: [top[name] for top in self.tops] for name in ("place", "span", "when", "key", "doubt")}
        names = ("place", "span", "time", "doubt", "left_next", "left_open", "left_low")
        waiting = {name: [peak[name] for peak in self.waiting] for name in names}
        whole = {"count": self.count, "run": self.run, "rising": int(self.rising), "ended": int(self.ended)}
        floats = ("key", "left_low")
        return whole | {
            "samples": np.array(self.samples[-self.kept :], np.float64),
            "waiting": {k: np.array(v, np.float64 if k in floats else np.int64) for k, v in waiting.items()},
            "tops": {
                k: np.array(v, np.float64 if k in ("key", "doubt") else np.int64) for k, v in tops.items()
            },
            "expired": self.expired,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.count, self.run, self.expired = state["count"], state["run"], state["expired"]
        self.rising, self.ended = bool(state["rising"]), bool(state["ended"])
        self.samples = state["samples"].tolist()
        self.tops, self.waiting = _rows(state["tops"]), _rows(state["waiting"])


def _rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [column.tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _known(top: dict[str, Any]) -> int:
    """The sample after the top's run."""
    return int(top["place"] - top["span"] // 2 + top["span"] + 1)


def _shifted(stands: dict[str, Any], by: int) -> dict[str, Any]:
    return stands | {name: stands[name] + by for name in ("left_bases", "right_bases")}


def _width(x: list[float], made: dict[str, Any], from_: int, share: float) -> dict[str, float]:
    bases = {name: made[name] - from_ for name in ("left_bases", "right_bases")}
    row = bases | {"at": made["peak"] - from_, "prominences": made["prominences"]}
    return peaks.width_at(x, row, share, origin=from_)
