import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from flyball import errors, evidence, model, part
from flyball.model import stage
from flyball.runtime import contest, measure, package, sketched
from flyball.serving import release

NAMES = ("p50_ms", "p99_ms", "p999_ms", "resident_bytes", "size_bytes", "agreement")


@pytest.fixture(scope="module")
def won(pumps):
    """The matrix, the truth and the held contest of a run."""
    found = pumps.result
    return found.page, found.held, found.x, found.y


class Half(model.Compressor):
    """A variant that answers otherwise: the prior."""

    def compress(self, predictor, calibration):
        rate = float(predictor.predict(calibration).mean())
        return constant(rate)


class Never(model.Compressor):
    """A kind of model that has no smaller variant."""

    def compress(self, predictor, calibration):
        return None


def constant(rate):
    from flyball.model.constant import Constant

    return Constant([rate])


@pytest.fixture
def measured(monkeypatch):
    """Scorers that take as long as the test says, by the name of the variant."""
    p99 = {}

    def scorer(folder, digest):
        value = p99.get(folder.name, 1.0)
        return {name: evidence.Measurement(name, value, value, value, 1, "1") for name in NAMES}

    monkeypatch.setattr(measure, "scorer", scorer)
    return p99


@pytest.fixture
def local(won, monkeypatch):
    """Parts that only this file has may stand on the page: a release's own text of it could not be read back."""
    monkeypatch.setattr(package.bill, "_page", lambda folder: won[0])


def shipped(won, folder, **changes):
    page, held, x, y = won
    page = part.replace(page, model=part.replace(page.model, **changes))
    return package.ship(page, held, x, y, {"columns": {}}, folder, 0)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_two_ships_of_one_contest_are_the_same_bytes(won, tmp_path, measured):
    first, again = (shipped(won, tmp_path / name)[0] for name in ("first", "again"))
    assert first.digest == again.digest
    assert files(tmp_path / "first" / "source") == files(tmp_path / "again" / "source")


def test_a_release_holds_all_that_a_machine_and_a_reader_need_and_verifies(won, tmp_path, measured):
    (variant,) = shipped(won, tmp_path)
    folder = tmp_path / "source"
    release.verify(folder, variant.digest)
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "model", "golden.npz", "golden_answers.npz", "page.txt", "serving.json", "reference.json", "versions.json",
        "contest.json", "gates.json", "card.md",
    }  # fmt: skip
    page, held, *_ = won
    assert (folder / "page.txt").read_text() == repr(page) + "\n"
    met = sketched.reference(folder)
    assert (met["columns"].rows, met["answers"].rows) == (len(held.trained), len(held.test.rows))
    gates = json.loads((folder / "gates.json").read_text())
    assert gates["gates"] == [repr(gate) for gate in page.model.gates]
    assert [verdict["gate"] for verdict in gates["verdicts"]] == [v.gate for v in variant.verdicts[:1]]
    assert gates["judged_on"] == measure.instructions() and gates["judged_on"]["kernels"]
    (folder / "card.md").write_text((folder / "card.md").read_text() + "better than that")
    with pytest.raises(errors.TamperedError):
        release.verify(folder, variant.digest)


def test_it_is_told_whether_the_model_is_the_tested_one(won, tmp_path, measured):
    _, held, x, _ = won
    for ship in (model.AsTested(), model.Refit()):
        name = type(ship).__name__
        shipped(won, tmp_path / name, ship=ship)
        assert json.loads((tmp_path / name / "source" / "serving.json").read_text())["ship"] == name
        with np.load(tmp_path / name / "source" / "golden_answers.npz") as golden:
            rows = package._golden(held.test.answers["challenger"], held.test.rows)
            tested = held.predictors["challenger"].predict(x.take(rows))
            assert np.array_equal(golden["answers"], tested) == (name == "AsTested")


