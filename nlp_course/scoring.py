"""How well a language model with a limited context knows a long text.

A model that reads at most ``longest`` tokens is moved over the text window by
window.  Were the windows side by side, the first token of each would be
predicted from nothing.  So they overlap: each begins ``stride`` tokens after
the one before, and counts only its last ``stride`` predictions, which have
seen ``longest - stride + 1`` tokens or more.

A bit for each *token* says nothing by itself, because tokens can be long or
short.  Models with different tokens are compared by the bits for each
*character* of the text.

Shapes: ``T`` tokens of the text, ``B`` windows side by side, ``N`` tokens of
a window, ``V`` ids in the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nlp_course.checks import check_positive, check_tensor, shape_of


def log_probabilities(
    model: nn.Module,
    ids: Int[Tensor, " T"],
    longest: int | None = None,
    stride: int | None = None,
    *,
    batch: int = 16,
) -> Float[Tensor, " T-1"]:
    """Natural logarithms of what every token but the first was given.

    ``model(ids (B, N))`` returns scores ``(B, N, V)``, or a tuple that
    begins with them; it is run in evaluation mode and left as it was.
    ``longest`` is the longest window, ``model.longest`` if not given, and
    ``stride`` how far a window lies behind the one before, half of
    ``longest`` if not given: every prediction then has seen at least half a
    window, but for those at the beginning of the text.  ``batch`` windows
    are read at a time; it changes the speed and nothing else.

    Returns ``(T - 1,)`` numbers in float64, in the order of the text.

    Raises ``ValueError`` for fewer than two tokens, for no ``longest``
    where the model has none of its own, or a ``stride`` beyond ``longest``.
    """
    check_tensor("ids", ids)
    if ids.dim() != 1 or len(ids) < 2:
        raise ValueError(
            "ids must be one text of at least two tokens, shape (time,), "
            f"not {shape_of(ids)}"
        )
    longest, stride = _sizes(model, longest, stride)
    check_positive(batch=batch)
    was_training = model.training
    model.eval()
    try:
        found = [
            _read(model, ids, starts, length, fresh)
            for starts, length, fresh in _windows(
                len(ids) - 1, longest, stride, batch
            )
        ]
    finally:
        model.train(was_training)
    return torch.cat(found)


def bits_per_token_windowed(
    model: nn.Module,
    ids: Int[Tensor, " T"],
    longest: int | None = None,
    stride: int | None = None,
    *,
    batch: int = 16,
) -> float:
    """Mean of :math:`-\\log_2 p` of all tokens but the first.

    Arguments and errors are those of ``log_probabilities``.
    """
    found = log_probabilities(model, ids, longest, stride, batch=batch)
    return -found.mean().item() / math.log(2)


def bits_per_character(
    bits_per_token: float, tokens: int, characters: int
) -> float:
    """Bits per token, by the length of the same text in characters.

    Raises ``ValueError`` for a text without tokens or characters.
    """
    check_positive(tokens=tokens, characters=characters)
    return bits_per_token * tokens / characters


def _sizes(
    model: nn.Module, longest: int | None, stride: int | None
) -> tuple[int, int]:
    """Both sizes, with what stands for None."""
    if longest is None:
        longest = getattr(model, "longest", None)
    if longest is None:
        raise ValueError(
            f"{type(model).__name__} has no longest context of its own; give "
            "longest, the number of tokens of a window"
        )
    stride = max(1, longest // 2) if stride is None else stride
    check_positive(longest=longest, stride=stride)
    if stride > longest:
        raise ValueError(
            f"a stride of {stride} leaves out tokens between windows of "
            f"{longest}; take at most {longest}"
        )
    return longest, stride


def _windows(
    predictions: int, longest: int, stride: int, batch: int
) -> Iterator[tuple[list[int], int, int]]:
    """Starts of windows side by side, their length, what counts at the end.

    Whole windows first; what is left at the end is one shorter stride.
    """
    length = min(longest, predictions)
    yield [0], length, length
    whole, left = divmod(predictions - length, stride)
    starts = [stride * (k + 1) for k in range(whole)]
    for k in range(0, whole, batch):
        yield starts[k : k + batch], length, stride
    if left:
        yield [predictions - length], length, left


@torch.no_grad()
def _read(
    model: nn.Module, ids: Tensor, starts: list[int], length: int, fresh: int
) -> Tensor:
    """The last ``fresh`` log-probabilities of each window, joined."""
    weight = next(model.parameters(), None)
    device = ids.device if weight is None else weight.device
    pieces = [ids[start : start + length + 1] for start in starts]
    window = torch.stack(pieces).to(device)  # (B, N + 1)
    output = model(window[:, :-1])
    logits = output[0] if isinstance(output, tuple) else output
    logp = logits[:, -fresh:].double().log_softmax(dim=-1)
    right: Tensor = logp.gather(-1, window[:, -fresh:, None])
    return right.flatten().cpu()
