"""How a contest that was held, and the variants that were judged, lie in a step's folder; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.evidence import Measurement, Verdict
from flyball.model import unpack
from flyball.runtime import contest as contests
from flyball.runtime import followed, package
from flyball.serving import release

if TYPE_CHECKING:
    from flyball.data.stage import Array


def write(folder: Path, held: contests.Held) -> None:
    """Write a contest that was held: figures, everybody's answers, the fitted predictors."""
    import numpy as np

    for name, judged in (("rolling", held.rolling), ("test", held.test)):
        members = {f"answers.{who}": answers for who, answers in judged.answers.items()}
        with (folder / f"{name}.npz").open("wb") as sink:
            folds = judged.folds if judged.folds is not None else np.empty(0, np.int64)
            np.savez(sink, rows=judged.rows, truth=judged.truth, folds=folds, **members)  # type: ignore[arg-type]
    if held.followed is not None:
        seen = held.followed
        members = {f"answers.{who}": answers for who, answers in seen.answers.items()}
        with (folder / "followed.npz").open("wb") as sink:
            np.savez(sink, rows=seen.rows, until=seen.until, came=seen.came, **members)  # type: ignore[arg-type]
    np.save(folder / "trained.npy", held.trained)
    for who, predictor in held.predictors.items():
        release.write_packed(folder / "predictors" / who, predictor.pack())
        influence = dict(predictor.influence())
        (folder / "predictors" / who / "influence.json").write_text(json.dumps(influence))
    told = {
        "measured": {name: [m.name, m.value, m.low, m.high, m.n, m.unit] for name, m in held.measured.items()},
        "threshold": held.threshold, "seconds": held.seconds, "predictors": list(held.predictors),
        "assumed": held.assumed,
    }  # fmt: skip
    (folder / "held.json").write_text(json.dumps(told))


def read(folder: Path) -> contests.Held:
    """Read a contest back; predictors are the unpacked ones, as a machine would run them."""
    import numpy as np

    told = json.loads((folder / "held.json").read_text())
    judged: dict[str, contests.Judged] = {}
    for name in ("rolling", "test"):
        with np.load(folder / f"{name}.npz", allow_pickle=False) as found:
            answers: dict[str, Array] = {m[8:]: found[m] for m in found.files if m.startswith("answers.")}
            folds = found["folds"] if len(found["folds"]) else None
            judged[name] = contests.Judged(found["rows"], found["truth"], answers, folds)
    predictors, influence = {}, {}
    for who in told["predictors"]:
        predictors[who] = unpack.unpack(release.read_packed(folder / "predictors" / who))
        influence[who] = json.loads((folder / "predictors" / who / "influence.json").read_text())
    measured = {name: Measurement(*values) for name, values in told["measured"].items()}
    trained = np.load(folder / "trained.npy")
    return contests.Held(
        judged["rolling"],
        judged["test"],
        measured,
        predictors,
        told["threshold"],
        trained,
        told["seconds"],
        influence,
        _followed(folder / "followed.npz"),
        told.get("assumed", {}),
    )


def _followed(file: Path) -> followed.Followed | None:
    import numpy as np

    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as found:
        answers = {m[8:]: found[m] for m in found.files if m.startswith("answers.")}
        return followed.Followed(found["rows"], found["until"], found["came"], answers)


def variant_json(variant: package.Variant) -> dict[str, Any]:
    """Return a judged variant as JSON."""
    measured = {name: [m.name, m.value, m.low, m.high, m.n, m.unit] for name, m in variant.measured.items()}
    verdicts = [[v.gate, v.figure, v.limit, v.passed, v.why] for v in variant.verdicts]
    return {"name": variant.name, "digest": variant.digest, "measured": measured, "verdicts": verdicts}


def variant(told: Mapping[str, Any]) -> package.Variant:
    """Return a judged variant from its JSON."""
    measured = {name: Measurement(*values) for name, values in told["measured"].items()}
    verdicts = tuple(Verdict(*values) for values in told["verdicts"])
    return package.Variant(told["name"], told["digest"], measured, verdicts)
