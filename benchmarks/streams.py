"""Detectors of concept drift on real streams, beside river's and frouros' on the same values.

Elec2 and the NOAA weather: a learner that learns from every row after it answered it; its errors are the stream, the
same one for all.  Neither set says where its concept drifted.  So known changes are planted: from a moment on the
learner is given the columns in another order, or, every other time, the answer turned round.  The first three tenths
of a stream are for choosing and have none.
False alarms are counted on what is left, untouched but shuffled: value by value, where nothing is left of time, and in
pieces of a week (two months for the weather), which leaves the errors as alike to their neighbours as they are.

NAB: the errors of a running mean, in units of their usual size; what counts is an alarm inside a labelled window.

Ours take their threshold from the first part and a budget of false alarms.  Peers are run as they come and, where the
table says "tuned", with the most sensitive of eight settings that keeps the same budget on shuffled pieces of the
same first part.

The drives page week by week stands in `weeks.py`: twenty-one daily means are too few for a detector of streams.
"""

from __future__ import annotations

import functools
import gzip
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers, sidebyside, weeks
from flyball import monitoring, units
from flyball.monitoring import rates, stage

FIRST = 0.3
#: Plantings of their own, and shuffles, per stream; so many changes are planted in each.
SEEDS, SHUFFLES, PLANTED = 3, 2, 8
#: KSWIN of the peers takes most of a millisecond a value: one planting and one shuffle will do.
SLOW = ("KSWIN",)
HOUR = 3_600_000_000
Found = Mapping[str, list[int]]


class Setting:
    """One real stream: how long a value lasts, the budget of false alarms a year, and how long errors are alike."""

    def __init__(
        self, name: str, file: str, label: str, each: int, budget: float, alike: int, within: int
    ) -> None:
        self.name, self.file, self.label, self.each = name, file, label, each
        self.budget, self.alike, self.within = budget, alike, within

    def years(self, n: int) -> float:
        return n * self.each / int(units.YEAR)

    def rows(self) -> tuple[Any, Any]:
        import polars as pl

        table = pl.read_parquet(Path(os.environ["FLYBALL_DATA"]) / "drift_streams" / f"{self.file}.parquet")
        return table.drop(self.label).to_numpy().astype(float), table[self.label].to_numpy().astype(float)


ELECTRIC = Setting("Elec2", "elec", "class", HOUR // 2, 4.0, 84 * HOUR, 7 * 48)
WEATHER = Setting("weather", "weather", "target", 24 * HOUR, 0.5, 30 * 24 * HOUR, 180)

OURS: Mapping[str, Callable[..., stage.Detector]] = {
    "ADWIN": monitoring.Adwin, "DDM": monitoring.Ddm, "KSWIN": monitoring.Kswin, "PageHinkley": monitoring.PageHinkley,
}  # fmt: skip
#: The eight settings of river's detectors that are tried, the most sensitive first.
TRIED: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "ADWIN": ("delta", (0.5, 0.1, 0.02, 0.002, 1e-4, 1e-6, 1e-9, 1e-14)),
    "DDM": ("drift_threshold", (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)),
    "PageHinkley": ("threshold", (3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0, 80.0)),
}


def run() -> dict[str, Any]:
    """Return what everybody found on every stream, and what a value costs."""
    rows: list[dict[str, Any]] = []
    for setting in (ELECTRIC, WEATHER):
        rows += _learned(setting)
    for told in (_nab, weeks.rows, _speed):
        rows += told()
    return sidebyside.result("streams", ("numpy", "river", "polars"), rows)


def errors(x: Any, y: Any, changes: Sequence[int] = (), seed: int = 0) -> Any:
    """Return (n,) whether each answer was wrong: logistic regression, one gradient step after each answer.

    From each change on the columns come in another order, drawn anew, or what was yes is no, in turns.
    """
    rng = np.random.default_rng(seed)
    order, turned = np.arange(x.shape[1]), False
    at = {place: number for number, place in enumerate(changes)}
    mean, spread = x[:500].mean(axis=0), x[:500].std(axis=0) + 1e-9
    scaled = np.clip((x - mean) / spread, -5, 5)
    weight, bias = np.zeros(x.shape[1]), 0.0
    wrong = np.zeros(len(y))
    for place in range(len(y)):
        if place in at and at[place] % 2:
            turned = not turned
        elif place in at:
            order = rng.permutation(x.shape[1])
        row, truth = scaled[place, order], (y[place] > 0.5) != turned
        chance = 1 / (1 + math.exp(-max(-30.0, min(30.0, float(row @ weight) + bias))))
        wrong[place] = (chance >= 0.5) != truth
        step = 0.02 * (truth - chance)
        weight += step * row
        bias += step
    return wrong


