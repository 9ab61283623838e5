"""The wafer page on the public maps: the blend beside the trees alone, class by class, and what was cleaned away.

The test split is the given one.  Intervals and the paired difference resample maps.  The count of twins and of
contradictions is compared with what is known of this copy of the data.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import sidebyside
from flyball.data import images
from flyball.runtime import run as carry
from flyball.systems import wafer
from flyball.systems.wafer import inputs

PAGE = wafer.page.system
TREES = "trees alone"
#: Macro F1 on the given test split that is aimed at, by whoever answers.
GOAL = 0.93
#: Rows with a twin in a stronger split, and images with more than one label, as counted apart from the page.
KNOWN = {
    "train rows with a twin in test": 48,
    "val rows with a twin in test": 16,
    "train rows with a twin in val": 54,
    "groups of one image with different labels": 12,
}
KNOWN_MAPS = 53


def run(store: Path | None = None) -> dict[str, Any]:
    """Carry the page through, in a store of its own unless one is given; every figure beside the trees'."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "maps"
        inputs.prepare(files)
        told = carry.run(PAGE, carry.Bound(store or Path(folder) / "store", files)).json()
    rows = [_winner(told), *_figures(told), *_cleaned(told), *_variants(told)]
    return sidebyside.result("wafer", ("numpy", "scipy", "lightgbm", "torch", "onnxruntime"), rows)


def _winner(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first metric of who answers: the blend if every gate lets it ship, else the trees."""
    who, name = ("challenger", "blend") if told["release"] else ("baseline", TREES)
    value, low, high = told["contest"][who]["macro_f1"]
    case = f"test: macro F1 of who answers ({name}) [{low:.3f}, {high:.3f}]"
    return sidebyside.row(case, value, None, "", "", GOAL, lower=False)


def _figures(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every metric of the blend beside that of the trees, on test and on val, and the paired difference."""
    for when, contest, start in (("test", told["contest"], ""), ("val", told["rolling"], "rolling.")):
        value, low, high = told["differences"][f"{start}difference.macro_f1"]
        case = f"{when}: macro F1, blend minus trees, {value:.4f} [{low:.4f}, {high:.4f}], lower bound"
        asked = when == "test"
        row = sidebyside.row(case, low, None, "", "", None)
        yield {**row, "goal": 0.0 if asked else None, "met": bool(low >= 0) if asked else None}
        for metric in PAGE.model.metrics if asked else PAGE.model.metrics[:3]:
            ours, theirs = (contest[who][metric] for who in ("challenger", "baseline"))
            case = f"{when}: {metric.replace('_', ' ')} of the blend {_interval(ours)}"
            yield sidebyside.row(case, ours[0], theirs[0], f"{TREES} {_interval(theirs)}", "", None)


def _cleaned(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what the data stage counted, beside what is known."""
    for found in told["data"]["cleaned"]:
        case = found["why"].split(",")[0]
        yield _same(f"cleaning: {case}", found["figure"], KNOWN[case])
    yield _same("cleaning: maps of train that stand in val", _shared("train", "val"), KNOWN_MAPS)


def _same(case: str, ours: float, known: float) -> dict[str, Any]:
    row = sidebyside.row(case, ours, known, "counted apart from the page", "", None)
    return {**row, "goal": known, "met": bool(ours == known)}


def _shared(one: str, other: str) -> int:
    """Return how many different maps two splits share."""
    maps, splits, _ = inputs.maps()
    there: dict[str, set[str]] = {one: set(), other: set()}
    for values, split in zip(maps, splits, strict=True):
        if split in there:
            there[split].add(images.digest(values))
    return len(there[one] & there[other])


def _variants(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what one answer takes on the scoring process, and how large the model is, per variant."""
    for variant in told["variants"]:
        name = {"source": "float32 blend", "Int8": "int8 blend"}[variant["name"]]
        yield sidebyside.row(f"{name}: one answer, p50", variant["p50_ms"], None, "", "ms", None)
        yield sidebyside.row(f"{name}: one answer, p99", variant["p99_ms"], None, "", "ms", 5.0)
        yield sidebyside.row(
            f"{name}: resident memory", variant["resident_bytes"] / 2**20, None, "", "MiB", 128.0
        )
        yield sidebyside.row(f"{name}: size", variant["size_bytes"] / 2**20, None, "", "MiB", None)
        yield sidebyside.row(
            f"{name}: largest difference to float32", variant["agreement"], None, "", "", 0.1
        )


def _interval(told: list[float]) -> str:
    return f"[{told[1]:.3f}, {told[2]:.3f}]"
