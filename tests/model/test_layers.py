"""The shapes of the nets."""

import pytest
import torch

from flyball.model import layers


def test_shapes():
    assert layers.dense(5, (8, 4), 3, 0.1)(torch.zeros(2, 5)).shape == (2, 3)
    images, side = torch.zeros(2, 2, 17, 13), torch.zeros(2, 6)
    assert layers.conv(2, 4, 0, 9, 0.1)(images).shape == (2, 9)
    assert layers.conv(2, 4, 6, 9, 0.1)(images, side).shape == (2, 9)
    steps = torch.zeros(2, 7, 3)
    assert layers.recurrent(3, 8, 3, 5, 6, 2, 0.1)(steps, side).shape == (2, 2)


@pytest.mark.parametrize("kernel", [1, 4])
def test_the_last_step_counts_and_what_lies_before_a_window_of_any_length_fits(kernel):
    torch.manual_seed(0)
    net = layers.recurrent(3, 8, kernel, 5, 0, 1, 0.0).eval()
    steps = torch.randn(4, 9, 3)
    changed = steps.clone()
    changed[:, -1] += 1
    assert not torch.allclose(net(steps), net(changed))
    assert net(steps[:, :1]).shape == (4, 1)
