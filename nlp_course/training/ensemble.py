"""Many small networks trained side by side.

A claim about training must hold for several seeds.  Networks of one shape
can be stacked along a new first axis and trained in one pass: for the small
sizes of this course five of them cost little more than one, because most of
the time goes into starting operations, not into arithmetic.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from nlp_course.clipping import clip_factor
from nlp_course.training.seeds import seeded


class Ensemble(nn.Module):
    """``S`` networks with equal shapes and different weights.

    ``build`` makes one network; it is called once for each seed, with
    PyTorch's random numbers set to that seed.  Inputs and outputs carry a
    first axis of size ``S``: network ``s`` sees only ``x[s]``.

    A loss that is *summed* over the networks gives each of them exactly the
    gradient that it would have alone.

    Raises ``ValueError`` if there is no seed, if ``build`` returns the same
    network twice, or if the networks have buffers.
    """

    def __init__(
        self, build: Callable[[], nn.Module], seeds: Sequence[int]
    ) -> None:
        super().__init__()
        if not seeds:
            raise ValueError("an ensemble needs at least one seed")
        members = []
        for seed in seeds:
            with seeded(seed):
                members.append(build())
        if len({id(member) for member in members}) < len(members):
            raise ValueError("build must make a new network at every call")
        stacked, buffers = stack_module_state(members)
        if buffers:
            raise ValueError(
                f"networks with buffers cannot be stacked: {sorted(buffers)}"
            )
        self.seeds = tuple(seeds)
        # names of parameters contain dots, which ParameterDict forbids
        self._names = tuple(stacked)
        self.stacked = nn.ParameterList(
            nn.Parameter(stack.detach(), requires_grad=stack.requires_grad)
            for stack in stacked.values()
        )
        self._template = [members[0]]  # in a list: not a submodule

    def __len__(self) -> int:
        return len(self.seeds)

    def train(self, mode: bool = True) -> Self:
        """Put all networks into training mode, or out of it."""
        self._template[0].train(mode)
        return super().train(mode)

    def forward(self, *inputs: Tensor, **options: Any) -> Any:
        """Each network on its own inputs, ``(S, ...)`` each.

        Options by keyword go to all networks alike.
        """
        weights = dict(zip(self._names, self.stacked, strict=True))
        template = self._template[0]

        def one(weights: dict[str, Tensor], *inputs: Tensor) -> Any:
            return functional_call(template, weights, inputs, options)

        return vmap(one)(weights, *inputs)

    def member(self, index: int) -> nn.Module:
        """A copy of one network, to be used alone."""
        device = next(iter(self.stacked)).device
        alone = copy.deepcopy(self._template[0]).to(device)
        pairs = zip(alone.parameters(), self.stacked, strict=True)
        for weight, stack in pairs:
            weight.data = stack[index].detach().clone()
        return alone


def gradient_norms(model: nn.Module) -> Tensor:
    """Norm of the whole gradient; one for each network of an ensemble.

    Returns ``()`` for a network and ``(S,)`` for an ``Ensemble``; zero where
    there is no gradient.
    """
    shape = (len(model),) if isinstance(model, Ensemble) else ()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    if not grads:
        return torch.zeros(shape)
    norm = torch.linalg.vector_norm
    norms = [norm(g.reshape(*shape, -1), dim=-1) for g in grads]
    whole: Tensor = norm(torch.stack(norms), dim=0)
    return whole


def clip_gradients(model: nn.Module, threshold: float) -> Tensor:
    """Scale gradients down to a norm of ``threshold``; return their norms.

    In an ensemble each network is clipped by its own norm, so that one with
    a large gradient does not slow the others.  A gradient that holds inf or
    NaN cannot be scaled: it stays NaN, and so does the loss from then on.

    Raises ``ValueError`` unless ``threshold`` is positive.
    """
    norms = gradient_norms(model)
    factor = clip_factor(norms, threshold)
    for parameter in model.parameters():
        if parameter.grad is not None:
            shape = (*factor.shape, *[1] * (parameter.dim() - factor.dim()))
            parameter.grad.mul_(factor.view(shape))
    return norms
