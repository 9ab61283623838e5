"""The layers of the small nets, as PyTorch modules; PyTorch is imported where one is built."""

from __future__ import annotations

import itertools
from typing import Any

from flyball import extras


def dense(inputs: int, widths: tuple[int, ...], outputs: int, drop: float) -> Any:
    """Return fully connected layers: (n, inputs) to (n, outputs)."""
    nn = extras.need("torch", "nets", "to build a net").nn
    stack: list[Any] = []
    for width in widths:
        stack += [nn.Linear(inputs, width), nn.SiLU(), nn.Dropout(drop)]
        inputs = width
    return nn.Sequential(*stack, nn.Linear(inputs, outputs))


def conv(channels: int, width: int, side: int, outputs: int, drop: float) -> Any:
    """Return convolutions over (n, channels, height, width), with (n, side) numbers beside them where side > 0."""
    torch = extras.need("torch", "nets", "to build a net")
    nn = torch.nn

    def block(before: int, after: int, stride: int = 1, kernel: int = 3) -> Any:
        inner = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(inner, nn.BatchNorm2d(after), nn.ReLU())

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            pairs = list(itertools.pairwise((channels, 2 * width, 3 * width, 5 * width)))
            self.down = nn.ModuleList([block(a, b, 2, 5 if i == 0 else 3) for i, (a, b) in enumerate(pairs)])
            self.stay = nn.ModuleList([block(b, b) for _, b in pairs])
            self.beside = nn.Sequential(nn.Linear(side, 64), nn.ReLU()) if side else None
            self.drop = nn.Dropout(drop)
            self.head = nn.Linear(10 * width + (64 if side else 0), outputs)

        def forward(self, images: Any, numbers: Any = None) -> Any:
            for down, stay in zip(self.down, self.stay, strict=True):
                images = down(images)
                images = images + stay(images)
            pooled = [images.mean((2, 3)), images.amax((2, 3))]
            if self.beside is not None:
                pooled.append(self.beside(numbers))
            return self.head(self.drop(torch.cat(pooled, 1)))

    return Net()


def recurrent(
    channels: int,
    width: int,
    kernel: int,
    units: int,
    side: int,
    outputs: int,
    drop: float,
    cell: str = "gru",
) -> Any:
    """Return a causal convolution and a recurrent layer ("gru", "lstm") over (n, steps, channels), (n, side) beside."""
    torch = extras.need("torch", "nets", "to build a net")
    nn = torch.nn

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Sequential(nn.Linear(channels, width), nn.SiLU())
            self.near = nn.Conv1d(width, width, kernel) if kernel > 1 else None
            self.state = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](width, units, batch_first=True)
            self.drop = nn.Dropout(drop)
            self.head = nn.Sequential(nn.Linear(units + side, width), nn.SiLU(), nn.Linear(width, outputs))

        def forward(self, steps: Any, numbers: Any = None) -> Any:
            steps = self.start(steps)
            if self.near is not None:
                padded = nn.functional.pad(steps.transpose(1, 2), (kernel - 1, 0))
                steps = steps + nn.functional.silu(self.near(padded)).transpose(1, 2)
            last = self.state(self.drop(steps))[0][:, -1]
            return self.head(self.drop(last if numbers is None else torch.cat([last, numbers], 1)))

    return Net()
