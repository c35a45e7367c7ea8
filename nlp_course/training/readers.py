"""Networks that read a sentence of ids and answer a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

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
