"""How near the performance estimated before labels arrive comes to what is realised, beside NannyML's estimate.

Elec2 and the NOAA weather: logistic regression learns from the first fifth, the second fifth is the reference, the rest
is answered in chunks.  Told is the mean distance of estimated and realised over the chunks; "as on the reference" takes
the reference's figure for every chunk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers, sidebyside, streams
from flyball import labels
from flyball.model import metrics
from flyball.monitoring import estimate

KIND = labels.Probability()
METRICS = ("accuracy", "roc_auc", "average_precision")
ROWS = {"Elec2": 1344, "weather": 365}


def run() -> dict[str, Any]:
    """Return the mean distances on both streams."""
    told = [
        row for setting in (streams.ELECTRIC, streams.WEATHER) for row in rows(setting.name, *setting.rows())
    ]
    return sidebyside.result("ahead", ("numpy", "scikit-learn"), told)


def rows(name: str, x: Any, y: Any) -> Iterator[dict[str, Any]]:
    """Yield the mean distance of estimated and realised for one stream."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fifth, many = len(y) // 5, ROWS[name]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[:fifth], y[:fifth])
    said = model.predict_proba(x)[:, 1]
    reference = slice(fifth, 2 * fifth)
    kept = estimate.calibration(KIND, said[reference], y[reference], np.arange(fifth) // (many // 4))
    begins = range(2 * fifth, len(y) - many + 1, many)
    realised: dict[str, list[float]] = {metric: [] for metric in METRICS}
    ours: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for begin in begins:
        chunk = slice(begin, begin + many)
        chance = estimate.calibrated(KIND, kept, said[chunk])
        found = estimate.figures(said[chunk], chance, 0.5)
        found["accuracy"] = (found["true_positives"] + found["true_negatives"]) / many
        for metric in METRICS:
            realised[metric].append(metrics.measure(metric, KIND, y[chunk], said[chunk]))
            ours[metric].append(found[metric])
    theirs, who = _nannyml(said, y, reference, slice(2 * fifth, 2 * fifth + many * len(begins)), many)
    for metric in METRICS:
        before = metrics.measure(metric, KIND, y[reference], said[reference])
        case = f"{name}: {metric.replace('_', ' ')}, estimated from realised, mean distance over {len(begins)} chunks"
        apart = _apart(ours[metric], realised[metric])
        peer = _apart(theirs[metric], realised[metric]) if theirs else None
        yield sidebyside.row(case, apart, peer, who, "", goal=None)
        still = _apart([before] * len(begins), realised[metric])
        yield sidebyside.row(case, apart, still, "as on the reference", "", goal=None)


def _apart(one: list[float], other: list[float]) -> float:
    return float(np.mean(np.abs(np.array(one) - np.array(other))))


def _nannyml(
    said: Any, y: Any, reference: slice, later: slice, many: int
) -> tuple[dict[str, list[float]], str]:
    with tempfile.TemporaryDirectory() as folder:
        for name, part in (("reference", reference), ("later", later)):
            np.save(Path(folder) / f"{name}.npy", np.stack([said[part], y[part]], axis=1))
        try:
            told = peers.asked("nannyml", "estimate", folder, many)
        except peers.AbsentError as error:
            return {}, f"nannyml: {error}"
    return told["estimates"], f"nannyml {told['version']}"
