"""Compressors one after another."""

import numpy as np
import pytest

from flyball import model
from flyball.model import stage
from flyball.model.constant import Constant


class Times(stage.Compressor):
    """Multiplies what a constant answers; notes how many rows it was given."""

    by: float
    most: int | None = 1000

    def compress(self, predictor, calibration):
        SEEN.append(len(calibration))
        return Constant([self.by * float(predictor.predict(calibration)[0])])

    def wants(self):
        return self.most


class Never(stage.Compressor):
    def compress(self, predictor, calibration):
        return None


SEEN: list[int] = []


def test_each_is_given_what_the_one_before_it_made(rows):
    SEEN.clear()
    both = model.InTurn((Times(0.5, most=10), Times(0.5, most=None)))
    assert both.compress(Constant([0.8]), rows.x).predict(rows.x)[0] == pytest.approx(0.2)
    assert [10, len(rows.x)] == SEEN and both.wants() is None
    assert model.InTurn((Times(1.0, most=10), Times(1.0, most=30))).wants() == 30
    assert both.title() == "Times+Times"


def test_where_one_makes_nothing_there_is_no_variant(rows):
    assert model.InTurn((Times(0.5), Never())).compress(Constant([0.8]), rows.x) is None


def test_a_pruned_net_in_eight_bits_is_smaller_than_either(rows, kinds):
    from flyball import labels

    fast = model.Training(epochs=4, batch=64, rate=1e-2)
    kind = labels.Probability()
    net = model.Dense(layers=(128, 64), columns=("a", "b"), training=fast).fit(
        rows.x, rows.truth(kind), kind, 0
    )
    sizes = {
        compressor.title(): len(compressor.compress(net, rows.x).model)
        for compressor in (model.Pruned(), model.Int8(), model.InTurn((model.Pruned(), model.Int8())))
    }
    assert sizes["Pruned50+Int8"] < min(sizes["Pruned50"], sizes["Int8"])
    assert np.isfinite(net.predict(rows.x)).all()
