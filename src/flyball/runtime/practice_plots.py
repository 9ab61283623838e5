"""The plots of the report's section on practice; see `practice`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.model import calibration, events
from flyball.runtime import contest, plots, practice

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints
    from flyball.runtime.result import Result

#: Colours of contestants in their order; the oracles are black and dark grey.
COLOURS = ("#8895a3", "#c77d1e", "#7a4fa3", "#3b8f8f", "#a34f62", "#5d7a2e")
STYLES = {"challenger": (plots.BLUE, "-"), "ceiling": ("black", "--"), "severity": ("#555555", ":")}


def draw(found: Result) -> Any:
    """Return recall against false alarms, leads, calibration of all, and the survival of lives; None without any."""
    if not practice.applies(found):
        return None
    figure, axes = plots.canvas(2, width=9.0, height=7.2, rows=2)
    recall(found, axes[0])
    leads(found, axes[1])
    calibrated(found, axes[2])
    survived(found, axes[3])
    return figure


def _styles(found: Result) -> dict[str, tuple[str, str]]:
    plain = [name for name in found.held.test.answers if name not in STYLES]
    return {name: (COLOURS[place % len(COLOURS)], "-") for place, name in enumerate(plain)} | STYLES


def _until(found: Result) -> Ints | None:
    return None if found.y.until is None else found.y.until[found.held.test.rows]


def recall(found: Result, axis: Any) -> None:
    """Draw the share of events found against false alarms per machine-year, up to twice the highest rate asked."""
    test, most = found.held.test, 2 * practice.rates(found)[-1]
    moments, styles = found.x.moments[test.rows], _styles(found)
    for name, answers in test.answers.items():
        points = events.curve(moments, test.truth, answers, until=_until(found))
        told = [(one.false_alarm_rate(), one.recall()) for _, one in points]
        inside = [(0.0, 0.0), *(pair for pair in told if pair[0] <= most)]
        colour, style = styles[name]
        axis.step(*zip(*inside, strict=True), style, where="post", color=colour, lw=1.4, label=name)
    for rate in practice.rates(found):
        axis.axvline(rate, color=plots.GREY, lw=0.6, ls=":")
    axis.set_xlim(0, most)
    axis.set_ylim(0, 1)
    axis.set_xlabel("false alarms per machine-year", fontsize=8)
    axis.set_title("events found", fontsize=9)
    axis.legend(fontsize=7)


def leads(found: Result, axis: Any) -> None:
    """Draw the share of found events by how long before they came the alert was, at the rate of the savings."""
    import numpy as np

    test, rate = found.held.test, practice.middle(found)
    moments, styles = found.x.moments[test.rows], _styles(found)
    for name, answers in test.answers.items():
        hours = _leads(moments, test.truth, answers, _until(found), rate)
        if len(hours):
            ordered = np.sort(hours)[::-1]
            colour, style = styles[name]
            share = np.arange(1, len(ordered) + 1) / len(ordered)
            axis.step(ordered, share, style, where="post", color=colour, lw=1.4)
    axis.axvline(24, color=plots.GREY, lw=0.6, ls=":")
    axis.set_ylim(0, 1)
    axis.set_xlabel("hours of lead, at least", fontsize=8)
    axis.set_title(f"share of found events, at {rate:g} false alarms a year", fontsize=9)


def _leads(moments: Any, truth: Array, answers: Array, until: Ints | None, rate: float) -> Any:
    """Return the hours of lead at the threshold that finds most within the rate."""
    import numpy as np

    best = None
    for _, one in events.curve(moments, truth, answers, until=until):
        if one.false_alarm_rate() > rate:
            break
        best = one if best is None or one.found > best.found else best
    return np.zeros(0) if best is None else best.lead / 3.6e9


def calibrated(found: Result, axis: Any) -> None:
    """Draw what was said against what happened, in ten groups, of everybody who says a probability."""
    import numpy as np

    test, styles, top = found.held.test, _styles(found), 1e-6
    for name, answers in test.answers.items():
        if name in contest.ORACLES and name != "ceiling":
            continue
        here = calibration.groups(answers)
        many = np.maximum(np.bincount(here), 1)
        held = np.flatnonzero(np.bincount(here))
        said, happened = (np.bincount(here, weights=column) / many for column in (answers, test.truth))
        colour, style = styles[name]
        axis.plot(said[held], happened[held], style, color=colour, marker="o", ms=3, lw=1.2)
        top = max(top, float(said.max()), float(happened.max()))
    axis.plot([0, top], [0, top], color=plots.GREY, lw=0.8)
    axis.set_xlabel("said", fontsize=8)
    axis.set_title("happened", fontsize=9)


def survived(found: Result, axis: Any) -> None:
    """Draw the survival of lives with Greenwood's band, marks where lives were cut short, and the worst case."""
    import numpy as np

    told = practice.curves(found)
    axis.set_title("lives from one stop to the next, days", fontsize=9)
    if told is None:
        axis.set_visible(False)
        return
    curve, worst, cut = told
    low, high = curve.band()
    time = np.append(0.0, curve.time)
    axis.fill_between(
        time, np.append(1.0, low), np.append(1.0, high), step="post", color=plots.BLUE, alpha=0.15, lw=0
    )
    axis.step(
        time, np.append(1.0, curve.survival), where="post", color=plots.BLUE, lw=1.4, label="to failure"
    )
    axis.plot(cut, curve.at(cut), "|", color=plots.BLUE, ms=6, alpha=0.5)
    axis.step(
        np.append(0.0, worst.time), np.append(1.0, worst.survival), where="post", color=plots.GREY, lw=1.0,
        label="to failure or replacement",
    )  # fmt: skip
    axis.set_ylim(0, 1)
    axis.legend(fontsize=7)
