"""The page on a small part of the real fleet: it is whole, runs, is reused, and says what it should."""

import numpy as np

from flyball import part, system
from flyball.model import onnx, unpack
from flyball.runtime import run
from flyball.systems import turbofan


def test_the_page_has_no_problem_and_reads_back():
    page = turbofan.page.system
    assert list(page.problems()) == []
    assert system.read(repr(page)) == page


def test_slices_by_no_column_are_a_problem():
    page = turbofan.page.system
    wrong = part.replace(page, model=part.replace(page.model, slices="cycles.subset.lats"))
    assert [str(problem) for problem in wrong.problems()] == [
        "model.slices: no column 'cycles.subset.lats' among the features, did you mean 'cycles.subset.last'?"
    ]


def test_a_small_run_goes_through_and_is_reused(small, bound, result):
    told = result.json()
    for who in ("baseline", "challenger"):
        figures = told["contest"][who]
        assert figures["rmse_cut_at_125"][0] > 0
        assert {f"FD00{n}.rmse_cut_at_125" for n in (1, 2, 3, 4)} <= set(figures)
    assert set(told["contest"]["peers"]) == {"lstm", "life"}
    again = run.run(small, bound)
    assert all(step.reused for step in again.steps), [step.name for step in again.steps if not step.reused]


def test_test_engines_are_asked_once_at_their_last_cycle_and_never_learned_from(result):
    names = np.array(result.x.moments.names())
    test = names[result.held.test.rows]
    assert len(test) == len(set(test)) == 24
    assert all("-test-" in name for name in test)
    assert all("-train-" in name for name in names[result.held.trained])


def test_answers_are_cut_at_125_and_carry_an_interval(result):
    cut = result.held.test.answers["challenger"]
    assert cut[:, 0].max() <= 125 and cut[:, 2].max() <= 125 and cut.min() >= 0
    assert (cut[:, 1] < cut[:, 0]).any() and (cut[:, 0] < cut[:, 2]).any()
    assert (cut[:, 1] <= cut[:, 0]).all() and (cut[:, 0] <= cut[:, 2]).all()


def test_slices_add_up_to_the_whole(result):
    told = result.held.measured
    parts = [told[f"challenger.FD00{n}.rmse_cut_at_125"] for n in (1, 2, 3, 4)]
    whole = np.sqrt(np.average([p.value**2 for p in parts], weights=[p.n for p in parts]))
    assert np.isclose(whole, told["challenger.rmse_cut_at_125"].value)
    assert "FD001.difference.rmse_cut_at_125" in told


def test_what_ships_answers_as_what_was_judged(result):
    predictor = result.held.predictors["challenger"]
    x = result.x.take(result.held.test.rows)
    packed = predictor.pack()
    again = unpack.unpack(packed)
    np.testing.assert_array_equal(again.predict(x), predictor.predict(x))
    np.testing.assert_allclose(predictor.predict(x), result.held.test.answers["challenger"], atol=1e-9)
    single = np.concatenate([again.predict(x.take(np.array([row]))) for row in range(len(x))])
    np.testing.assert_allclose(single, predictor.predict(x), atol=1e-3)


def nets(packed):
    """Return the packed graphs of the dense nets inside."""
    inner = [found for one in packed.inner for found in nets(one)]
    return inner + ([packed] if packed.settings.get("family") == "dense" else [])


def test_the_net_is_the_same_bytes_again_and_says_what_torch_says(small, result):
    """Trained again from nothing, the exported graph is equal to the last byte; without its memory of fits."""
    from flyball.systems.turbofan import learners

    x, y, rows = result.x, result.y, result.held.trained
    member = small.model.challenger.learner.learners[0]
    found = []
    for _ in range(2):
        learners._FITTED.clear()
        found += nets(member.fit(x.take(rows), y.take(rows), small.labels.kind(), 0).pack())
    assert found[0].files == found[1].files and found[0].settings == found[1].settings
    predictor = onnx.OnnxPredictor.unpack(found[0])
    assert predictor.settings["mix"] == [1.0] and predictor.settings["high"] == 125.0


def test_the_exported_net_is_the_torch_net(monkeypatch, small, result):
    import torch

    from flyball.model import onnx_nets
    from flyball.systems.turbofan import learners

    kept = []
    export = onnx_nets.export

    def keep(module, *rest):
        kept.append(module)
        return export(module, *rest)

    monkeypatch.setattr(onnx_nets, "export", keep)
    learners._FITTED.clear()
    rows = result.held.trained
    chained = small.model.challenger.learner.learners[0].fit(
        result.x.take(rows), result.y.take(rows), small.labels.kind(), 0
    )
    x = chained.prepared(result.x.take(result.held.test.rows))
    (tensor,) = chained.last.tensors(x)
    wild = tensor.copy()
    wild[0], wild[1] = 1e6, -1e6
    for given in (tensor, wild):
        (graph,) = chained.last._session.run(None, {"x0": given})
        with torch.no_grad():
            source = kept[-1](torch.from_numpy(given)).numpy()
        np.testing.assert_allclose(graph, source, rtol=1e-5, atol=1e-5)
