"""Layers on top of one another (chapter 13, ``13_transformer``).

The embedding with its positions comes once, below the first layer.  With
pre-norm no norm stands on the straight way, so one more stands at its end.

Shapes: ``B`` sentences, ``T`` words, ``N`` words of the source, ``D``
features, ``A`` heads, ``V`` ids in the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nlp_course.attention.cache import KeyValueCache
from nlp_course.attention.masks import causal_mask
from nlp_course.attention.positions import (
    LearnedPositions,
    SinusoidalPositions,
)
from nlp_course.checks import (
    check_ids,
    check_positive,
    check_tensor,
    shape_of,
)
from nlp_course.transformer.layers import (
    DecoderLayer,
    DecoderLayerOutput,
    EncoderLayer,
    EncoderLayerOutput,
)
from nlp_course.transformer.norm import LayerNorm


class EncoderOutput(NamedTuple):
    """States of the last layer; the weights of each, if asked for."""

    states: Float[Tensor, "batch N width"]
    weights: tuple[Float[Tensor, "batch heads N N"], ...]


class DecoderOutput(NamedTuple):
    """States of the last layer, and what to keep for the next words.

    ``past`` holds what each layer was given; the weights of each layer are
    there if they were asked for.
    """

    states: Float[Tensor, "batch T width"]
    past: tuple[Float[Tensor, "batch kept width"], ...]
    self_weights: tuple[Float[Tensor, "batch heads T keys"], ...]
    cross_weights: tuple[Float[Tensor, "batch heads T N"], ...]


class Embedding(nn.Module):
    """Words and their positions: one vector each, added.

    ``positions`` is "sinusoidal", "learned" (then ``longest`` is the number
    of positions that have a row) or None for no positions at all.  The rows
    of ``E (V, D)`` start normally distributed with deviation ``std``, those
    of learned positions with ``position_std``.

    Raises ``ValueError`` for another name, a size below 1, or learned
    positions without ``longest``.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        *,
        positions: str | None = "sinusoidal",
        longest: int | None = None,
        std: float = 0.5,
        position_std: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__()
        check_positive(vocabulary=vocabulary, width=width)
        E = torch.randn(vocabulary, width, **options).mul_(std)
        self.E = nn.Parameter(E)
        self.positions: nn.Module | None = None
        if positions == "sinusoidal":
            self.positions = SinusoidalPositions(width)
        elif positions == "learned":
            if longest is None:
                raise ValueError("learned positions need longest")
            self.positions = LearnedPositions(
                width, longest, position_std, **options
            )
        elif positions is not None:
            raise ValueError(
                'positions must be "sinusoidal", "learned" or None, not '
                f"{positions!r}"
            )

    def forward(
        self, ids: Int[Tensor, "batch T"], start: int = 0
    ) -> Float[Tensor, "batch T width"]:
        """``(B, T, D)``; the first word has the position ``start``.

        Raises ``ValueError`` for no words, ids outside the vocabulary or
        positions beyond those learned, ``TypeError`` for ids that are none.
        """
        check_tensor("ids", ids)
        if ids.dim() != 2 or 0 in ids.shape:
            raise ValueError(
                "ids must have shape (batch, words), with at least one "
                f"word, not {shape_of(ids)}"
            )
        check_ids("ids", ids, len(self.E))
        x = nn.functional.embedding(ids, self.E)  # (B, T, D)
        if self.positions is None:
            return x
        placed: Tensor = self.positions(x, start)
        return placed


class Encoder(nn.Module):
    """``layers`` encoder layers; arguments as for ``EncoderLayer``."""

    def __init__(
        self,
        width: int,
        heads: int,
        layers: int = 1,
        *,
        norm_first: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        check_positive(layers=layers)
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads, norm_first=norm_first, **options)
            for _ in range(layers)
        )
        self.norm = _last_norm(width, norm_first, options)

    def forward(
        self,
        x: Float[Tensor, "batch N width"],
        mask: Bool[Tensor, ...] | None = None,
        *,
        caches: Sequence[KeyValueCache] | None = None,
        return_weights: bool = False,
    ) -> EncoderOutput:
        """A state for every word, ``(B, N, D)``, from all words.

        ``mask`` as for ``EncoderLayer``; it holds for all layers.
        ``caches``, one for each layer, hold the words before ``x``.

        Raises ``ValueError`` for another number of caches.
        """
        if caches is not None and len(caches) != len(self.layers):
            raise ValueError(
                f"{len(caches)} caches for {len(self.layers)} layers: give "
                "one for each"
            )
        weights = []
        for k, layer in enumerate(self.layers):
            kept = None if caches is None else caches[k]
            found = layer(x, mask, cache=kept, return_weights=return_weights)
            if isinstance(found, EncoderLayerOutput):
                weights.append(found.weights)
            x = found[0] if return_weights else found
        return EncoderOutput(self.norm(x), tuple(weights))


class Decoder(nn.Module):
    """``layers`` decoder layers, with the causal mask."""

    def __init__(
        self,
        width: int,
        heads: int,
        layers: int = 1,
        *,
        norm_first: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        check_positive(layers=layers)
        self.layers = nn.ModuleList(
            DecoderLayer(width, heads, norm_first=norm_first, **options)
            for _ in range(layers)
        )
        self.norm = _last_norm(width, norm_first, options)

    def forward(
        self,
        x: Float[Tensor, "batch T width"],
        memory: Float[Tensor, "batch N width"],
        memory_mask: Bool[Tensor, ...] | None = None,
        *,
        past: tuple[Tensor, ...] | None = None,
        return_weights: bool = False,
    ) -> DecoderOutput:
        """A state for every word, from the words up to it and the memory.

        ``memory (B, N, D)`` are the states of the encoder, ``memory_mask``
        is True on its real words.  ``past``, from an earlier call, are the
        words before ``x``; None if there are none.

        Raises ``ValueError`` for shapes that do not fit or a ``past`` of
        another number of layers.
        """
        if past is None:
            past = (x[:, :0],) * len(self.layers)
        if len(past) != len(self.layers):
            raise ValueError(
                f"past holds {len(past)} layers, the decoder has "
                f"{len(self.layers)}"
            )
        T, kept = x.shape[1], past[0].shape[1]
        mask = causal_mask(T, kept + T, device=x.device)
        given, own, cross = [], [], []
        for layer, before in zip(self.layers, past, strict=True):
            found = layer(
                x,
                memory,
                mask,
                memory_mask,
                past=before if kept else None,
                return_weights=return_weights,
            )
            given.append(torch.cat([before, x], dim=1) if kept else x)
            if isinstance(found, DecoderLayerOutput):
                own.append(found.self_weights)
                cross.append(found.cross_weights)
            x = found[0] if return_weights else found
        return DecoderOutput(
            self.norm(x), tuple(given), tuple(own), tuple(cross)
        )


def _last_norm(
    width: int, norm_first: bool, options: dict[str, Any]
) -> nn.Module:
    """A norm at the end of the straight way, if there is none on it."""
    if not norm_first:
        return nn.Identity()
    known = ("dtype", "device", "eps")
    kept = {k: v for k, v in options.items() if k in known}
    return LayerNorm(width, **kept)
