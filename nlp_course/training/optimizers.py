"""Two optimizers that share the weights of one model.

*Muon* is meant for the matrices inside a network.  It takes the running mean
of the gradient of a matrix and replaces it by the nearest matrix with
orthonormal rows or columns: every direction of the update becomes equally
long, where plain gradient descent moves far along a few directions and
hardly at all along the rest.  Embeddings, readouts, gains and biases are
left to AdamW.

Sources: Jordan et al., *Muon: An Optimizer for Hidden Layers in Neural
Networks*, 2024; the length of an update is matched to AdamW's as in Liu et
al., *Muon is Scalable for LLM Training*, 2025.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class AnyOptimizer(Protocol):
    """What training asks of an optimizer; PyTorch's own have it."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of weights, each with its learning rate ``lr``."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""

    def step(self) -> Any:
        """Change the weights."""

    def state_dict(self) -> dict[str, Any]:
        """All that the optimizer remembers."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember what ``state_dict`` returned."""


class Together:
    """Several optimizers, each for weights of its own, used as one."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts, in order."""
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all weights."""
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Change all weights; ``closure`` is not supported."""
        if closure is not None:
            raise ValueError("a closure would be run once for each part")
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """What each part remembers."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember what ``state_dict`` returned.

        Raises ``ValueError`` for another number of parts.
        """
        states = state_dict["parts"]
        if len(states) != len(self.parts):
            raise ValueError(
                f"the state is that of {len(states)} optimizers, here are "
                f"{len(self.parts)}"
            )
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def inner_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The matrices of the layers: 2-D weights in a list called ``layers``.

    Embeddings and readouts stand outside of it.

    Raises ``ValueError`` for a model that has none.
    """
    found = [
        weight
        for name, weight in model.named_parameters()
        if weight.dim() == 2 and "layers" in name.split(".")
    ]
    if not found:
        raise ValueError(
            f"{type(model).__name__} has no matrix inside a list called "
            "layers, which Muon is for; use AdamW for all of its weights"
        )
    return found


def muon_with_adamw(
    model: nn.Module,
    *,
    muon_rate: float = 2e-2,
    adamw_rate: float = 4e-3,
    weight_decay: float = 0.0,
) -> Together:
    """Muon for ``inner_matrices(model)``, AdamW for all other weights.

    ``weight_decay`` holds for both.  Raises ``ValueError`` for a model
    without inner matrices or a rate that is not positive.
    """
    for name, rate in (("muon_rate", muon_rate), ("adamw_rate", adamw_rate)):
        if not rate > 0:
            raise ValueError(f"{name} must be positive, not {rate}")
    inner = inner_matrices(model)
    known = {id(weight) for weight in inner}
    rest: list[Tensor] = [w for w in model.parameters() if id(w) not in known]
    return Together(
        torch.optim.Muon(
            inner,
            lr=muon_rate,
            weight_decay=weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(
            rest, lr=adamw_rate, weight_decay=weight_decay, fused=True
        ),
    )