def test_the_golden_vectors_span_the_answers(won):
    held = won[1]
    answers, rows = held.test.answers["challenger"], held.test.rows
    golden = package._golden(answers, rows)
    assert len(golden) == package.GOLDEN == len(set(golden.tolist()))
    assert {rows[answers.argmin()], rows[answers.argmax()]} <= set(golden.tolist())


def test_the_cheapest_variant_that_passes_wins(won, tmp_path, measured, local):
    measured |= {"source": 2.0, "Half": 1.0}
    lenient, strict = (model.Latency(p99=model_ms(5)),), (model.Beats("average_precision", by=0.01),)
    variants = shipped(won, tmp_path / "a", compress=(Half(), Never()), gates=lenient)
    assert [variant.name for variant in variants] == ["Half", "source"]
    assert package.chosen(variants).name == "Half"
    # Cheaper and worse: its own figures are judged, not those of the model it was made from.
    variants = shipped(won, tmp_path / "b", compress=(Half(),), gates=strict)
    assert [(variant.name, variant.passed) for variant in variants] == [("Half", False), ("source", True)]
    assert package.chosen(variants).name == "source"
    variants = shipped(won, tmp_path / "c", compress=(Half(),), gates=(model.Latency(p99=model_ms(0.5)),))
    assert package.chosen(variants) is None and not any(variant.passed for variant in variants)


def model_ms(value):
    from flyball import units

    return units.ms(value)


def test_sabotage_judged_by_the_source_s_figures_the_worse_variant_wins(
    won, tmp_path, measured, local, monkeypatch
):
    measured |= {"source": 2.0, "Half": 1.0}
    monkeypatch.setattr(package, "_again", lambda page, held, predictor, x, y: {})
    gates = (model.Beats("average_precision", by=0.01),)
    assert package.chosen(shipped(won, tmp_path, compress=(Half(),), gates=gates)).name == "Half"


def test_what_is_published_is_whole_and_lies_under_its_digest(won, tmp_path, measured):
    (variant,) = shipped(won, tmp_path / "made")
    place = package.publish(variant, tmp_path / "made", tmp_path / "releases")
    assert place.name == variant.digest and files(place) == files(tmp_path / "made" / "source")
    assert package.publish(variant, tmp_path / "made", tmp_path / "releases") == place
    shutil.rmtree(place / "model")
    with pytest.raises(errors.TamperedError):
        package.publish(variant, tmp_path / "made", tmp_path / "releases")


def test_a_scorer_that_cannot_run_ships_nothing(won, tmp_path):
    class Broken(stage.Predictor):
        def predict(self, x):
            return np.zeros(len(x))

        def pack(self):
            return stage.Packed("prior", {"answer": [0.5]}, {})

    page, held, x, y = won

    release_ = tmp_path / "source"
    package._write(page, Broken(), Broken(), held, x, y, {}, release_)
    digest = release.sealed(release_)
    (release_ / "golden.npz").write_bytes(b"cut")
    with pytest.raises(errors.GateError, match="the scorer cannot run source: TamperedError"):
        measure.scorer(release_, digest)


def test_gates_on_what_is_measured_of_a_release_are_left_to_the_run(won):
    page, held, _, _ = won
    assert [told["gate"] for told in package.judged(page, held)] == [
        repr(gate) for gate in page.model.gates[:1]
    ]
    wrong = part.replace(page, model=part.replace(page.model, gates=(model.Memory(1),)))
    assert package.judged(wrong, held) == [] and contest.contestants(wrong.model)


