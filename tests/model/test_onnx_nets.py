"""Exported nets: equal to PyTorch, and the same bytes in every process."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import onnxruntime as ort
import pytest
import torch

from flyball.model import layers, onnx_nets, training

SCRIPT = """
import hashlib, torch
from flyball.model import layers, onnx_nets
torch.manual_seed(0)
print(hashlib.sha256(onnx_nets.export(layers.dense(4, (3,), 1, 0.1), [(4,)], "probability")).hexdigest())
"""


def run(graph, *tensors):
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return session.run(None, dict(zip(names, tensors, strict=True)))[0]


@pytest.mark.parametrize("which", ["dense", "conv", "recurrent"])
def test_answers_equal_pytorch_for_any_number_of_rows(which):
    torch.manual_seed(0)
    net, shapes = {
        "dense": (layers.dense(5, (8,), 3, 0.2), [(5,)]),
        "conv": (layers.conv(2, 3, 4, 3, 0.2), [(2, 9, 9), (4,)]),
        "recurrent": (layers.recurrent(3, 6, 3, 5, 0, 3, 0.2), [(7, 3)]),
    }[which]
    net.eval()
    graph = onnx_nets.export(net, shapes, "classes")
    for n in (1, 2, 17):
        tensors = [torch.randn(n, *shape) for shape in shapes]
        with torch.inference_mode():
            source = torch.softmax(net(*tensors), dim=1).numpy()
        assert run(graph, *(t.numpy() for t in tensors)) == pytest.approx(source, abs=1e-6)


def test_views_are_averaged_inside_the_graph():
    torch.manual_seed(0)
    net = layers.conv(1, 2, 0, 2, 0.0).eval()
    images = torch.randn(3, 1, 8, 8)
    with torch.inference_mode():
        each = [torch.softmax(net(training.view(torch, images, k)), 1) for k in range(8)]
    told = run(onnx_nets.export(net, [(1, 8, 8)], "classes", views=8), images.numpy())
    assert told == pytest.approx(torch.stack(each).mean(0).numpy(), abs=1e-6)
    assert not np.allclose(told, each[0].numpy(), atol=1e-6)


def test_bytes_are_equal_across_processes_and_tell_no_path(tmp_path):
    torch.manual_seed(0)
    here = onnx_nets.export(layers.dense(4, (3,), 1, 0.1), [(4,)], "probability")
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    ).stdout.strip()  # fmt: skip
    assert hashlib.sha256(here).hexdigest() == told
    for trace in (b"site-packages", b".py", b"pytorch", os.fsencode(os.getcwd())):
        assert trace not in here, trace
