"""What was packed runs with numpy and onnxruntime alone."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from flyball import errors, labels, model
from flyball.model import unpack
from flyball.model.stage import Packed


def test_unknown_runners_and_steps_are_refused(rows):
    with pytest.raises(errors.DataError, match=r"no runner 'onnxruntim'.*did you mean 'onnxruntime'"):
        unpack.unpack(Packed("onnxruntim"))
    step = model.Normalise().fit(rows.x, rows.truth(labels.Probability()), 0)
    with pytest.raises(errors.DataError, match="a step, not a predictor"):
        unpack.unpack(step.pack())
    with pytest.raises(errors.DataError, match="a predictor, not a step"):
        unpack.transform(Packed("prior", {"answer": [0.5]}))


def test_a_stopped_feature_is_missing_in_every_row(rows):
    from flyball import features

    chain = model.Chain(model.Normalise(by="machine"), model.BoostedTrees(trees=10, min_rows=5))
    kind = labels.Probability()
    fitted = chain.fit(rows.x, rows.truth(kind), kind, 0)
    missing = {**rows.x.columns, "a": np.full(len(rows.x), np.nan)}
    less = {name: column for name, column in rows.x.columns.items() if name != "a"}
    stopped = features.Matrix(rows.moments, less, {"a": "the column telemetry.a is missing"})
    assert np.array_equal(fitted.predict(features.Matrix(rows.moments, missing)), fitted.predict(stopped))
    with pytest.raises(errors.DataError, match="'a' is missing"):
        fitted.predict(features.Matrix(rows.moments, less))


def test_scoring_imports_no_training_library(rows, tmp_path):
    kind = labels.Probability()
    learner = model.Chain(model.Normalise(by="machine"), model.BoostedTrees(trees=5, min_rows=5))
    fitted = learner.fit(rows.x, rows.truth(kind), kind, 0)
    (tmp_path / "packed").write_bytes(pickle.dumps((fitted.pack(), rows.x)))
    script = (
        "import pickle, sys, json\n"
        f"packed, x = pickle.load(open({str(tmp_path / 'packed')!r}, 'rb'))\n"
        "from flyball.model import unpack\n"
        "print(json.dumps([unpack.unpack(packed).predict(x).tolist(), sorted(sys.modules)]))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    answers, modules = json.loads(run.stdout)
    assert np.array_equal(answers, fitted.predict(rows.x))
    assert not {"lightgbm", "torch", "sklearn", "scipy", "onnx", "polars", "onnxmltools"} & set(modules)
