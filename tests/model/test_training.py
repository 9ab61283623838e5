"""One loop for all nets: seeded, stopped by held machines, and leaving the process as it was."""

import numpy as np
import pytest
import torch

from flyball import features, labels
from flyball.model import layers, training

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] + 0.3 * RNG.normal(size=300) > 0).astype(float)
MOMENTS = features.Moments.of([f"m{i % 10}" for i in range(300)], range(300))


def task(**changes):
    told = {
        "arrays": [X],
        "target": Y,
        "weight": np.ones(300),
        "kind": labels.Probability(),
        "moments": MOMENTS,
        **changes,
    }
    return training.Task(**told)


def build():
    return layers.dense(4, (8,), 1, 0.1)


def weights(module):
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()]).numpy()


def test_the_same_seed_gives_the_same_net_and_nothing_else_moves():
    how = training.Training(epochs=2, batch=32, average=0.9, noise=0.1)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first, threads = weights(training.train(build, task(), how, 4)), torch.get_num_threads()
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads
    torch.manual_seed(9)
    assert np.array_equal(first, weights(training.train(build, task(), how, 4)))
    assert not np.array_equal(first, weights(training.train(build, task(), how, 5)))


def test_it_learns():
    net = training.train(build, task(), training.Training(epochs=20, batch=32, rate=1e-2), 0)
    with torch.inference_mode():
        said = torch.sigmoid(net(torch.from_numpy(X)))[:, 0].numpy() > 0.5
    assert (said == (Y > 0.5)).mean() > 0.85


def test_held_machines_tell_when_to_stop():
    nonsense = task(target=np.random.default_rng(1).integers(0, 2, 300).astype(float))
    how = training.Training(epochs=30, batch=32, rate=3e-2, hold=0.3, patience=2)
    loop = training._Loop(torch, build(), nonsense, how, 0)
    held = set(MOMENTS.codes[loop.held_rows])
    assert held and not held & set(MOMENTS.codes[loop.fit_rows])
    loop.run()
    assert loop.steps < 30 * loop.per_epoch, "noise cannot be learned for thirty epochs"


def test_a_class_that_is_drawn_more_is_answered_more():
    rare = (X[:, 0] > 1.6).astype(float)
    plain = training.Training(epochs=15, batch=32, rate=1e-2)
    even = training.Training(epochs=15, batch=32, rate=1e-2, balance=1.0)
    told = []
    for how in (plain, even):
        weight = np.where(rare > 0.5, 300 / rare.sum(), 300 / (1 - rare).sum())
        net = training.train(build, task(target=rare, weight=weight if how.balance else np.ones(300)), how, 0)
        with torch.inference_mode():
            told.append(float(torch.sigmoid(net(torch.from_numpy(X))).mean()))
    assert told[1] > told[0] + 0.1


def test_the_eight_views_are_the_squares_symmetries():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    views = {tuple(training.view(torch, image, k).flatten().tolist()) for k in range(8)}
    assert len(views) == 8 and tuple(range(9)) in views


def test_a_weight_of_zero_is_no_row():
    weight = (np.arange(300) < 150).astype(float)
    other = Y.copy()
    other[150:] = 1 - other[150:]
    how = training.Training(epochs=2, batch=50)
    first = weights(training.train(build, task(weight=weight), how, 0))
    assert first == pytest.approx(weights(training.train(build, task(weight=weight, target=other), how, 0)))