def planted(setting: Setting, n: int, seed: int) -> list[int]:
    """Return the places of the planted changes: in the later part, apart enough to be told from one another."""
    rng = np.random.default_rng(100 + seed)
    begin = int(FIRST * n)
    gap = (n - begin) // PLANTED
    return [
        begin + gap * number + int(rng.integers(gap // 10, gap - setting.within)) for number in range(PLANTED)
    ]


def _learned(setting: Setting) -> Iterator[dict[str, Any]]:
    x, y = setting.rows()
    n, part = len(y), setting.name.lower()
    begin = int(FIRST * n)
    plain = errors(x, y)
    again = float((y[1:] != y[:-1]).mean())
    yield _row(
        part, "error of the learner", float(plain.mean()) * 100, again * 100, "repeat the last label", "%"
    )
    streams: dict[str, Any] = {"untouched": plain[begin:]}
    changes: dict[str, list[int]] = {}
    for seed in range(SEEDS):
        places = planted(setting, n, seed)
        streams[f"planted{seed}"] = errors(x, y, places, seed)[begin:]
        changes[f"planted{seed}"] = [place - begin for place in places]
    size = max(2 * setting.alike // setting.each, 1)
    for seed in range(SHUFFLES):
        streams[f"shuffled{seed}"] = _shuffled(plain[begin:], 1, seed)
        streams[f"pieces{seed}"] = _shuffled(plain[begin:], size, seed)
    ours = {kind: _settled(setting, kind, plain[:begin]) for kind in OURS}
    found = {kind: {name: _ours(ours[kind], values) for name, values in streams.items()} for kind in OURS}
    few = ("planted0", "pieces0")
    theirs: dict[tuple[str, str], Found] = {}
    for kind in OURS:
        wanted = few if kind in SLOW else tuple(streams)
        theirs[(kind, "river")] = {name: _river(kind, {}, streams[name]) for name in wanted}
        if kind in TRIED:
            tuned = _tuned(setting, kind, plain[:begin])
            label = f"river, tuned: {TRIED[kind][0]} {tuned:g}"
            theirs[(kind, label)] = {
                n_: _river(kind, {TRIED[kind][0]: tuned}, v) for n_, v in streams.items()
            }
    theirs |= _frouros({name: streams[name] for name in streams}, few)
    for kind in OURS:
        for (which, peer), their in theirs.items():
            if which == kind:
                yield from _compared(setting, part, kind, found[kind], peer, their, changes, streams)


def _compared(
    setting: Setting, part: str, kind: str, ours: Found, peer: str, theirs: Found,
    changes: Mapping[str, list[int]], streams: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yield what both found, on the streams that both were run on."""
    names = [name for name in ours if name in theirs]
    if not names:
        yield _row(
            part,
            f"{kind}: planted changes found",
            _found(setting, ours, changes, list(ours))[0],
            None,
            peer,
            "",
        )
        return
    both = [_found(setting, one, changes, names) for one in (ours, theirs)]
    many = sum(len(changes[name]) for name in names if name in changes)
    yield _row(
        part,
        f"{kind}: planted changes found within {_span(setting)}, of {many}",
        both[0][0],
        both[1][0],
        peer,
        "",
    )
    yield _row(part, f"{kind}: median delay of those found", both[0][1], both[1][1], peer, "values")
    for null, said in (
        ("shuffled", "shuffled"),
        ("pieces", "shuffled in pieces"),
        ("untouched", "as it was"),
    ):
        some = [name for name in names if name.startswith(null)]
        if not some:
            continue
        years = sum(setting.years(len(streams[name])) for name in some)
        rate = [sum(len(one[name]) for name in some) / years for one in (ours, theirs)]
        yield _row(
            part, f"{kind}: alarms a year, {said} (budget {setting.budget:g})", rate[0], rate[1], peer, ""
        )


def _span(setting: Setting) -> str:
    return f"{setting.within * setting.each // (24 * HOUR)} days"


def _found(
    setting: Setting, alarms: Found, changes: Mapping[str, list[int]], names: Sequence[str]
) -> tuple[float, float | None]:
    """Return how many changes were followed by an alarm in time, and the median number of values until then."""
    delays = []
    for name in names:
        for change in changes.get(name, ()):
            later = [at - change for at in alarms[name] if 0 <= at - change < setting.within]
            delays += later[:1]
    return float(len(delays)), float(statistics.median(delays)) if delays else None


def _settled(setting: Setting, kind: str, first: Any) -> stage.Detector:
    detector = OURS[kind]("error", false_alarms=setting.budget)
    return _settle(detector, first, setting.each, setting.alike)


def _settle(detector: stage.Detector, first: Any, each: int, alike: int) -> stage.Detector:
    at = np.arange(len(first), dtype=np.int64) * each
    reference = rates.Losses(at, np.zeros(len(first), dtype=np.int32), np.asarray(first, dtype=float))
    return rates.settle(detector, reference, alike, seed=0).detector


def _ours(detector: stage.Detector, values: Any) -> list[int]:
    state, found = detector.start(), []
    for place, value in enumerate(np.asarray(values).tolist()):
        state, alarm = detector.update(state, place, value)
        if alarm is not None:
            found.append(place)
    return found


def _made(kind: str, settings: Mapping[str, Any]) -> Any:
    from river import drift

    made = {
        "ADWIN": drift.ADWIN,
        "DDM": drift.binary.DDM,
        "KSWIN": drift.KSWIN,
        "PageHinkley": drift.PageHinkley,
    }
    return made[kind](**({"seed": 0} if kind == "KSWIN" else {}), **settings)


def _river(kind: str, settings: Mapping[str, Any], values: Any) -> list[int]:
    detector, found = _made(kind, settings), []
    for place, value in enumerate(np.asarray(values).tolist()):
        detector.update(value)
        if detector.drift_detected:
            found.append(place)
    return found


def _tuned(setting: Setting, kind: str, first: Any) -> float:
    """Return the most sensitive setting that keeps the budget on shuffled pieces of the first part."""
    name, tried = TRIED[kind]
    size = max(2 * setting.alike // setting.each, 1)
    draws = [_shuffled(first, size, 50 + seed) for seed in range(4)]
    years = 4 * setting.years(len(first))
    for value in tried:
        if sum(len(_river(kind, {name: value}, one)) for one in draws) / years <= setting.budget:
            return value
    return tried[-1]


def _shuffled(values: Any, size: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    pieces = [values[at : at + size] for at in range(0, len(values), size)]
    return np.concatenate([pieces[place] for place in rng.permutation(len(pieces))])


def _frouros(streams: Mapping[str, Any], few: Sequence[str]) -> dict[tuple[str, str], Found]:
    """Return frouros' alarms; a row that says why where it cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        for name, values in streams.items():
            np.save(Path(folder) / f"{name}.npy", np.asarray(values, dtype=float))
        wanted = [(kind, name) for kind in OURS for name in (few if kind in (*SLOW, "ADWIN") else streams)]
        (Path(folder) / "wanted.json").write_text(json.dumps(wanted))
        try:
            told = peers.asked("frouros", "streams", folder)
        except peers.AbsentError as error:
            return {(kind, f"frouros: {error}"): {} for kind in OURS}
    _TOOK.update(told["us"])
    return {
        (kind, f"frouros {told['version']}"): {
            name: told["alarms"][f"{kind} {name}"] for which, name in wanted if which == kind
        }
        for kind in OURS
    }


#: What a value costs frouros, in microseconds, by detector.
_TOOK: dict[str, float] = {}


# --- NAB ----------------------------------------------------------------------------------------------------

NAB_BUDGET = 50.0
#: The part of a file in which NAB lets detectors learn.
PROBATION = 0.15


def _nab() -> Iterator[dict[str, Any]]:
    """Yield the labelled windows hit and the alarms outside of them, over all files."""
    files = list(_files())
    years = sum(seconds for *_, seconds in files) / (365 * 86400)
    windows = sum(len(inside) for _, _, inside, _ in files)
    hits: dict[str, tuple[int, int]] = {}
    for kind in OURS:
        ours, plain = (0, 0), (0, 0)
        for size, wrong, inside, seconds in files:
            values = wrong if kind == "DDM" else size
            each, begin = max(int(seconds * 1e6 / len(values)), 1), int(PROBATION * len(values))
            settled = _settle(OURS[kind]("error", false_alarms=NAB_BUDGET), values[:begin], each, 12 * each)
            ours = _add(ours, _ours(settled, values), begin, inside)
            if kind not in SLOW:
                plain = _add(plain, _river(kind, {}, values), begin, inside)
        hits[kind] = ours
        peer: Any = None if kind in SLOW else plain
        name = "river: not run, 0.7 ms a value" if kind in SLOW else "river"
        yield _row(
            "nab", f"{kind}: windows hit, of {windows}", ours[0], None if peer is None else peer[0], name, ""
        )
        yield _row(
            "nab", f"{kind}: alarms a year outside of them (budget {NAB_BUDGET:g})", ours[1] / years,
            None if peer is None else peer[1] / years, name, "",
        )  # fmt: skip


def _add(
    so_far: tuple[int, int], alarms: Sequence[int], begin: int, inside: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    later = [at for at in alarms if at >= begin]
    hit = sum(any(first <= at <= last for at in later) for first, last in inside)
    outside = sum(not any(first <= at <= last for first, last in inside) for at in later)
    return so_far[0] + hit, so_far[1] + outside


def _files() -> Iterator[tuple[Any, Any, list[tuple[int, int]], float]]:
    """Yield each file of NAB: the size of the errors, whether they are large, the windows, its seconds."""
    import polars as pl

    home = Path(os.environ["FLYBALL_DATA"]) / "nab"
    table = pl.read_parquet(home / "nab_data.parquet")
    with gzip.open(home / "combined_windows.json.gz") as source:
        windows = json.load(source)
    for (name,), rows in table.group_by(["file"], maintain_order=True):
        values = rows["value"].to_numpy().astype(float)
        at = rows["timestamp"].dt.timestamp("us").to_numpy()
        begin = max(int(PROBATION * len(values)), 10)
        size = np.zeros(len(values))
        mean = values[0]
        for place, value in enumerate(values.tolist()):
            size[place] = abs(value - mean)
            mean += 0.1 * (value - mean)
        usual = max(float(np.median(size[:begin])), 1e-9)
        size = np.minimum(size / usual, 50.0)
        wrong = (size > np.quantile(size[:begin], 0.95)).astype(float)
        inside = []
        for first, last in windows.get(str(name), ()):
            edges = (
                pl.Series([first, last]).str.to_datetime("%Y-%m-%d %H:%M:%S%.f").dt.timestamp("us")
            ).to_list()
            inside.append(
                (int(np.searchsorted(at, edges[0])), int(np.searchsorted(at, edges[1], side="right")) - 1)
            )
        yield size, wrong, inside, float(at[-1] - at[0]) / 1e6


# --- what a value costs -------------------------------------------------------------------------------------


def _speed() -> Iterator[dict[str, Any]]:
    """Yield microseconds per value on a steady stream of errors, in turns."""
    values = (np.random.default_rng(0).random(20_000) < 0.3).astype(float)
    for kind in OURS:
        some = values[:2000] if kind in SLOW else values
        settled = OURS[kind]("error")
        ours, theirs = sidebyside.versus(
            functools.partial(_ours, settled, some), functools.partial(_river, kind, {}, some), runs=3
        )
        scale = 1e6 / len(some)
        yield _row("speed", f"{kind}: one value", ours * scale, theirs * scale, "river", "us", ratio=True)
        if kind in _TOOK:
            yield _row("speed", f"{kind}: one value", ours * scale, _TOOK[kind], "frouros", "us", ratio=True)


def _row(
    part: str, case: str, ours: float | None, peer: float | None, name: str, unit: str, ratio: bool = False
) -> dict[str, Any]:
    made = sidebyside.row(case, ours if ours is not None else math.nan, peer, name, unit, goal=None)
    return {**made, "ours": ours, "ratio": made["ratio"] if ratio else None, "part": part}


if __name__ == "__main__":
    begun = time.perf_counter()
    for each in run()["rows"]:
        print(each["part"], each["case"], each["ours"], each["peer"], each["peer_name"])
    print(f"{time.perf_counter() - begun:.0f} s")
