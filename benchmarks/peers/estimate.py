"""Performance as NannyML estimates it before labels arrive: run in its own environment, which holds no Flyball.

    python estimate.py FOLDER ROWS

FOLDER holds `reference.npy` and `later.npy`, (n, 2) answers and truths; the truths of the later rows are not looked at.
Prints one JSON object: the estimates of each metric, chunk by chunk of so many ROWS.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

METRICS = ("accuracy", "roc_auc", "average_precision")


def main(folder: Path, rows: int) -> dict[str, Any]:
    """Return the estimates, and NannyML's version."""
    import nannyml as nml
    import numpy as np
    import pandas as pd

    tables = []
    for name in ("reference", "later"):
        told = np.load(folder / f"{name}.npy")
        tables.append(
            pd.DataFrame({
                "chance": told[:, 0], "said": (told[:, 0] >= 0.5).astype(int), "truth": told[:, 1].astype(int)
            })
        )  # fmt: skip
    estimator = nml.CBPE(
        y_pred_proba="chance", y_pred="said", y_true="truth", metrics=list(METRICS), chunk_size=rows,
        problem_type="classification_binary",
    )  # fmt: skip
    estimator.fit(tables[0])
    found = estimator.estimate(tables[1].drop(columns="truth")).filter(period="analysis").to_df()
    estimates = {name: found[(name, "value")].astype(float).tolist() for name in METRICS}
    return {"version": metadata.version("nannyml"), "estimates": estimates}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
