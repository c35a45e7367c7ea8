"""A recurrent language model (chapter 07).

An embedding, a recurrent layer and a readout over the vocabulary:

.. math:: p(w_{t+1} \\mid w_1, \\dots, w_t) =
   \\operatorname{softmax}(W_y h_t + b_y)

The recurrent layer is any of ``torch.nn.RNN``, ``LSTM`` and ``GRU``, or of
the package's own.  A long text is read piece by piece: the state after one
piece is the start of the next, *detached*, so that a gradient goes back to
the beginning of its piece and no further (truncated back-propagation through
time; Mikolov, *Statistical Language Models Based on Neural Networks*, 2012).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nlp_course.checks import check_positive, check_share
from nlp_course.losses import bits, cross_entropy

State = tuple[Tensor, ...]


class LanguageModel(nn.Module):
    """Scores of the next token after every token of a text.

    ``cell(D, H)`` builds the recurrent layer from the size ``D`` of the
    embedding and the number ``H`` of hidden units: ``RNN``, ``LSTM`` or
    ``GRU`` of the package or of ``torch.nn`` (which is turned to batch
    first).  In training a share ``dropout`` of what enters the recurrent
    layer and of what leaves it is dropped, never of the state that is
    carried along time (Zaremba, Sutskever and Vinyals, *Recurrent Neural
    Network Regularization*, 2014).

    Raises ``ValueError`` if a size is not a positive integer or ``dropout``
    is outside 0 to below 1.
    """

    def __init__(
        self,
        vocabulary: int,
        embedding: int,
        hidden: int,
        cell: Callable[[int, int], nn.Module],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_positive(
            vocabulary=vocabulary, embedding=embedding, hidden=hidden
        )
        check_share(dropout=dropout)
        self.dropout = dropout
        self.embed = nn.Embedding(vocabulary, embedding)
        self.recurrent = cell(embedding, hidden)
        if isinstance(self.recurrent, nn.RNNBase):
            self.recurrent.batch_first = True
        self.readout = nn.Linear(hidden, vocabulary)

    def forward(
        self, ids: Int[Tensor, "batch time"], state: State | None = None
    ) -> tuple[Float[Tensor, "batch time V"], State]:
        """Scores ``(B, T, V)`` and the state after the last token.

        ``state`` is what an earlier call returned; without it the text
        begins here.
        """
        x = self._drop(self.embed(ids))
        states, state = _read(self.recurrent, x, state)
        logits: Tensor = self.readout(self._drop(states))  # (B, T, V)
        return logits, state

    def _drop(self, x: Tensor) -> Tensor:
        if self.dropout and self.training:
            return F.dropout(x, self.dropout)
        return x

    @property
    def longest(self) -> None:
        """The longest context: there is no limit."""
        return

    @torch.no_grad()
    def extend(
        self, ids: Int[Tensor, "batch time"], state: State | None = None
    ) -> tuple[Float[Tensor, "batch V"], State]:
        """Read more tokens; the scores of the next one, and the state.

        As ``forward``, for the last token alone and without gradients: the
        protocol of ``nlp_course.generation``.
        """
        x = self._drop(self.embed(ids))
        states, state = _read(self.recurrent, x, state)
        last = self._drop(states[:, -1])
        logits: Tensor = self.readout(last)  # (B, V)
        return logits, state


def _read(layer: Any, x: Tensor, state: State | None) -> tuple[Tensor, State]:
    """All states and the last one, of PyTorch's layers or of ours."""
    if isinstance(layer, nn.LSTM):
        states, last = layer(x, state)
        return states, tuple(last)
    if isinstance(layer, nn.RNNBase):
        states, last = layer(x, None if state is None else state[0])
        return states, (last,)
    out = layer(x, *(state or ()))
    if hasattr(out, "c_n"):
        return out.states, (out.h_n, out.c_n)
    return out.states, (out.last,)


def detached(state: State) -> State:
    """The same numbers, through which no gradient goes back."""
    return tuple(part.detach() for part in state)


@torch.no_grad()
def bits_per_token(
    model: nn.Module, ids: Int[Tensor, "batch time"], piece: int = 1000
) -> float:
    """Mean of :math:`-\\log_2 p` of all tokens but the first of each row.

    The rows are read from the left, ``piece`` tokens at a time, with the
    state carried; :eq:`eq-ngram-bits`.

    Raises ``ValueError`` for rows without a second token.
    """
    check_positive(piece=piece)
    if ids.dim() != 2 or ids.shape[1] < 2:
        raise ValueError(
            "ids must be rows of at least two tokens, (batch, time), not "
            f"{tuple(ids.shape)}"
        )
    was_training = model.training
    model.eval()
    state: State | None = None
    nats, steps = 0.0, ids.shape[1] - 1
    for begin in range(0, steps, piece):
        end = min(begin + piece, steps)
        logits, state = model(ids[:, begin:end], state)
        loss = cross_entropy(logits, ids[:, begin + 1 : end + 1])
        nats += loss.item() * (end - begin)
    model.train(was_training)
    return bits(nats / steps)
