"""How a small net is trained: one loop for all of them, the same bytes for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import extras, part
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import machines, trees

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints


class Training(part.Part):
    """The training of a net: AdamW (Loshchilov and Hutter 2019) on one cycle of the rate (Smith 2018).

    `draw` rows make an epoch (None: as many as there are), drawn with weight where `balance` or weights are given;
    `average` keeps an exponential mean of the weights and answers with that (Polyak 1992).  `noise` is added to
    the standardised inputs, `smooth` to the labels.  With `hold`, that share of the machines only tells when to
    stop: the epoch with the least loss there is kept, and `patience` epochs without one end it.

    >>> Training(epochs=5, hold=0.2)
    model.Training(epochs=5, hold=0.2)
    """

    epochs: int = 20
    draw: int | None = None
    batch: int = 256
    rate: float = 2e-3
    decay: float = 1e-2
    balance: float = 0.0
    smooth: float = 0.0
    noise: float = 0.0
    average: float = 0.0
    hold: float = 0.0
    patience: int = 5
    clip: float = 2.0
    threads: int = 1


@dataclass(frozen=True, eq=False)
class Task:
    """What a net is trained on: input arrays, targets (n,) or (n, heads), weights, kind, and who each row is from.

    An array of bytes holds levels of 1/255.  `turned` says that images may be turned and mirrored.
    """

    arrays: list[Array]
    target: Array
    weight: Floats
    kind: labels.Kind
    moments: features.Moments
    head_weight: tuple[float, ...] = (1.0,)
    turned: bool = False


def train(build: Callable[[], Any], task: Task, how: Training, seed: int) -> Any:
    """Return the trained torch module in evaluation mode; the process's own random state is left as it was."""
    torch = extras.need("torch", "nets", "to train a net")
    threads = torch.get_num_threads()
    torch.set_num_threads(how.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _Loop(torch, build(), task, how, seed).run()
    finally:
        torch.set_num_threads(threads)


def task_weight(y: labels.Answers, kind: labels.Kind, balance: float) -> Floats:
    """Return the weight of every row with a mean of one."""
    import numpy as np

    weight = trees.balanced(y, kind, balance)
    return np.ones(len(y)) if weight is None else np.asarray(weight / weight.mean(), dtype=np.float64)


class _Loop:
    """One training; keeps the module, its running mean and the best state."""

    def __init__(self, torch: Any, module: Any, task: Task, how: Training, seed: int) -> None:
        import copy

        import numpy as np

        self.torch, self.task, self.how = torch, task, how
        # Convolutions run faster on a CPU when the channels of a pixel lie together.
        self.pictures = any(array.ndim == 4 for array in task.arrays)
        self.module = module = module.to(memory_format=torch.channels_last) if self.pictures else module
        self.rng = np.random.default_rng(seed)
        self.fit_rows, self.held_rows = self._dealt(seed)
        self.per_epoch = max(1, (how.draw or len(self.fit_rows)) // how.batch)
        self.mean = copy.deepcopy(module) if how.average else module
        flat = [p for p in module.parameters() if p.ndim <= 1]
        deep = [p for p in module.parameters() if p.ndim > 1]
        groups = [{"params": deep, "weight_decay": how.decay}, {"params": flat, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=how.rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, how.rate, total_steps=how.epochs * self.per_epoch + 1, pct_start=0.15
        )
        self.steps = 0

    def _dealt(self, seed: int) -> tuple[Ints, Ints]:
        import numpy as np

        rows = np.arange(len(self.task.target))
        if not self.how.hold or len(np.unique(self.task.moments.codes)) < 2:
            return rows, rows[:0]
        fold = machines.ByMachine(share=self.how.hold, seed=seed).split(self.task.moments, {})[0]
        return fold.train, fold.test

    def run(self) -> Any:
        import copy

        best, best_state, since = float("inf"), None, 0
        for _ in range(self.how.epochs):
            self._epoch()
            if not len(self.held_rows):
                continue
            loss = self._held_loss()
            since += 1
            if loss < best:
                best, best_state, since = loss, copy.deepcopy(self.mean.state_dict()), 0
            if since >= self.how.patience:
                break
        if best_state is not None:
            self.mean.load_state_dict(best_state)
        return self.mean.to(memory_format=self.torch.contiguous_format).eval()

    def _epoch(self) -> None:
        torch, how = self.torch, self.how
        self.module.train()
        for rows in self._batches():
            tensors = [self._tensor(array, rows) for array in self.task.arrays]
            if how.noise:
                tensors = [t + how.noise * torch.randn_like(t) if t.ndim < 4 else t for t in tensors]
            if self.task.turned:
                tensors = [self._turn(t) if t.ndim == 4 else t for t in tensors]
            loss = self._loss(
                self.module(*tensors), rows, weigh=self.task.weight[rows] if not self._drawn() else None
            )
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), how.clip)
            self.optimiser.step()
            self.schedule.step()
            self._average()

    def _drawn(self) -> bool:
        """Say whether rows are drawn by weight, so that the loss need not weigh them again."""
        return bool(self.how.balance)

    def _batches(self) -> list[Ints]:
        import numpy as np

        count = self.per_epoch * self.how.batch
        if self._drawn() or count > len(self.fit_rows):
            chance = self.task.weight[self.fit_rows] if self._drawn() else np.ones(len(self.fit_rows))
            pool = self.rng.choice(self.fit_rows, count, p=chance / chance.sum())
        else:
            pool = self.rng.permutation(self.fit_rows)[:count]
        return list(pool.reshape(self.per_epoch, -1))

    def _tensor(self, array: Array, rows: Ints) -> Any:
        tensor = self.torch.from_numpy(array[rows])
        if tensor.dtype == self.torch.uint8:
            tensor = tensor.float() / 255
        return tensor.contiguous(memory_format=self.torch.channels_last) if tensor.ndim == 4 else tensor

    def _turn(self, images: Any) -> Any:
        """Turn and mirror: the batch in eight parts, one for each of the square's symmetries, in random order."""
        parts = images.tensor_split(8)
        return self.torch.cat(
            [view(self.torch, p, int(k)) for p, k in zip(parts, self.rng.permutation(8), strict=True)]
        )

    def _loss(self, out: Any, rows: Ints, weigh: Any) -> Any:
        torch, functional = self.torch, self.torch.nn.functional
        target = torch.from_numpy(self.task.target[rows])
        if isinstance(self.task.kind, labels.Classes):
            each = functional.cross_entropy(
                out, target.long(), label_smoothing=self.how.smooth, reduction="none"
            )
        elif isinstance(self.task.kind, labels.Probability):
            softened = target.float() * (1 - self.how.smooth) + 0.5 * self.how.smooth
            each = functional.binary_cross_entropy_with_logits(out[:, 0], softened, reduction="none")
        else:
            each = ((out - target.float()) ** 2 * torch.tensor(self.task.head_weight)).sum(dim=1)
        return each.mean() if weigh is None else (each * torch.from_numpy(weigh).float()).mean()

    def _held_loss(self) -> float:
        self.mean.eval()
        total = 0.0
        with self.torch.inference_mode():
            for start in range(0, len(self.held_rows), 1024):
                rows = self.held_rows[start : start + 1024]
                out = self.mean(*(self._tensor(array, rows) for array in self.task.arrays))
                total += float(self._loss(out, rows, self.task.weight[rows])) * len(rows)
        return total / len(self.held_rows)

    def _average(self) -> None:
        self.steps += 1
        if not self.how.average:
            return
        keep = min(self.how.average, (1 + self.steps) / (10 + self.steps))
        with self.torch.no_grad():
            for slow, fast in zip(
                self.mean.state_dict().values(), self.module.state_dict().values(), strict=True
            ):
                if slow.is_floating_point():
                    slow.lerp_(fast, 1 - keep)
                else:
                    slow.copy_(fast)


def view(torch: Any, images: Any, number: int) -> Any:
    """Return images in one of the eight symmetries of the square: 0 as they are."""
    mirrored = images.flip(3) if number >= 4 else images
    return torch.rot90(mirrored, number % 4, (2, 3)) if number % 4 else mirrored
