"""A small part of the real fleet, carried through once."""

import pytest

from flyball import model, part
from flyball.runtime import run
from flyball.systems.turbofan import inputs, page


def shrunk(learner):
    """Return a learner with few trees and one short epoch, wherever it holds others."""
    if isinstance(learner, model.BoostedTrees):
        return part.replace(learner, trees=8, min_rows=20)
    if isinstance(learner, (model.Dense, model.Recurrent)):
        return part.replace(learner, training=model.Training(epochs=2, draw=2000, batch=128))
    if isinstance(learner, model.Chain):
        return model.Chain(*learner.parts[:-1], shrunk(learner.parts[-1]))
    if isinstance(learner, model.Blend):
        return part.replace(learner, learners=tuple(shrunk(one) for one in learner.learners))
    return part.replace(learner, learner=shrunk(learner.learner))


@pytest.fixture(scope="session")
def small():
    """The page with learners that take seconds, and half of its peers and metrics."""
    contest = page.system.model
    peers = {name: shrunk(contest.peers[name]) for name in ("lstm", "life")}
    quick = part.replace(
        contest, baseline=shrunk(contest.baseline), challenger=shrunk(contest.challenger), peers=peers, compress=(),
        metrics=("rmse_cut_at_125", "nasa_score_cut_at_125", "rmse"),
    )  # fmt: skip
    return part.replace(page.system, model=quick)


@pytest.fixture(scope="session")
def files(tmp_path_factory, data_folder):
    """What six engines of every subset and split would send."""
    folder = tmp_path_factory.mktemp("turbofan")
    inputs.prepare(folder, engines=6)
    return folder


@pytest.fixture(scope="session")
def bound(tmp_path_factory, files):
    return run.Bound(tmp_path_factory.mktemp("store"), files)


@pytest.fixture(scope="session")
def result(small, bound):
    return run.run(small, bound)
