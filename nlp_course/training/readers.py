"""Networks that read a sentence of ids and answer a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nlp_course.attention.core import masked_softmax, weighted_sum
from nlp_course.checks import check_inputs, check_lengths, check_positive
from nlp_course.rnn import RNN


class Reader(nn.Module):
    """A recurrent network and a linear readout of its states.

    ``cell(vocabulary, hidden)`` builds the recurrent network, ``RNN`` if
    none is given.  The same network answers at every step (many-to-many) or,
    if the caller takes the last step only, once (many-to-one).
    """

    def __init__(
        self,
        vocabulary: int,
        hidden: int,
        classes: int,
        cell: Callable[[int, int], nn.Module] = RNN,
    ) -> None:
        super().__init__()
        self.recurrent = cell(vocabulary, hidden)
        self.readout = nn.Linear(hidden, classes)

    def forward(
        self, ids: Int[Tensor, "batch time"], **options: Any
    ) -> Float[Tensor, "batch time classes"]:
        """Scores of the answers at every step, ``(B, T, C)``.

        Options go to the recurrent network (``edit`` of a GRU, say).
        """
        states: Any = self.recurrent(ids, **options).states  # (B, T, H)
        scores: Tensor = self.readout(states)
        return scores


class BagReader(nn.Module):
    """A network that sees how often each word occurs, and not where."""

    def __init__(self, vocabulary: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.read = nn.Linear(vocabulary, hidden)
        self.readout = nn.Linear(hidden, classes)

    def forward(
        self, bag: Float[Tensor, "batch vocabulary"]
    ) -> Float[Tensor, "batch classes"]:
        """Scores of the answers, ``(B, C)``."""
        scores: Tensor = self.readout(torch.tanh(self.read(bag)))
        return scores


class AttentionReader(nn.Module):
    """Answers by looking back once, from the last word at all words.

    Every word is an embedding :math:`x_t`, a row of ``E (V, H)``.  The last
    word of a sentence gives each word a score,
    :math:`e_t = x_t^\\top W_a x_n / \\sqrt{H}`, :eq:`eq-cells-scores`; the
    weighted sum of the embeddings is read out, :eq:`eq-cells-context`.

    ``positions`` is the number of places that have an embedding of their
    own, added to that of the word.  Without them the answer depends on which
    words occur and which is last, and on nothing else.

    Raises ``ValueError`` if a size is not a positive integer.
    """

    def __init__(
        self,
        vocabulary: int,
        hidden: int,
        classes: int,
        positions: int | None = None,
    ) -> None:
        super().__init__()
        check_positive(vocabulary=vocabulary, hidden=hidden, classes=classes)
        self.E = nn.Parameter(torch.randn(vocabulary, hidden) / 2)
        self.W_a = nn.Parameter(torch.randn(hidden, hidden) / hidden**0.5)
        self.readout = nn.Linear(hidden, classes)
        self.P: nn.Parameter | None = None
        if positions is not None:
            check_positive(positions=positions)
            self.P = nn.Parameter(torch.randn(positions, hidden) / 2)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        """Scores of the answers, ``(B, C)``; padding is masked.

        Raises ``ValueError`` for a wrong shape, an id out of range, a length
        out of range, or a sentence longer than there are positions.
        """
        weights, x = self._look(ids, lengths)
        context = weighted_sum(weights, x).squeeze(-2)  # (B, H)
        scores: Tensor = self.readout(context)
        return scores

    def weights(
        self,
        ids: Int[Tensor, "batch time"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time"]:
        """How much each word counts, ``(B, T)``; every row sums to 1."""
        return self._look(ids, lengths)[0].squeeze(-2)

    def _look(
        self, ids: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Weights ``(B, 1, T)`` and what they weigh, ``(B, T, H)``."""
        check_inputs(ids, self.E.shape[0], self.E.dtype)
        B, T = ids.shape
        x = self._embed(ids)
        if lengths is None:
            last, mask = x[:, -1], None
        else:
            check_lengths(lengths, batch=B, time=T)
            steps = torch.arange(T, device=ids.device)
            mask = (steps < lengths.unsqueeze(-1)).unsqueeze(-2)  # (B, 1, T)
            at = (lengths - 1).view(B, 1, 1).expand(B, 1, x.shape[-1])
            last = x.gather(1, at).squeeze(1)
        # e_t = x_t^T W_a x_n / sqrt(H), for all t at once
        scores = (x @ self.W_a @ last.unsqueeze(-1)).transpose(-1, -2)
        return masked_softmax(scores / x.shape[-1] ** 0.5, mask), x

    def _embed(self, ids: Tensor) -> Tensor:
        """Words, and their places if they have any: ``(B, T, H)``."""
        x = nn.functional.embedding(ids, self.E)
        if self.P is None:
            return x
        T, known = ids.shape[-1], self.P.shape[0]
        if known < T:
            raise ValueError(
                f"a sentence of {T} words, but only {known} positions are "
                "known; build the reader with more positions"
            )
        return x + self.P[:T]
