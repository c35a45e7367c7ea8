"""From scores to sentences: greedy decoding and beam search (chapter 08).

Any model that translates word by word can be decoded if it obeys the
``Translator`` protocol; how it remembers the source is its own affair, as
long as every tensor of its state has the batch first.

Source of beam search for translation: Sutskever, Vinyals and Le (2014),
section 3.2; the division by a power of the length is that of Wu et al.
(2016), *Google's Neural Machine Translation System*, in its simplest form.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils._pytree import tree_map

from nlp_course.checks import check_positive, shape_of

# the ids that every tokenizer of the course gives to the marks
PAD, START, END = 0, 2, 3


class Translator(Protocol):
    """What greedy decoding and beam search ask of a model."""

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """The state before the first word, from ``(B, N)`` and ``(B,)``.

        Any nest of tuples of tensors, each with the batch first.
        """

    def step(self, last: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Scores of the next word ``(B, V)`` after ``last (B,)``."""


class Decoded(NamedTuple):
    """Sentences that a model wrote.

    ``ids`` hold the words, then ``</s>``, then padding; a sentence that did
    not end within the steps allowed has no ``</s>``.  ``lengths`` count the
    end mark.  ``log_probs`` are the sums over the words, log p(w | x).
    """

    ids: Int[Tensor, "batch T"]
    lengths: Int[Tensor, " batch"]
    log_probs: Float[Tensor, " batch"]

    @property
    def ended(self) -> Tensor:
        """Whether each sentence has an end mark, ``(B,)``."""
        return _ended(self.ids)


def _next_words(
    model: Translator, last: Tensor, state: Any
) -> tuple[Float[Tensor, "batch V"], Any]:
    """log p of the next word, and the new state.

    ``<pad>`` and ``<s>`` are not words: they are never written.
    """
    logits, state = model.step(last, state)
    if logits.dim() != 2 or len(logits) != len(last):
        raise ValueError(
            f"step must return scores of shape ({len(last)}, V), "
            f"not {shape_of(logits)}"
        )
    if logits.shape[1] <= END:
        raise ValueError(
            f"the model scores {logits.shape[1]} ids, but the end mark has "
            f"id {END}: without an end mark no sentence ends"
        )
    log_p = logits.log_softmax(dim=-1)
    log_p[:, [PAD, START]] = -torch.inf
    return log_p, state


@torch.no_grad()
def greedy(
    model: Translator,
    source: Int[Tensor, "batch N"],
    lengths: Int[Tensor, " batch"],
    max_steps: int,
) -> Decoded:
    """Always take the likeliest next word, until ``</s>``.

    Raises ``ValueError`` for ``max_steps`` below 1 or a model whose
    vocabulary has no end mark.
    """
    check_positive(max_steps=max_steps)
    state = model.encode(source, lengths)
    last = source.new_full((len(source),), START)
    words, chosen = [], []
    ended = torch.zeros_like(last, dtype=torch.bool)
    for _ in range(max_steps):
        log_words, state = _next_words(model, last, state)
        log_p, last = log_words.max(dim=-1)  # (B,) each
        last = torch.where(ended, PAD, last)
        chosen.append(torch.where(ended, 0.0, log_p))
        words.append(last)
        ended = ended | (last == END)
        if ended.all():
            break
    ids = torch.stack(words, dim=1)
    return Decoded(ids, _lengths(ids), torch.stack(chosen, dim=1).sum(dim=1))


def _lengths(ids: Int[Tensor, "*batch T"]) -> Int[Tensor, "*batch"]:
    """Words of each sentence, its end mark counted."""
    ended = (ids == END).long().cumsum(dim=-1)
    return (ended - (ids == END).long() == 0).sum(dim=-1)


@torch.no_grad()
def beam_search(
    model: Translator,
    source: Int[Tensor, "batch N"],
    lengths: Int[Tensor, " batch"],
    max_steps: int,
    beams: int,
    *,
    length_power: float = 0.0,
) -> Decoded:
    """Keep the ``beams`` best beginnings at every step; return the best end.

    Beginnings are compared by log p / (number of words)^length_power.  With
    0 that is log p itself, which falls with every word and so favours short
    sentences; with 1 it is the mean over the words.  A sentence that has
    ended keeps its place while others grow.  One beam is greedy decoding.

    Raises ``ValueError`` for ``max_steps`` or ``beams`` below 1, a negative
    ``length_power`` or a model whose vocabulary has no end mark.
    """
    check_positive(max_steps=max_steps, beams=beams)
    if not length_power >= 0:
        raise ValueError(f"length_power must be from 0, not {length_power}")
    B, K = len(source), beams
    state = model.encode(source, lengths)
    state = tree_map(lambda t: t.repeat_interleave(K, dim=0), state)
    ids = source.new_full((B, K, 1), START)
    # at first all beams are alike: only one of them may have successors
    total = torch.full((B, K), -torch.inf, device=source.device)
    total[:, 0] = 0.0
    row = torch.arange(B, device=source.device)  # of each sentence
    for _ in range(max_steps):
        log_p, state = _next_words(model, ids[:, :, -1].flatten(), state)
        total, beam, word = _best(
            total, log_p.view(B, K, -1), ids, length_power
        )
        ids = torch.cat([ids[row[:, None], beam], word[..., None]], dim=-1)
        kept = (row[:, None] * K + beam).flatten()  # whose states go on
        state = tree_map(lambda t, kept=kept: t[kept], state)
        if _ended(ids).all():
            break
    ids = ids[..., 1:]  # without the start mark
    best = _normalised(total, _lengths(ids), length_power).argmax(dim=1)
    ids = ids[row, best]
    length = _lengths(ids)
    return Decoded(ids[:, : int(length.max())], length, total[row, best])


def _ended(ids: Int[Tensor, "*batch T"]) -> Tensor:
    return (ids == END).any(dim=-1)


def _normalised(total: Tensor, words: Tensor, power: float) -> Tensor:
    return total / words.to(total.dtype) ** power


def _best(
    total: Float[Tensor, "batch beams"],
    log_p: Float[Tensor, "batch beams V"],
    ids: Int[Tensor, "batch beams T"],
    power: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The best continuations: their log p, their beam and their word.

    An ended sentence has one continuation: padding, at no cost.
    """
    B, K, V = log_p.shape
    ended = _ended(ids)  # (B, K)
    only_padding = torch.full_like(log_p[0, 0], -torch.inf)
    only_padding[PAD] = 0.0
    log_p = torch.where(ended[..., None], only_padding, log_p)
    new = (total[..., None] + log_p).view(B, K * V)
    words = _lengths(ids[..., 1:]) + ~ended  # (B, K) after this step
    score = _normalised(new, words.repeat_interleave(V, dim=1), power)
    place = score.topk(K, dim=1).indices  # (B, K)
    return new.gather(1, place), place // V, place % V
