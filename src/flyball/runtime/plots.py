"""The plots of the report, drawn with matplotlib; each returns a figure, or None when there is nothing to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import data, extras, labels

if TYPE_CHECKING:
    from flyball.runtime.result import Result

BLUE, GREY, RED, GREEN = "#2463a8", "#8895a3", "#b3261e", "#1a7f4b"
#: At most so many machines, columns or classes in one plot.
SHOWN = 24
#: At most so many metrics: all stand in the table.
MOST = 9


def contest(found: Result) -> Any:
    """Return the first metrics with their intervals, contestant by contestant, on the test rows and over the folds."""
    metrics, names = found.page.model.metrics[:MOST], list(found.held.test.answers)[::-1]
    columns = min(len(metrics), 3)
    rows = -(-len(metrics) // columns)
    figure, axes = canvas(columns, height=rows * (0.9 + 0.4 * len(names)), rows=rows)
    for axis, metric in zip(axes, metrics, strict=False):
        for place, name in enumerate(names):
            for prefix, offset, colour in (("rolling.", 0.14, GREY), ("", -0.14, BLUE)):
                m = found.held.measured.get(f"{prefix}{name}.{metric}")
                if m is not None:
                    axis.plot([m.low, m.high], [place + offset] * 2, color=colour, lw=2)
                    axis.plot([m.value], [place + offset], "o", color=colour, ms=5)
        axis.set_yticks(range(len(names)), names, fontsize=8)
        axis.set_ylim(-0.5, len(names) - 0.5)
        axis.set_title(metric, fontsize=9)
        axis.grid(axis="x", alpha=0.3)
    for axis in axes[len(metrics) :]:
        axis.set_visible(False)
    figure.supxlabel(
        "blue: rows judged on, grey: folds; bars: 95 % intervals by machine", fontsize=8, color=GREY
    )
    return figure


def calibration(found: Result) -> Any:
    """Return what was said against what happened (probabilities), the confusion of classes, or truth by answer."""
    import numpy as np

    answers, truth = found.held.test.answers["challenger"], found.held.test.truth
    figure, (axis,) = canvas(1, width=4.6, height=4.2)
    if answers.ndim == 1:
        order = np.array_split(np.argsort(answers, kind="stable"), 10)
        said = [float(answers[rows].mean()) for rows in order if len(rows)]
        happened = [float(truth[rows].mean()) for rows in order if len(rows)]
        top = max(*said, *happened, 1e-6)
        axis.plot([0, top], [0, top], color=GREY, lw=1)
        axis.plot(said, happened, "o-", color=BLUE)
        axis.set_xlabel("said")
        axis.set_ylabel("happened")
    elif isinstance(found.page.labels.kind(), labels.Quantity):
        rows = np.argsort(answers[:, 0])[:: max(1, len(answers) // 500)]
        axis.vlines(truth[rows], answers[rows, 1], answers[rows, 2], color=GREY, alpha=0.4, lw=1)
        axis.plot(truth[rows], answers[rows, 0], ".", color=BLUE, ms=4)
        axis.plot([truth.min(), truth.max()], [truth.min(), truth.max()], color=GREY, lw=1)
        axis.set_xlabel("truth")
        axis.set_ylabel("answer and interval")
    else:
        names = found.page.labels.kind().names  # type: ignore[attr-defined]
        figure.set_size_inches(5.2, 4.8)
        counts = np.zeros((len(names), len(names)))
        np.add.at(counts, (truth.astype(int), answers.argmax(axis=1)), 1)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1)
        axis.invert_yaxis()
        for i, j in zip(*np.nonzero(counts), strict=True):
            ink = "white" if shares[i, j] > 0.6 else "black"
            axis.text(
                j + 0.5, i + 0.5, f"{shares[i, j]:.2f}", ha="center", va="center", fontsize=6, color=ink
            )
        axis.set_xticks(np.arange(len(names)) + 0.5, names, rotation=60, ha="right", fontsize=7)
        axis.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=7)
        axis.set_xlabel("answered")
        axis.set_ylabel("true")
    return figure


def alerts(found: Result) -> Any:
    """Return the alerts per machine over time, with the moments at which the event was truly ahead."""
    import numpy as np

    if not found.alerts or found.held.test.answers["challenger"].ndim != 1:
        return None
    test = found.held.test
    moments = found.x.moments[test.rows]
    first = list(dict.fromkeys(alert.key for alert in found.alerts))[:SHOWN]
    figure, (axis,) = canvas(1, width=8.5, height=0.8 + 0.2 * len(first))
    for place, name in enumerate(first):
        mine = moments.codes == moments.keys.index(name)
        ahead = mine & (test.truth > 0)
        axis.plot(
            axis_time(found, moments.at[ahead]),
            np.full(int(ahead.sum()), place),
            "s",
            color=RED,
            ms=3,
            alpha=0.5,
        )
        said = [alert.moment for alert in found.alerts if alert.key == name]
        axis.plot(axis_time(found, np.array(said)), np.full(len(said), place), "^", color=BLUE, ms=6)
    axis.set_yticks(range(len(first)), first, fontsize=7)
    axis.grid(axis="x", alpha=0.3)
    axis.set_title("blue: alert, red: the event was ahead", fontsize=9)
    figure.autofmt_xdate()
    return figure


def influence(found: Result) -> Any:
    """Return how much each column counts in the challenger."""
    weights = found.held.influence.get("challenger") or dict(found.held.predictors["challenger"].influence())
    if not weights:
        return None
    top = sorted(weights.items(), key=lambda item: item[1])[-SHOWN:]
    total = sum(weights.values()) or 1.0
    figure, (axis,) = canvas(1, width=7, height=0.6 + 0.2 * len(top))
    axis.barh([name for name, _ in top], [value / total for _, value in top], color=BLUE)
    axis.tick_params(axis="y", labelsize=7)
    axis.set_xlabel("share of influence")
    return figure


def arrivals(found: Result) -> Any:
    """Return the questions and the share of missing values over time."""
    import numpy as np

    if not isinstance(found.page.data.clock, data.WallClock) or len(found.x) == 0:
        return None
    at = found.x.moments.at
    days, number = np.unique(at, return_inverse=True)
    figure, (left, right) = canvas(2, width=8.5, height=2.4)
    left.plot(axis_time(found, days), np.bincount(number), color=BLUE)
    left.set_title("machines asked", fontsize=9)
    for name, column in found.x.columns.items():
        if isinstance(column, np.ndarray) and column.ndim == 1:
            missing = np.bincount(number, weights=~np.isfinite(column)) / np.bincount(number)
            if missing.max() > 0.02:
                right.plot(axis_time(found, days), missing, lw=1, label=name)
    right.set_title("share of missing values by column (above 2 %)", fontsize=9)
    if 0 < len(right.lines) <= 8:
        right.legend(fontsize=6)
    figure.autofmt_xdate()
    return figure


def when(found: Result, at: int) -> str:
    """Return a moment as a person reads it."""
    from datetime import UTC, datetime

    if isinstance(found.page.data.clock, data.WallClock):
        return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
    return str(at)


def axis_time(found: Result, at: Any) -> Any:
    """Return moments as an axis shows them: times, or the steps of a counter."""
    return at.astype("datetime64[us]") if isinstance(found.page.data.clock, data.WallClock) else at


def canvas(columns: int, width: float = 9.0, height: float = 3.0, rows: int = 1) -> tuple[Any, Any]:
    """Return a figure and its axes, row by row, drawn without a screen and without global state."""
    figures = extras.need("matplotlib.figure", "lab", "to draw the report")
    figure = figures.Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, list(axes)
