"""Writing with a language model (chapter 15, ``15_gpt``).

A model gives probabilities; how to choose a token from them is another
matter.  *Temperature* divides the scores before the softmax, *top-k* keeps
the k likeliest tokens, *top-p* the likeliest that together have the
probability p (:eq:`eq-gpt-temperature` and :eq:`eq-gpt-top-p` of the book).

Shapes: ``B`` texts, ``T`` tokens, ``V`` ids in the vocabulary.

Sources: Fan, Lewis and Dauphin, *Hierarchical Neural Story Generation*, ACL
2018 (top-k); Holtzman et al., *The Curious Case of Neural Text
Degeneration*, ICLR 2020 (top-p, also called nucleus sampling).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from nlp_course.checks import check_positive, check_tensor, shape_of


class Writer(Protocol):
    """What writing asks of a language model.

    ``longest`` is the longest context that it can read, None if there is no
    limit.
    """

    @property
    def longest(self) -> int | None:
        """The longest context in tokens."""

    def extend(self, ids: Tensor, state: Any = None, /) -> tuple[Tensor, Any]:
        """Read ``ids (B, T)`` after ``state``.

        Returns the scores of the next token, ``(B, V)``, and the new state.
        """


def next_probabilities(
    logits: Float[Tensor, "batch V"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "batch V"]:
    """What the next token is drawn from, ``(B, V)``; rows add up to 1.

    First the temperature, then top-k, then top-p on what top-k has left.
    The temperature 0 gives the likeliest token the probability 1.

    Raises ``ValueError`` for scores of another shape, a negative
    temperature, ``top_k`` below 1 or ``top_p`` outside 0 to 1.
    """
    _check(logits, temperature, top_k, top_p)
    if temperature == 0:
        best = logits.argmax(dim=-1, keepdim=True)  # (B, 1)
        return torch.zeros_like(logits).scatter(-1, best, 1.0)
    # the largest score becomes 0, so that a tiny temperature cannot overflow
    scores = (logits - logits.amax(dim=-1, keepdim=True)) / temperature
    if top_k is not None:
        scores = _keep_top_k(scores, top_k)
    if top_p is not None and top_p < 1:
        scores = _keep_top_p(scores, top_p)
    return scores.softmax(dim=-1)


def _keep_top_k(scores: Tensor, k: int) -> Tensor:
    """All but the k largest scores become -inf; of equal ones, any."""
    best = scores.topk(min(k, scores.shape[-1]), dim=-1)
    lost = torch.full_like(scores, -torch.inf)
    return lost.scatter(-1, best.indices, best.values)


def _keep_top_p(scores: Tensor, p: float) -> Tensor:
    """Keep the fewest tokens whose probabilities add up to p or more."""
    ordered, place = scores.sort(dim=-1, descending=True, stable=True)
    share = ordered.double().softmax(dim=-1)  # sums of many small shares
    before = share.cumsum(dim=-1) - share  # of the likelier tokens together
    beyond = before >= p
    beyond[..., 0] = False  # the likeliest token always stays
    kept = ordered.masked_fill(beyond, -torch.inf)
    return torch.empty_like(scores).scatter(-1, place, kept)


def stream(
    model: Writer,
    ids: Int[Tensor, "batch T"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: Generator | None = None,
    use_cache: bool = True,
) -> Iterator[Int[Tensor, " batch"]]:
    """One new token for each text after another, ``(B,)``, without end.

    When the context is full, its older half is dropped and the rest is read
    anew, with positions from 0.  Without ``use_cache`` the whole context is
    read again for every token: the same tokens for more work.

    A model with dropout must be in evaluation mode.  ``rng`` is the source
    of chance, PyTorch's own if absent.

    Raises ``ValueError`` for no tokens to begin with and for what
    ``next_probabilities`` refuses.
    """
    check_tensor("ids", ids)
    if ids.dim() != 2 or 0 in ids.shape:
        raise ValueError(
            "ids must have shape (batch, time), with at least one token to "
            f"begin with, not {shape_of(ids)}"
        )
    options: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
    }
    _check(torch.zeros(1, 1), **options)  # before the model is run
    return _stream(model, ids, options, rng, use_cache)


def _stream(
    model: Writer,
    ids: Tensor,
    options: dict[str, Any],
    rng: Generator | None,
    use_cache: bool,
) -> Iterator[Tensor]:
    context, state = _cropped(ids, model.longest), None
    new = context  # what the model has not read yet
    while True:
        with torch.no_grad():
            logits, state = model.extend(new, state)
        p = next_probabilities(logits, **options)
        drawn = torch.multinomial(p, 1, generator=rng)  # (B, 1)
        yield drawn[:, 0]
        context = torch.cat([context, drawn], dim=1)
        fitting = _cropped(context, model.longest)
        if use_cache and fitting is context:
            new = drawn
        else:
            context, new, state = fitting, fitting, None


def _cropped(context: Tensor, longest: int | None) -> Tensor:
    """The context itself if it fits, else its younger half."""
    if longest is None or context.shape[1] <= longest:
        return context
    return context[:, -max(1, longest // 2) :]


def generate(
    model: Writer,
    ids: Int[Tensor, "batch T"],
    steps: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: Generator | None = None,
    use_cache: bool = True,
) -> Int[Tensor, "batch time"]:
    """``ids`` and ``steps`` tokens more, ``(B, T + steps)``.

    Arguments and errors are those of ``stream``; ``ValueError`` also for
    ``steps`` below 1.
    """
    check_positive(steps=steps)
    tokens = stream(
        model,
        ids,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        rng=rng,
        use_cache=use_cache,
    )
    written = [next(tokens)[:, None] for _ in range(steps)]
    return torch.cat([ids, *written], dim=1)


def _check(
    logits: Tensor,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
) -> None:
    check_tensor("logits", logits)
    if logits.dim() != 2 or 0 in logits.shape:
        raise ValueError(
            f"logits must have shape (batch, V), not {shape_of(logits)}"
        )
    if not 0 <= temperature < float("inf"):
        raise ValueError(
            f"temperature must be a number from 0, not {temperature}"
        )
    if top_k is not None:
        check_positive(top_k=top_k)
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")
