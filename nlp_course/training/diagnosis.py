"""Which of the two troubles does a training log show?

``LayerRecord`` notes during training what is needed beyond the loss;
``diagnose`` reads the log and names every sign it finds, with the step at
which it was first seen and the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nlp_course.training.ensemble import Ensemble
from nlp_course.training.log import TrainingLog

Trouble = Literal["exploding", "vanishing"]
Verdict = Literal["exploding", "vanishing", "healthy"]
Columns = dict[str, Tensor]

_STALL = "loss stalls"  # has many causes, so it decides nothing alone
_WHOLE = ("step", "loss", "gradient_norm")
_BY_LAYER = ("layer_gradients", "layer_norms", "layer_changes")


class LayerRecord:
    """Notes the state of every weight matrix: ``train(..., record=...)``.

    Make it before training: it remembers the start.  A call returns three
    columns with one number for each matrix, from input to output: the norm
    of its gradient (as used for the step, so after clipping), the norm of
    its weights and their distance from the start, the last two as multiples
    of the norm at the start.  For an ``Ensemble`` they are
    ``(S, matrices)``.

    Raises ``ValueError`` if the network has no weight matrix.
    """

    def __init__(self, model: nn.Module) -> None:
        self._axes = 1 if isinstance(model, Ensemble) else 0
        self._matrices = [
            p for p in model.parameters() if p.dim() == 2 + self._axes
        ]
        if not self._matrices:
            raise ValueError("the network has no weight matrix to record")
        self._start = [p.detach().clone() for p in self._matrices]
        size = self._norms(self._start)
        self._size = torch.where(size > 0, size, 1.0)

    @torch.no_grad()
    def __call__(self) -> dict[str, Tensor]:
        """The three columns, as of now."""
        now, start = self._matrices, self._start
        gradients = [
            torch.zeros_like(p) if p.grad is None else p.grad for p in now
        ]
        moved = [p - begin for p, begin in zip(now, start, strict=True)]
        return {
            "layer_gradients": self._norms(gradients),
            "layer_norms": self._norms(now) / self._size,
            "layer_changes": self._norms(moved) / self._size,
        }

    def _norms(self, tensors: Sequence[Tensor]) -> Tensor:
        norms = [t.flatten(self._axes).norm(dim=-1) for t in tensors]
        return torch.stack(norms, dim=-1)


@dataclass(frozen=True)
class Thresholds:
    """Rules of thumb for a loss of order one; change them for yours."""

    gradient: float = 1e4  # a gradient norm above it is large
    loss: float = 100.0  # a loss above it is high
    jump: float = 10.0  # a rise from row to row, in units of the first loss
    growth: float = 10.0  # weights that many times longer after one row
    ratio: float = 1e-2  # the first layer against the one that has most
    stall: float = 0.05  # a loss that has fallen by a smaller share stalls


@dataclass(frozen=True)
class Sign:
    """One thing seen in a log, at which step, with its numbers."""

    trouble: Trouble
    name: str
    step: int
    numbers: str

    def __str__(self) -> str:
        return f"{self.name} (step {self.step}: {self.numbers})"


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on a log and every sign it rests on."""

    verdict: Verdict
    signs: tuple[Sign, ...]

    @property
    def names(self) -> set[str]:
        """Names of the signs."""
        return {sign.name for sign in self.signs}

    def __str__(self) -> str:
        return "\n  ".join([self.verdict, *map(str, self.signs)])


def log_of_network(log: TrainingLog, index: int) -> TrainingLog:
    """The log of one of several networks that were trained side by side.

    Raises ``ValueError`` if the log holds one network, ``IndexError`` for a
    network that it does not hold.
    """
    _check_columns(log)
    count = log.column("loss").shape[1:]
    if not count:
        raise ValueError("this log holds one network already")
    if not 0 <= index < count[0]:
        raise IndexError(
            f"network {index} of {count[0]}: give a number from 0 to "
            f"{count[0] - 1}"
        )
    rows = [
        {k: v[index] if isinstance(v, list) else v for k, v in row.items()}
        for row in log
    ]
    return TrainingLog(rows)


