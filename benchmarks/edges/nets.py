"""The nets that are asked at the edge, as PyTorch modules that end in probabilities, and rows with known classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

#: Classes of each net's answer.
CLASSES = 9


@dataclass(frozen=True)
class Net:
    """One net: its name, what a row looks like, which family Flyball takes it for, and how long it is trained."""

    name: str
    told: str
    shape: tuple[int, ...]
    family: str
    epochs: int


NETS = (
    Net("cnn", "wafer CNN 64 x 64, 28.9 MMAC", (1, 64, 64), "conv", 3),
    Net("resnet18", "ResNet-18 224 x 224, 1.8 GMAC", (3, 224, 224), "conv", 0),
    Net("tcn", "TCN 128 steps x 8, 6 layers of 32", (128, 8), "conv", 8),
    Net("lstm", "LSTM 128 steps x 8, 64 units", (128, 8), "recurrent", 15),
)


def build(name: str) -> Any:
    """Return the untrained module, the same weights every time."""
    import torch

    torch.manual_seed(0)
    net = {"cnn": _cnn, "resnet18": _resnet, "tcn": _tcn, "lstm": _lstm}[name](torch.nn)
    return torch.nn.Sequential(net, torch.nn.Softmax(dim=1))


def rows(net: Net, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows with a pattern in noise that tells their class: one of nine bright squares, or of nine waves."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, CLASSES, n)
    if len(net.shape) == 3:
        size = net.shape[1] // 3
        x = rng.random((n, *net.shape), np.float32) * 0.8
        for number, one in enumerate(kind):
            down, across = divmod(int(one), 3)
            x[number, :, down * size : (down + 1) * size, across * size : (across + 1) * size] += 0.15
        return np.rint(x.clip(0, 1) * 255).astype(np.float32) / np.float32(255), kind
    steps = np.arange(net.shape[0])
    wave = np.sin(2 * np.pi * steps[None] * (kind[:, None] + 2) / 64 + 6.3 * rng.random((n, 1)))
    noise = 0.5 * rng.normal(size=(n, *net.shape))
    return (noise + wave[:, :, None] * np.linspace(0.2, 1, net.shape[1])).astype(np.float32), kind


def train(net: Net, module: Any, x: np.ndarray, kind: np.ndarray) -> Any:
    """Return the module trained for some epochs (none: only its running means are found), in evaluation mode."""
    import torch

    torch.manual_seed(1)
    inner, data, truth = module[0], torch.from_numpy(x), torch.from_numpy(kind)
    inner.train()
    optimiser = torch.optim.AdamW(inner.parameters(), lr=3e-3)
    steps = max(1, net.epochs * (len(x) // 64))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(net.epochs):
        for some in torch.randperm(len(x)).split(64)[: len(x) // 64]:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(inner(data[some]), truth[some]).backward()
            optimiser.step()
            schedule.step()
    if not net.epochs:
        with torch.no_grad():
            inner(data[:16])
    return module.eval()


def _block(nn: Any, before: int, after: int, stride: int = 1) -> list[Any]:
    return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


def _cnn(nn: Any) -> Any:
    pairs = ((1, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1))
    layers = [layer for before, after, stride in pairs for layer in _block(nn, before, after, stride)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


def _resnet(nn: Any) -> Any:
    class Residual(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.inner = nn.Sequential(*_block(nn, before, after, stride), *_block(nn, after, after)[:2])
            self.beside = nn.Identity()
            if stride > 1:
                self.beside = nn.Sequential(
                    nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
                )

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.inner(x) + self.beside(x))

    stages = []
    for before, after, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        stages += [Residual(before, after, stride), Residual(after, after, 1)]
    start = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*start, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))


def _tcn(nn: Any) -> Any:
    class Causal(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, before: int, after: int, apart: int) -> None:
            super().__init__()
            self.apart, self.inner = apart, nn.Conv1d(before, after, 3, dilation=apart)
            self.beside = nn.Conv1d(before, after, 1) if before != after else nn.Identity()

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.inner(nn.functional.pad(x, (2 * self.apart, 0)))) + self.beside(x)

    class Tcn(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*(Causal(8 if n == 0 else 32, 32, 2**n) for n in range(6)))
            self.head = nn.Linear(32, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.head(self.layers(x.transpose(1, 2)).mean(2))

    return Tcn()


def _lstm(nn: Any) -> Any:
    class Lstm(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.state, self.head = nn.LSTM(8, 64, batch_first=True), nn.Linear(64, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.head(self.state(x)[0][:, -1])

    return Lstm()
