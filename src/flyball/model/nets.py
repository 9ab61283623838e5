"""Small nets: a dense one over numbers, a convolutional one over an image, a recurrent one over a sequence.

All are trained by PyTorch (`Training`) and answer as a self-contained ONNX graph from the first answer on, so what
the contest judges is what ships, and no machine needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, extras
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import blend, layers, onnx, onnx_nets, tensors, training, trees
from flyball.model.stage import Learner, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array

KINDS: tuple[type[labels.Kind], ...] = (labels.Probability, labels.Classes, labels.Quantity)


class Dense(Learner):
    """Fully connected layers over standardised numbers and one-hot categories.

    For a quantity, `caps` gives one head each for the truth cut at that value (None: not cut); those after the
    first weigh `aside` in the loss, and the answer is the heads' sum weighted by `mix`.  `seeds` nets are averaged.

    >>> Dense(layers=(32, 16)).seeds
    1
    """

    layers: tuple[int, ...] = (64, 32)
    drop: float = 0.1
    columns: tuple[str, ...] | None = None
    training: training.Training = training.Training()
    caps: tuple[float | None, ...] = (None,)
    aside: float = 0.3
    mix: tuple[float, ...] = (1.0,)
    seeds: int = 1

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return KINDS

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _head_problems(self.caps, self.mix)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the trained net."""
        maker = tensors.Scaled.of(x, self.columns)
        array = maker.make(x)

        def build(outputs: int) -> Any:
            return layers.dense(array.shape[1], self.layers, outputs, self.drop)

        return _fitted("dense", build, [maker], [array], x, y, kind, self, seed)


class Conv(Learner):
    """Convolutions over one late image column, with other columns beside it where `columns` are named.

    Images are resized by area to `size`; `channels` turns pixel values into shares (see `tensors.Image`).  Three
    stages of `width` 2, 3 and 5 times this, each halving the picture, with a residual block; mean and maximum over
    the picture go to the head.  `turned` trains on all eight symmetries, `views` > 1 averages that many of them.

    >>> Conv("maps.map", size=(32, 32), channels=((2,), (1, 2))).width
    16
    """

    column: str
    size: tuple[int, int] = (32, 32)
    channels: tuple[tuple[int, ...], ...] | None = None
    full: float = 255.0
    width: int = 16
    drop: float = 0.2
    columns: tuple[str, ...] = ()
    turned: bool = False
    views: int = 1
    training: training.Training = training.Training()
    caps: tuple[float | None, ...] = (None,)
    aside: float = 0.3
    mix: tuple[float, ...] = (1.0,)
    seeds: int = 1

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return KINDS

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _head_problems(self.caps, self.mix)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the trained net."""
        import numpy as np

        image = tensors.Image(self.column, self.size, self.channels, self.full)
        makers: list[tensors.Maker] = [image]
        arrays: list[Array] = [_levels(image, x)]
        if self.columns:
            beside = tensors.Scaled.of(x, self.columns)
            makers.append(beside)
            arrays.append(beside.make(x))
        side = int(np.prod(arrays[1].shape[1:])) if self.columns else 0

        def build(outputs: int) -> Any:
            return layers.conv(arrays[0].shape[1], self.width, side, outputs, self.drop)

        return _fitted("conv", build, makers, arrays, x, y, kind, self, seed, self.turned, self.views)


class Recurrent(Learner):
    """A convolution and a gated recurrent unit (Cho et al. 2014) over one sequence column (n, steps, channels).

    The state after the last step, and other columns where `columns` are named, go to the head.  `cell` "lstm" takes
    a long short-term memory (Hochreiter and Schmidhuber 1997) instead; a `kernel` of 1 leaves the convolution out.

    >>> Recurrent("window", units=32).kernel
    5
    """

    column: str
    units: int = 64
    kernel: int = 5
    width: int = 48
    drop: float = 0.2
    columns: tuple[str, ...] = ()
    training: training.Training = training.Training()
    caps: tuple[float | None, ...] = (None,)
    aside: float = 0.3
    mix: tuple[float, ...] = (1.0,)
    seeds: int = 1
    cell: str = "gru"

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return KINDS

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _head_problems(self.caps, self.mix)
        if self.cell not in ("gru", "lstm"):
            yield errors.Problem(
                "cell", f"no cell {self.cell!r}", errors.did_you_mean(self.cell, ("gru", "lstm"))
            )

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the trained net."""
        sequence = tensors.Sequence.of(x, self.column)
        makers: list[tensors.Maker] = [sequence]
        arrays = [sequence.make(x)]
        if self.columns:
            beside = tensors.Scaled.of(x, self.columns)
            makers.append(beside)
            arrays.append(beside.make(x))
        side = arrays[1].shape[1] if self.columns else 0

        def build(outputs: int) -> Any:
            return layers.recurrent(
                arrays[0].shape[2], self.width, self.kernel, self.units, side, outputs, self.drop, self.cell
            )

        return _fitted("recurrent", build, makers, arrays, x, y, kind, self, seed)


def _fitted(
    family: str, build: Callable[[int], Any], makers: list[Any], arrays: list[Array], x: features.Matrix,
    y: labels.Answers, kind: labels.Kind, net: Any, seed: int, turned: bool = False, views: int = 1,
) -> Predictor:  # fmt: skip
    """Train one net per seed on prepared arrays and return them as ONNX predictors."""
    extras.need("torch", "nets", "to train a net")
    settings: dict[str, Any] = {
        "family": family, "inputs": [maker.settings() for maker in makers], **trees.answer_settings(kind),
    }  # fmt: skip
    target, outputs, heads = y.value, 1, (1.0,)
    if isinstance(kind, labels.Classes):
        outputs = len(kind.names)
    elif isinstance(kind, labels.Quantity):
        target, scale, offset = _targets(y, net.caps)
        outputs, heads = target.shape[1], (1.0,) + (net.aside,) * (target.shape[1] - 1)
        settings |= {"scale": scale, "offset": offset, "mix": list(net.mix)}
    weight = training.task_weight(y, kind, net.training.balance)
    task = training.Task(arrays, target, weight, kind, x.moments, heads, turned)
    members = []
    for member in range(net.seeds):
        module = training.train(lambda: build(outputs), task, net.training, seed + 1000 * member)
        graph = onnx_nets.export(module, [array.shape[1:] for array in arrays], settings["kind"], views)
        members.append(onnx.OnnxPredictor(graph, settings))
    return members[0] if len(members) == 1 else blend.Blended(tuple(members))


def _head_problems(caps: tuple[float | None, ...], mix: tuple[float, ...]) -> Iterator[errors.Problem]:
    if not 1 <= len(mix) <= len(caps):
        yield errors.Problem(
            "mix", f"{len(mix)} weights for {len(caps)} heads", "give one per head that answers"
        )


def _targets(y: labels.Answers, caps: tuple[float | None, ...]) -> tuple[Array, float, float]:
    """Return (n, heads) standardised targets, and the scale and offset of the first one."""
    import numpy as np

    cut = np.stack([y.value if cap is None else np.minimum(y.value, cap) for cap in caps], axis=1)
    offset = float(np.average(cut[:, 0], weights=y.weight))
    scale = float(cut[:, 0].std()) or 1.0
    return (cut - offset) / scale, scale, offset


def _levels(image: tensors.Image, x: features.Matrix) -> Array:
    """Return all images as bytes, decoded some thousand at a time."""
    import numpy as np

    pieces = [image.levels(x.take(slice(at, at + 4096))) for at in range(0, len(x), 4096)]
    return np.concatenate(pieces)
