"""The training loop: the same five lines in every chapter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nlp_course.checks import check_positive, shape_of
from nlp_course.training.ensemble import (
    Ensemble,
    clip_gradients,
    gradient_norms,
)
from nlp_course.training.log import TrainingLog
from nlp_course.training.optimizers import AnyOptimizer
from nlp_course.training.progress import progress


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how boldly to train.

    Raises ``ValueError`` for a value out of its range.
    """

    steps: int = 200  # updates of the weights
    learning_rate: float = 5e-3  # of Adam
    clip_norm: float | None = 1.0  # longest gradient; None: no clipping
    log_every: int = 1  # steps between two rows of the log

    def __post_init__(self) -> None:
        check_positive(steps=self.steps, log_every=self.log_every)
        if not self.learning_rate > 0:
            raise ValueError(
                f"learning_rate must be positive, not {self.learning_rate}"
            )
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(
                "clip_norm must be positive, or None for no clipping, "
                f"not {self.clip_norm}"
            )


def _check_loss(loss: Tensor, model: nn.Module) -> None:
    """``ValueError`` unless each network has exactly one loss."""
    wanted = (len(model),) if isinstance(model, Ensemble) else ()
    if tuple(loss.shape) != wanted:
        raise ValueError(
            "loss_of must return one loss for each network, a tensor of "
            f"shape {wanted}, not {shape_of(loss)}"
        )


@dataclass(frozen=True)
class WarmUpThenDecay:
    """A schedule: up in a line, level, and from half way down to 0.

    At the first of ``warm_up`` steps the factor is 1 / ``warm_up``, at the
    last 1; after half of ``steps`` it falls in a line and is above 0 still
    at the last one.

    Raises ``ValueError`` for a number of steps below 1.
    """

    steps: int
    warm_up: int = 50

    def __post_init__(self) -> None:
        check_positive(steps=self.steps, warm_up=self.warm_up)

    def __call__(self, step: int) -> float:
        """The factor of the learning rate at ``step``, counted from 1."""
        rising = step / self.warm_up
        falling = 2 * (self.steps + 1 - step) / (self.steps + 1)
        return min(1.0, rising, falling)


def _update(
    model: nn.Module,
    loss: Tensor,
    optimizer: AnyOptimizer,
    clip_norm: float | None,
) -> Tensor:
    """Change the weights by one step; the norms of the gradients before."""
    optimizer.zero_grad()
    loss.sum().backward()
    norms = (
        gradient_norms(model)
        if clip_norm is None
        else clip_gradients(model, clip_norm)
    )
    optimizer.step()
    return norms


def train(
    model: nn.Module,
    loss_of: Callable[[int], Tensor],
    config: TrainingConfig | None = None,
    *,
    description: str = "training",
    optimizer: AnyOptimizer | None = None,
    record: Callable[[], Mapping[str, Tensor]] | None = None,
    schedule: Callable[[int], float] | None = None,
    steps: Iterable[int] | None = None,
    log: TrainingLog | None = None,
    after: Callable[[int], None] | None = None,
) -> TrainingLog:
    """Train a network, or an ``Ensemble`` of them; return the log.

    ``loss_of(step)`` draws a batch and returns the loss: ``()`` for a
    network, ``(S,)`` for an ensemble (it is summed, so that each network
    gets its own gradient).  The log has the columns ``step``, ``loss`` and
    ``gradient_norm`` (before clipping), and those that ``record()`` returns
    after the update.  The optimizer is Adam unless another is given.
    ``schedule(step)`` is what its learning rate is multiplied by at a step.

    To go on with a training that was interrupted, give the ``steps`` that
    are left (numbers from 1; a progress bar of your own is welcome) and the
    ``log`` up to there.  ``after(step)`` is called when a step is done and
    logged: the place to save or to measure.

    Raises ``ValueError`` if the loss has another shape.
    """
    config = config or TrainingConfig()
    if optimizer is None:
        rate = config.learning_rate
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    if steps is None:
        steps = progress(range(1, config.steps + 1), description)
    rates = [group["lr"] for group in optimizer.param_groups]
    log = TrainingLog() if log is None else log
    model.train()
    for step in steps:
        loss = loss_of(step)
        _check_loss(loss, model)
        if schedule is not None:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * schedule(step)
        norms = _update(model, loss, optimizer, config.clip_norm)
        if step % config.log_every == 0 or step == config.steps:
            more = record() if record is not None else {}
            log.append(
                step=step, loss=loss.detach(), gradient_norm=norms, **more
            )
        if after is not None:
            after(step)
    return log