def test_a_compressed_variant_of_a_refitted_model_is_judged_without_its_test_rows(monkeypatch):
    """The refit has learned from the test rows: its variant must not be judged on them."""

    seen = []
    compressor = SimpleNamespace(
        compress=lambda one, rows: f"small {one}", wants=lambda: None, title=lambda: "Small"
    )
    held = SimpleNamespace(predictors={"challenger": "tested"}, trained=np.arange(3), measured={})
    page = SimpleNamespace(model=SimpleNamespace(compress=(compressor,), gates=()))
    told = {"p99_ms": evidence.Measurement("p99_ms", 1.0, 1.0, 1.0)}
    monkeypatch.setattr(package, "_shipped", lambda *_: "refitted")
    monkeypatch.setattr(package, "_write", lambda *_: None)
    monkeypatch.setattr(package.release, "sealed", lambda place: place.name)
    monkeypatch.setattr(package.measure, "scorer", lambda place, digest: told)
    monkeypatch.setattr(package, "_again", lambda page, held, judged, x, y: seen.append(judged) or {})
    x = SimpleNamespace(take=lambda rows: rows)
    package.ship(page, held, x, None, {}, Path("folder"), 0)
    assert seen == ["small tested"]


def test_variants_of_one_kind_are_told_apart_and_get_the_rows_they_want(won):
    asked = []

    class Counting(Half):
        def compress(self, predictor, calibration):
            asked.append(len(calibration))
            return constant(0.5)

        def wants(self):
            return None if len(asked) < 4 else 7

    page, held, x, _ = won
    page = part.replace(
        page, model=part.replace(page.model, compress=(Counting(), Counting(), Counting(), Never()))
    )
    source = held.predictors["challenger"]
    found = package._compressed(page, held, x, source, source)
    assert list(found) == ["Counting", "Counting-2", "Counting-3"]
    assert asked == [len(held.trained)] * 4 + [7] * 2


def test_a_law_of_physics_is_probed_on_what_ships(won, tmp_path, measured):
    gates = (model.Physics(low=0.0, high=1.0), model.Physics(low=0.9))
    (variant,) = shipped(won, tmp_path, gates=gates)
    assert [verdict.passed for verdict in variant.verdicts] == [True, True, False]


@pytest.mark.slow
def test_every_variant_of_a_net_is_measured_as_it_would_run(won, tmp_path):
    """Whole releases in fresh processes: what was trained, in eight bits, pruned, distilled, one after another."""
    import dataclasses

    page, held, x, y = won
    columns = tuple(name for name, column in x.columns.items() if isinstance(column, np.ndarray))
    learner = model.Dense(layers=(96, 48), columns=columns, training=model.Training(epochs=4, batch=64))
    kind = page.labels.kind()
    net = learner.fit(x.take(held.trained), y.take(held.trained), kind, 0)
    held = dataclasses.replace(held, predictors={**held.predictors, "challenger": net})
    student = part.replace(learner, layers=(12,))
    compress = (
        model.Int8(), model.Pruned(), model.Pruned(0.9, structured=False), model.Distilled(student), model.OpenVino(),
        model.InTurn((model.Pruned(), model.Int8())), model.NativeTrees(),
    )  # fmt: skip
    gates = (model.Memory(75 * 2**20), model.Cost(at_most=10.0), model.Physics(low=0.0, high=1.0))
    found = shipped((page, held, x, y), tmp_path, compress=compress, gates=gates, ship=model.AsTested())
    by_name = {variant.name: variant.measured for variant in found}
    import importlib.util

    there = {"OpenVino"} if importlib.util.find_spec("openvino") else set()
    assert set(by_name) == {"source", "Int8", "Pruned50", "Sparse90", "Distilled", "Pruned50+Int8"} | there
    for name, measured in by_name.items():
        assert measured["golden_error"].value < 1e-5, name
        assert measured["cold_start_s"].value > measured["load_s"].value > 0
        assert 0 < measured["cpu_s"].value < 0.1
    sizes = {name: measured["size_bytes"].value for name, measured in by_name.items()}
    assert max(sizes[name] for name in sizes if name not in ("source", "OpenVino")) < sizes["source"]
    assert by_name["source"]["agreement"].value < 1e-6 < by_name["Distilled"]["agreement"].value
    assert package.chosen(found).passed
