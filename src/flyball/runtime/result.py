"""What a run came to: one value, one JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball import evidence
from flyball.runtime import contest as contests
from flyball.runtime import plan

if TYPE_CHECKING:
    from flyball.features import stage as features
    from flyball.labels import stage as labels
    from flyball.runtime import package
    from flyball.system import System


@dataclass(eq=False)
class Result:
    """Everything a run found out, for the report, the command line and the tests."""

    page: System
    steps: list[plan.Step]
    receipt: Mapping[str, Any]
    holds: Mapping[str, Any]
    findings: list[Mapping[str, Any]]
    x: features.Matrix
    y: labels.Answers
    held: contests.Held
    variants: list[package.Variant]
    release: str | None
    watch: Mapping[str, Any]
    alerts: tuple[evidence.Alert, ...] = ()
    outcomes: Mapping[str, int] = field(default_factory=dict)
    store: str = ""

    def json(self) -> dict[str, Any]:
        """Return the run as one JSON object."""
        shown = self.release_variant()
        return {
            "system": self.page.name,
            "fingerprint": self.page.fingerprint(),
            "steps": [_step(step) for step in self.steps],
            "data": {**self.receipt, "holds": self.holds, **self._findings(), "stopped_features": dict(self.x.stopped)},
            "rows": self._rows(),
            "contest": self._contest(""),
            "rolling": self._contest("rolling."),
            "differences": self._differences(),
            "verdicts": [_verdict(verdict) for verdict in (shown.verdicts if shown else ())],
            "variants": [self._variant(variant) for variant in self.variants],
            "release": self.release,
            "threshold": self.held.threshold,
            "assumed": dict(self.held.assumed),
            "labels": self._labels(),
            "alerts": len(self.alerts),
            "outcomes": dict(self.outcomes),
            "watch": self.watch,
        }  # fmt: skip

    def release_variant(self) -> package.Variant | None:
        """Return the variant that ships, or, when none does, the cheapest one, whose verdicts say why."""
        for variant in self.variants:
            if variant.digest == self.release:
                return variant
        return self.variants[0] if self.variants else None

    def contestants(self) -> list[str]:
        """Return who took part, baseline and challenger first."""
        return [name for name in self.held.test.answers if name not in contests.ORACLES]

    def _contest(self, prefix: str) -> dict[str, Any]:
        def figures(name: str) -> dict[str, list[float]] | None:
            start = f"{prefix}{name}."
            found = {k[len(start) :]: v for k, v in self.held.measured.items() if k.startswith(start)}
            return {metric: [m.value, m.low, m.high] for metric, m in found.items()} or None

        peers = {name: figures(name) for name in self.contestants() if name not in ("baseline", "challenger")}
        out = {name: figures(name) for name in ("baseline", "challenger", "ceiling")}
        severity = figures("severity")
        return {**out, "peers": peers} | ({} if severity is None else {"severity": severity})

    def _differences(self) -> dict[str, list[float]]:
        found = {name: m for name, m in self.held.measured.items() if "difference." in name}
        return {name: [m.value, m.low, m.high] for name, m in found.items()}

    def _findings(self) -> dict[str, list[Mapping[str, Any]]]:
        """Return what the page's checks found, and what its cleaners counted: that is told, and nobody's failure."""
        cleaned = [found for found in self.findings if found.get("by") == "cleaner"]
        return {
            "expectations": [found for found in self.findings if found not in cleaned],
            "cleaned": cleaned,
        }

    def _labels(self) -> dict[str, Any]:
        """Return how many labels look wrong, and which way, beside out-of-fold answers; {} where that is not known."""
        found = contests.suspected(self.page, self.held)
        if found is None:
            return {}
        return {"suspected": int(found.suspect.sum()), "noise": found.matrix.round(4).tolist()}

    def _rows(self) -> dict[str, Any]:
        from flyball.runtime import build

        held = self.held
        split = {"train": len(held.trained), "test": len(held.test.rows), "rolling": len(held.rolling.rows)}
        return {"asked": len(self.x), **build.settled(self.x, self.y), **split}

    @staticmethod
    def _variant(variant: package.Variant) -> dict[str, Any]:
        names = (
            "p50_ms",
            "p99_ms",
            "p999_ms",
            "resident_bytes",
            "size_bytes",
            "cpu_s",
            "cold_start_s",
            "agreement",
            "golden_error",
            "load_s",
        )
        figures = {name: variant.measured[name].value for name in names if name in variant.measured}
        return {"name": variant.name, "digest": variant.digest, "passed": variant.passed, **figures}


def _step(step: plan.Step) -> dict[str, Any]:
    return {"name": step.name, "key": step.key, "seconds": round(step.seconds, 4), "reused": step.reused}


def _verdict(verdict: evidence.Verdict) -> dict[str, Any]:
    return {
        "gate": verdict.gate, "figure": verdict.figure, "limit": verdict.limit, "passed": verdict.passed,
        "why": verdict.why,
    }  # fmt: skip
