"""Drift as a peer tells it: run in its own environment, which holds no Flyball.

    python drift.py PEER FOLDER ROWS COLUMNS

FOLDER holds `reference.npy` and `current.npy`; the first ROWS and COLUMNS of both are compared.  Prints one JSON
object: for each case its CPU seconds, the reference being kept from before where the peer can, and its answers per
column.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any


def main(peer: str, folder: Path, rows: int, columns: int) -> dict[str, Any]:
    """Return what a peer says of so many rows and columns, and its version."""
    import numpy as np

    reference, current = (
        np.asfortranarray(np.load(folder / f"{name}.npy", mmap_mode="r")[:rows, :columns])
        for name in ("reference", "current")
    )
    told = {"evidently": _evidently, "nannyml": _nannyml, "frouros": _frouros, "alibi-detect": _alibi}[peer]
    return {"version": metadata.version(peer), "cases": told(reference, current)}


def _timed(work: Any) -> tuple[float, Any]:
    begun = time.process_time()
    found = work()
    return time.process_time() - begun, found


def _evidently(reference: Any, current: Any) -> dict[str, Any]:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    names = [f"c{place}" for place in range(reference.shape[1])]

    def made(table: Any) -> Any:
        kinds = DataDefinition(numerical_columns=names)
        return Dataset.from_pandas(pd.DataFrame(table, columns=names), data_definition=kinds)

    def judged(methods: tuple[str, ...], rows: int) -> Any:
        report = Report([ValueDrift(column=name, method=method) for method in methods for name in names])
        given = made(current[:rows]), made(reference[:rows])
        took, snapshot = _timed(lambda: report.run(*given))
        found = [float(one["value"]) for one in snapshot.dict()["metrics"]]
        width = len(names)
        return took, {
            method: found[place * width : place * width + width] for place, method in enumerate(methods)
        }

    out = {}
    for methods in (("psi", "kl_div", "jensenshannon"), ("wasserstein",), ("ks",)):
        judged(methods, 1000)
        took, found = judged(methods, len(current))
        out["+".join(methods)] = {"seconds": took, "answers": found}
    return out


def _nannyml(reference: Any, current: Any) -> dict[str, Any]:
    import nannyml
    import pandas as pd

    names = [f"c{place}" for place in range(reference.shape[1])]
    held, new = (pd.DataFrame(table, columns=names) for table in (reference, current))
    # As its code reads it: a method's name that is there, and then one level up how it is computed.
    exact = {"kolmogorov_smirnov": {}, "wasserstein": {}, "calculation_method": "exact"}
    out = {}
    for case, methods, settings in (
        ("js", ["jensen_shannon"], None),
        ("ks+wasserstein", ["kolmogorov_smirnov", "wasserstein"], None),
        ("ks+wasserstein exact", ["kolmogorov_smirnov", "wasserstein"], exact),
    ):
        detector = nannyml.UnivariateDriftCalculator(
            column_names=names, continuous_methods=methods, chunk_number=1, computation_params=settings
        )
        detector.fit(held)
        took, found = _timed(lambda detector=detector: detector.calculate(new))
        table = found.filter(period="analysis").to_df()
        answers = {
            method: [float(table[(name, method, "value")].iloc[0]) for name in names] for method in methods
        }
        out[case] = {"seconds": took, "answers": answers}
    return out


def _frouros(reference: Any, current: Any) -> dict[str, Any]:
    from frouros.detectors.data_drift import EMD, PSI, KSTest

    out = {}
    for case, kind, how in (("psi", PSI, {}), ("ks", KSTest, {"method": "asymp"}), ("wasserstein", EMD, {})):
        detectors = []
        for column in reference.T:
            detector = kind()
            detector.fit(X=column)
            detectors.append(detector)

        def compared(detectors: Any = detectors, how: Any = how) -> Any:
            return [one.compare(X=column, **how)[0] for one, column in zip(detectors, current.T, strict=True)]

        took, found = _timed(compared)
        answers = [float(getattr(one, "statistic", getattr(one, "distance", 0))) for one in found]
        out[case] = {"seconds": took, "answers": {case: answers}}
    return out


def _alibi(reference: Any, current: Any) -> dict[str, Any]:
    from alibi_detect.cd import KSDrift

    detector = KSDrift(reference, p_val=0.05)
    took, found = _timed(lambda: detector.predict(current))
    return {"ks": {"seconds": took, "answers": {"ks": [float(one) for one in found["data"]["distance"]]}}}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
