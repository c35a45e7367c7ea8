"""One experiment on one task, for several seeds at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.func import vmap

from nlp_course.data.tasks import Examples
from nlp_course.losses import cross_entropy
from nlp_course.training.ensemble import Ensemble
from nlp_course.training.loop import TrainingConfig, train
from nlp_course.training.seeds import generator

Choice = TypeVar("Choice")


class Task(Protocol):
    """Anything that draws sentences and their answers."""

    def sample(self, *shape: int, rng: Generator) -> Examples:
        """Draw ``shape`` sentences."""


def at_scale(scale: str, *, quick: Choice, full: Choice) -> Choice:
    """The size of an experiment, by the notebook's parameter ``scale``.

    Raises ``ValueError`` for any other word than "quick" and "full".
    """
    sizes = {"quick": quick, "full": full}
    if scale not in sizes:
        raise ValueError(f'scale must be "quick" or "full", not {scale!r}')
    return sizes[scale]


def answers(scores: Tensor, y: Tensor) -> Tensor:
    """The scores that are asked for: at every step, or at the last one.

    ``scores (S, B, T, C)`` become ``(S, B, C)`` if ``y (S, B)`` has one
    answer a sentence; otherwise they are returned as they are.
    """
    return scores[..., -1, :] if scores.dim() > y.dim() + 1 else scores


def train_on(
    task: Task,
    build: Callable[[], nn.Module],
    seeds: Sequence[int],
    config: TrainingConfig,
    *,
    batch: int = 32,
    view: Callable[[Tensor], Tensor] | None = None,
    description: str = "training",
) -> Ensemble:
    """Train one network for each seed on fresh sentences of a task.

    ``build`` makes a network, ``batch`` is the number of sentences a step
    and network, ``view`` changes the ids before a network sees them (into a
    bag of words, say).  Every network sees other sentences.
    """
    model = Ensemble(build, seeds)
    rng = generator(seeds[0])

    def loss_of(_step: int) -> Tensor:
        x, y = task.sample(len(model), batch, rng=rng)
        scores = answers(model(view(x) if view else x), y)
        losses: Tensor = vmap(cross_entropy)(scores, y)  # (S,)
        return losses

    train(model, loss_of, config, description=description)
    return model


@torch.no_grad()
def accuracy(
    model: Ensemble,
    task: Task,
    *,
    seed: int,
    sentences: int = 500,
    view: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, " networks"]:
    """Share of right answers of each network on new sentences, ``(S,)``."""
    x, y = task.sample(len(model), sentences, rng=generator(seed))
    scores = answers(model(view(x) if view else x), y)
    right: Tensor = scores.argmax(dim=-1) == y
    return right.float().flatten(1).mean(dim=1)


def fastest(function: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the fastest of several calls, after one to warm up.

    The fastest, because everything that disturbs a measurement makes it
    slower.
    """
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
