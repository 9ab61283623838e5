"""Turns the winner of a contest into releases: every variant packed, measured in a fresh process, and gated.

The cheapest variant (by p99 latency) that passes every gate is the release; when none passes, nothing ships.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence
from flyball.features import arrays
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import stage as model
from flyball.model import unpack
from flyball.runtime import bill, build, card, followed, measure, plan, sketched
from flyball.runtime import contest as contests
from flyball.serving import release

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints
    from flyball.system import System

GOLDEN = 64


@dataclass(frozen=True)
class Variant:
    """One form of the winner: what it is called, its digest, what was measured, and what the gates said."""

    name: str
    digest: str
    measured: Mapping[str, evidence.Measurement]
    verdicts: tuple[evidence.Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate holds."""
        return all(verdict.passed for verdict in self.verdicts)


def ship(
    page: System, held: contests.Held, x: features.Matrix, y: labels.Answers, reference: Mapping[str, Any],
    folder: Path, seed: int,
) -> list[Variant]:  # fmt: skip
    """Write a release folder per variant of the challenger into `folder`, measured and judged, cheapest first."""
    source, tested = _shipped(page, held, x, y, seed), held.predictors["challenger"]
    # A variant of a refitted model has learned from the test rows: what is judged on them is the same variant of the
    # model that was tested.
    variants = {"source": (source, tested)} | _compressed(page, held, x, source, tested)
    out = []
    for name, (predictor, judged) in variants.items():
        place = folder / name
        _write(page, predictor, source, held, x, y, reference, place)
        digest = release.sealed(place)
        measured = dict(held.measured) | measure.scorer(place, digest)
        if name != "source":
            measured |= _again(page, held, judged, x, y)
        for gate in page.model.gates:
            measured |= gate.probe(predictor, x.take(held.test.rows))
        verdicts = tuple(verdict for gate in page.model.gates for verdict in gate.judge(measured))
        out.append(Variant(name, digest, measured, verdicts))
    return sorted(out, key=lambda variant: variant.measured["p99_ms"].value)


def _compressed(
    page: System, held: contests.Held, x: features.Matrix, source: model.Predictor, tested: model.Predictor
) -> dict[str, tuple[model.Predictor, model.Predictor]]:
    """Return what each compressor makes of the model that ships and of the one that was tested, by its title.

    Two of one title are told apart by a number.
    """
    out: dict[str, tuple[model.Predictor, model.Predictor]] = {}
    met: dict[str, int] = {}
    for compressor in page.model.compress:
        wanted, title = compressor.wants(), compressor.title()
        rows = x.take(held.trained if wanted is None else _some(held.trained, wanted))
        smaller, judged = (compressor.compress(one, rows) for one in (source, tested))
        if smaller is not None and judged is not None:
            met[title] = met.get(title, 0) + 1
            out[title if met[title] == 1 else f"{title}-{met[title]}"] = (smaller, judged)
    return out


def trained_on(page: System, x: features.Matrix, y: labels.Answers) -> dict[str, Any]:
    """Return which data a release was trained and judged on: its digest, its moments, and since when it needs rows.

    `since` is None where features look back without bound; what it covers is not let go of while the release serves.
    """
    first, last = int(x.moments.at.min()), int(x.moments.at.max())
    span = build.lookback(page)
    told = {"content": build.content(x, y), "rows": len(x), "first": first, "last": last}
    return {**told, "since": None if span is None else first - span}


def chosen(variants: list[Variant]) -> Variant | None:
    """Return the cheapest variant that passes every gate, or None."""
    return next((variant for variant in variants if variant.passed), None)


def _shipped(
    page: System, held: contests.Held, x: features.Matrix, y: labels.Answers, seed: int
) -> model.Predictor:
    import numpy as np

    if isinstance(page.model.ship, model.Refit):
        known = np.flatnonzero(y.known)
        return page.model.challenger.fit(x.take(known), y.take(known), page.labels.kind(), seed)
    return held.predictors["challenger"]


def _again(
    page: System, held: contests.Held, predictor: model.Predictor, x: features.Matrix, y: labels.Answers
) -> dict[str, evidence.Measurement]:
    """Return the challenger's figures on the test rows, as this variant of it answers them."""
    answers = dict(held.test.answers) | {"challenger": predictor.predict(x.take(held.test.rows))}
    judged = contests.Judged(held.test.rows, held.test.truth, answers)
    measured = contests.measure(page, x, judged, "", y)
    seen = held.followed
    if seen is not None and len(seen.rows):
        told = dict(seen.answers) | {"challenger": predictor.predict(x.take(seen.rows))}
        again = followed.Followed(seen.rows, seen.until, seen.came, told)
        measured |= followed.measure(page, x, y, again, contests.RESAMPLES)
    return measured