def diagnose(
    log: TrainingLog, thresholds: Thresholds | None = None
) -> Diagnosis:
    """Name the signs of explosion and of vanishing in the log of a network.

    Needs the columns of ``train`` and of ``LayerRecord``.  One sign of
    explosion is enough for that verdict.  Vanishing is told from the layers
    alone: a loss that stalls has many causes, so it is listed but does not
    decide.

    Raises ``ValueError`` for a log with fewer than two rows, without a
    column that is needed, or with several networks.
    """
    _check(log)
    limits = thresholds or Thresholds()
    columns = {name: log.column(name) for name in (*_WHOLE, *_BY_LAYER)}
    exploding = tuple(_exploding(columns, limits))
    vanishing = tuple(_vanishing(columns, limits))
    if exploding:
        return Diagnosis("exploding", exploding)
    if any(sign.name != _STALL for sign in vanishing):
        return Diagnosis("vanishing", vanishing)
    return Diagnosis("healthy", vanishing)


def _exploding(columns: Columns, limits: Thresholds) -> Iterator[Sign]:
    loss, norm = columns["loss"], columns["gradient_norm"]
    sizes = columns["layer_norms"]  # (rows, layers), 1 at the start
    before = torch.cat([torch.ones_like(sizes[:1]), sizes[:-1]])
    growth = (sizes / before).max(dim=1).values
    jump = loss.diff(prepend=loss[:1]) / loss[0].abs()
    signs = {
        "large gradient norm": (norm, norm > limits.gradient),
        "gradient not finite": (norm, ~norm.isfinite()),
        "high loss": (loss, loss > limits.loss),
        "loss jumps": (loss, jump > limits.jump),
        "loss not finite": (loss, ~loss.isfinite()),
        "weights grow": (growth, growth > limits.growth),
        "weights not finite": (growth, ~sizes.isfinite().all(dim=1)),
    }
    for name, (values, seen) in signs.items():
        if seen.any():
            yield _sign("exploding", name, columns, seen, values)


def _vanishing(columns: Columns, limits: Thresholds) -> Iterator[Sign]:
    for name, key in (
        ("early layers get no gradient", "layer_gradients"),
        ("early layers stand still", "layer_changes"),
    ):
        most = columns[key].max(dim=1).values
        # where nothing moves at all, the first layer does not either
        share = torch.where(most == 0, 0.0, columns[key][:, 0] / most)
        seen = share < limits.ratio
        if seen.double().mean() > 0.5:
            yield _sign("vanishing", name, columns, seen, share)
    loss = columns["loss"]
    tail = loss[-max(1, len(loss) // 10) :].mean()
    if 1 - tail / loss[0] < limits.stall:
        last = torch.arange(len(loss)) == len(loss) - 1
        yield _sign("vanishing", _STALL, columns, last, loss)


def _sign(
    trouble: Trouble, name: str, columns: Columns, seen: Tensor, of: Tensor
) -> Sign:
    row = int(seen.int().argmax())  # the first
    return Sign(trouble, name, int(columns["step"][row]), f"{of[row]:.2g}")


def _check_columns(log: TrainingLog) -> None:
    missing = [
        name
        for name in (*_WHOLE, *_BY_LAYER)
        if any(name not in row for row in log)
    ]
    if missing:
        raise ValueError(
            f"the log lacks {', '.join(missing)}; train with "
            "record=LayerRecord(model) to have them"
        )


def _check(log: TrainingLog) -> None:
    if len(log) < 2:
        raise ValueError(
            f"a log of {len(log)} rows is too short; two are needed to see "
            "a change"
        )
    _check_columns(log)
    shape = tuple(log.column("loss").shape[1:])
    if shape:
        raise ValueError(
            f"the log holds {shape[0]} networks; take one with "
            "log_of_network(log, index)"
        )
