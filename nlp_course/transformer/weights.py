"""Weights: drawn at the start, or read out of PyTorch's layers."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from nlp_course.transformer.feed_forward import FeedForward

TorchLayer = nn.TransformerEncoderLayer | nn.TransformerDecoderLayer


def layer_options(theirs: TorchLayer) -> dict[str, Any]:
    """What our layer must be built with to be the same function.

    Raises ``ValueError`` for an activation unknown here or no biases.
    """
    if theirs.linear1.bias is None:
        raise ValueError("a layer without biases has no counterpart here")
    weight = theirs.linear1.weight
    return {
        "width": weight.shape[1],
        "heads": theirs.self_attn.num_heads,
        "hidden": weight.shape[0],
        "norm_first": theirs.norm_first,
        "activation": _activation(theirs),
        "dtype": weight.dtype,
        "device": weight.device,
    }


def _activation(theirs: TorchLayer) -> str:
    found = theirs.activation
    if found is F.relu or isinstance(found, nn.ReLU):
        return "relu"
    if found is F.gelu:
        return "gelu"
    if isinstance(found, nn.GELU):
        return "gelu" if found.approximate == "none" else "gelu_tanh"
    raise ValueError(
        f"the activation {found} has no counterpart here; there are relu, "
        "gelu and gelu with approximate='tanh'"
    )


def copy_feed_forward(ours: nn.Module, theirs: TorchLayer) -> None:
    """Copy both layers of the feed-forward part."""
    assert isinstance(ours, FeedForward)
    with torch.no_grad():
        ours.W_1.copy_(theirs.linear1.weight)
        ours.b_1.copy_(theirs.linear1.bias)
        ours.W_2.copy_(theirs.linear2.weight)
        ours.b_2.copy_(theirs.linear2.bias)


def draw(
    module: nn.Module, std: float, *, onto_path: float | None = None
) -> None:
    """Matrices normally distributed, gains 1, all other weights 0.

    ``std`` is the deviation, ``onto_path`` that of the matrices which write
    to the residual path, ``W_O`` and ``W_2``, if it is another one.
    """
    for name, weight in module.named_parameters():
        if weight.dim() == 2:
            writes = name.endswith(("W_O", "W_2"))
            chosen = onto_path if writes and onto_path is not None else std
            nn.init.normal_(weight, std=chosen)
        elif name.endswith("gain"):
            nn.init.ones_(weight)
        else:
            nn.init.zeros_(weight)