def _some(rows: Ints, most: int) -> Ints:
    import numpy as np

    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _write(
    page: System, predictor: model.Predictor, source: model.Predictor, held: contests.Held, x: features.Matrix,
    y: labels.Answers, reference: Mapping[str, Any], folder: Path,
) -> None:  # fmt: skip
    import numpy as np

    folder.mkdir(parents=True)
    packed = predictor.pack()
    release.write_packed(folder / "model", packed)
    golden = x.take(_golden(held.test.answers["challenger"], held.test.rows))
    arrays.write_matrix(folder / "golden.npz", golden, decode=True)
    with (folder / "golden_answers.npz").open("wb") as sink:
        np.savez(sink, answers=unpack.unpack(packed).predict(golden), source=source.predict(golden))
    (folder / "page.txt").write_text(repr(page) + "\n")
    schema = {"columns": list(x.columns), "reads": sorted(page.features.reads()), "stopped": dict(x.stopped)}
    ship_ = type(page.model.ship).__name__
    told = {"threshold": held.threshold, "fallback": page.serving.fallback, "ship": ship_, "schema": schema}
    _json(folder / "serving.json", told)
    data = trained_on(page, x, y)
    _json(folder / "data.json", data)
    _json(folder / "reference.json", reference)
    tested = features.Matrix(x.moments[held.test.rows], {})
    sketched.write(folder, x.take(held.trained), tested, held.test.answers["challenger"], page.labels.kind())
    _json(folder / "versions.json", {"page": page.fingerprint(), "libraries": dict(plan.versions())})
    _json(folder / "contest.json", {name: [m.value, m.low, m.high] for name, m in held.measured.items()})
    _json(
        folder / "gates.json",
        {
            "gates": [repr(gate) for gate in page.model.gates],
            "verdicts": judged(page, held),
            "judged_on": measure.instructions(),
        },
    )
    (folder / "card.md").write_text(card.text(page, held, x, data))
    _baseline(held, golden, folder / "baseline")
    (folder / "bill.json").write_bytes(bill.of(folder))


def _baseline(held: contests.Held, golden: features.Matrix, folder: Path) -> None:
    """Write the baseline as a release of its own: what answers when no release can."""
    import numpy as np

    packed = held.predictors["baseline"].pack()
    release.write_packed(folder / "model", packed)
    arrays.write_matrix(folder / "golden.npz", golden, decode=True)
    answers = unpack.unpack(packed).predict(golden)
    with (folder / "golden_answers.npz").open("wb") as sink:
        np.savez(sink, answers=answers, source=answers)
    release.sealed(folder)


def judged(page: System, held: contests.Held) -> list[dict[str, Any]]:
    """Return what the gates say of the contest's figures.

    Gates on latency, memory and agreement are judged on the sealed release, which cannot hold what is measured of it:
    their verdicts stand in the run's record.  On which instructions they are judged stands beside (`judged_on`): eight
    bits may be added up otherwise on others, so each machine answers the golden vectors itself before it switches.
    """
    told = []
    for gate in page.model.gates:
        with contextlib.suppress(errors.GateError):
            told += [
                {"gate": v.gate, "figure": v.figure, "limit": v.limit, "passed": v.passed}
                for v in gate.judge(held.measured)
            ]
    return told


def _golden(answers: Array, rows: Ints) -> Ints:
    """Return rows that span the answers, lowest to highest, so that the golden vectors meet every branch."""
    import numpy as np

    order = np.argsort(answers if answers.ndim == 1 else answers.max(axis=1), kind="stable")
    return np.sort(rows[_some(order, GOLDEN)])


def _json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def publish(variant: Variant, folder: Path, releases: Path) -> Path:
    """Copy a variant into the store's releases under its digest, verified before it is seen there."""
    from flyball import durable

    target = releases / variant.digest
    if not target.exists():
        durable.publish(
            target, lambda place: shutil.copytree(folder / variant.name, place, dirs_exist_ok=True)
        )
    release.verify(target)
    return target
