import json
import os
import subprocess
import sys

import numpy as np
import pytest

from flyball import data, errors, labels, model
from flyball.features import arrays
from flyball.features import stage as features
from flyball.serving import release
from flyball.site import scorer

FORBIDDEN = [
    "polars",
    "deltalake",
    "torch",
    "lightgbm",
    "sklearn",
    "matplotlib",
    "typer",
    "rich",
    "pyarrow",
    "scipy",
]
MOST = 75 * 2**20
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def rows(n=300):
    rng = np.random.default_rng(0)
    moments = features.Moments.of([f"m{i:03d}" for i in range(n)], [0] * n)
    x = rng.normal(size=(n, 3))
    kind = data.Words.of(rng.choice(["a", "b", None], n).tolist())
    return features.Matrix(moments, {**{f"c{i}": x[:, i] for i in range(3)}, "kind": kind})


def truth(x):
    value = (x.columns["c0"] + 0.5 * np.random.default_rng(1).normal(size=len(x)) > 0.5).astype(np.float64)
    known = np.ones(len(x), dtype=bool)
    return labels.Answers(value, known, data.Words.of([None] * len(x)), np.ones(len(x)))


LEARNERS = {"logistic": lambda: model.Logistic(), "trees": lambda: model.BoostedTrees(trees=20)}


class Native(model.Learner):
    """Boosted trees in the form that needs no onnxruntime."""

    def fit(self, x, y, kind, seed):
        return model.NativeTrees().compress(LEARNERS["trees"]().fit(x, y, kind, seed), x)


def made(folder, learner, golden=32):
    """A small release under its digest, with golden vectors."""
    x = rows()
    predictor = learner.fit(x, truth(x), labels.Probability(), 0)
    draft = folder / "draft"
    release.write_packed(draft / "model", predictor.pack())
    some = x.take(np.arange(golden))
    arrays.write_matrix(draft / "golden.npz", some, decode=True)
    with (draft / "golden_answers.npz").open("wb") as sink:
        answers = predictor.predict(some)
        np.savez(sink, answers=answers, source=answers)
    return draft.rename(folder / release.sealed(draft))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made(tmp_path_factory.mktemp("release"), model.Logistic())


def process(*arguments, code=None):
    command = [
        sys.executable,
        *(["-c", code] if code else ["-m", "flyball.site.scorer"]),
        *map(str, arguments),
    ]
    return subprocess.run(command, env={**os.environ, **ALONE}, capture_output=True, text=True, check=False)


def test_it_answers_as_the_model_it_was_made_from(folder):
    x = rows(40)
    found = scorer.Scorer(folder).answer(x)
    whole = rows()
    expected = model.Logistic().fit(whole, truth(whole), labels.Probability(), 0).predict(x)
    assert np.allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_process_measures_itself(tmp_path, name):
    folder = made(tmp_path, LEARNERS[name]())
    done = process(folder, folder.name)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["golden_error"] <= 1e-6
    assert 0 < told["p50_ms"] <= told["p99_ms"] <= told["p999_ms"]
    assert 0 < told["cpu_s"] < 0.1
    assert told["resident_bytes"] < MOST, f"{told['resident_bytes'] / 2**20:.1f} MiB"


@pytest.mark.parametrize("name", LEARNERS)
def test_it_imports_numpy_and_one_runner_and_nothing_of_the_laboratory(tmp_path, name):
    folder = made(tmp_path, LEARNERS[name]())
    code = (
        "import sys, json, pathlib\nfrom flyball.site import scorer\n"
        "scorer.timed(pathlib.Path(sys.argv[1]))\n"
        "print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    )
    done = process(folder, code=code)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert "numpy" in loaded
    assert not loaded & set(FORBIDDEN)


def test_trees_need_no_onnxruntime_and_less_memory(tmp_path):
    code = (
        "import sys, json, pathlib\nfrom flyball.site import scorer\n"
        "told = scorer.timed(pathlib.Path(sys.argv[1]))\n"
        "print(json.dumps([told['resident_bytes'], told['agreement'], 'onnxruntime' in sys.modules]))"
    )
    ours, theirs = (
        json.loads(process(made(tmp_path / name, learner), code=code).stdout)
        for name, learner in (("native", Native()), ("onnx", LEARNERS["trees"]()))
    )
    assert (ours[2], theirs[2]) == (False, True)
    assert ours[0] < theirs[0] - 10 * 2**20 and ours[1] == 0.0


def test_a_tampered_release_is_refused_in_one_line(tmp_path):
    folder = made(tmp_path, model.Logistic())
    file = folder / "model" / "packed.json"
    file.write_text(file.read_text().replace("linear", "rule"))
    done = process(folder)
    assert done.returncode == 5
    assert done.stdout == ""
    assert done.stderr.startswith("TamperedError:")
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(errors.TamperedError):
        scorer.Scorer(folder)


def test_a_release_without_golden_vectors_cannot_be_measured(tmp_path):
    folder = made(tmp_path, model.Logistic(), golden=0)
    with pytest.raises(errors.DataError, match="no golden vectors"):
        scorer.timed(folder)


def test_called_wrongly_it_says_how():
    assert scorer.main([]) == 2


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([np.nan], [np.nan], 0.0),
        ([np.nan], [1.0], np.inf),
        ([1.0], [1.0, 2.0], np.inf),
        ([], [], 0.0),
    ],
)
def test_the_largest_difference(a, b, apart):
    assert scorer._apart(np.array(a), np.array(b)) == apart
