"""The simple recurrent network (chapter 01, ``01_rnn_unrolling``).

One cell, copied along the time axis:

.. math:: h_t = \\tanh(W x_t + U h_{t-1} + b)

Shapes: ``B`` sequences in a batch, ``T`` time steps, ``D`` input features
(or the size of the vocabulary), ``H`` hidden units.  Batch first, as in the
whole book: a batch of sequences is ``(B, T, D)``.

Source: Elman, *Finding Structure in Time*, Cognitive Science 14 (1990); the
form with one bias is that of Goodfellow, Bengio and Courville, *Deep
Learning* (2016), equation 10.8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from nlp_course.checks import (
    check_inputs,
    check_lengths,
    check_positive,
    check_state,
)


class RNNOutput(NamedTuple):
    """What a recurrent network returns.

    ``states[:, t]`` is the hidden state after step ``t``; past the end of a
    shorter sequence the state is frozen.  ``last`` is the state after the
    last real step of each sequence.
    """

    states: Float[Tensor, "batch time hidden"]
    last: Float[Tensor, "batch hidden"]


def rnn_cell(
    wx: Float[Tensor, "batch hidden"],
    h: Float[Tensor, "batch hidden"],
    U: Float[Tensor, "hidden hidden"],
    b: Float[Tensor, " hidden"],
) -> Float[Tensor, "batch hidden"]:
    """One step of the recurrence, :eq:`eq-rnn-cell`.

    ``wx`` is :math:`W x_t`, which does not depend on the state and is
    therefore computed for all steps at once, before the loop.
    """
    # h_t = tanh(W x_t + U h_{t-1} + b)
    return torch.tanh(wx + h @ U.T + b)


def scan(
    step: Callable[[Tensor, Tensor], Tensor],
    inputs: Float[Tensor, "batch time features"],
    h_0: Float[Tensor, "batch hidden"],
    lengths: Int[Tensor, " batch"] | None = None,
) -> RNNOutput:
    """Carry a state along the time axis: ``h = step(inputs[:, t], h)``.

    Shapes: ``inputs (B, T, F)``, ``h_0 (B, H)``, ``lengths (B,)`` with
    ``1 <= lengths <= T``; without it every sequence has ``T`` steps.

    After step ``lengths[i]`` the state of row ``i`` no longer changes, so
    padding can influence neither the result nor a gradient,
    :eq:`eq-rnn-padding`.
    """
    h, states = h_0, []
    # unbind, not inputs[:, t]: the backward pass of T slices costs T squared
    for t, x_t in enumerate(inputs.unbind(dim=1)):
        new = step(x_t, h)
        if lengths is not None:
            new = torch.where((t < lengths).unsqueeze(-1), new, h)
        h = new
        states.append(h)
    return RNNOutput(torch.stack(states, dim=1), h)


class RNN(nn.Module):
    """A one-layer recurrent network, equal to ``torch.nn.RNN``.

    Parameters: ``W (H, D)`` reads the input, ``U (H, H)`` the previous
    state, ``b (H,)`` is the bias.  All start uniform in
    :math:`\\pm 1/\\sqrt{H}`, as in PyTorch.

    Raises ``ValueError`` if a size is not a positive integer.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        check_positive(input_size=input_size, hidden_size=hidden_size)
        D, H = input_size, hidden_size
        self.W = nn.Parameter(torch.empty(H, D, dtype=dtype, device=device))
        self.U = nn.Parameter(torch.empty(H, H, dtype=dtype, device=device))
        self.b = nn.Parameter(torch.empty(H, dtype=dtype, device=device))
        self.reset_parameters()

    @property
    def input_size(self) -> int:
        """Number of input features ``D`` (or words in the vocabulary)."""
        return self.W.shape[1]

    @property
    def hidden_size(self) -> int:
        """Number of hidden units ``H``."""
        return self.W.shape[0]

    def reset_parameters(self) -> None:
        """Draw all weights anew from U(-1/sqrt(H), 1/sqrt(H))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            nn.init.uniform_(weight, -bound, bound)

    def initial_state(self, batch: int) -> Float[Tensor, "batch hidden"]:
        """The zero state in which every sequence starts, ``(B, H)``."""
        return self.W.new_zeros(batch, self.hidden_size)

    def read(
        self, x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time hidden"]:
        """:math:`W x_t` for all steps at once.

        Integer ids ``(B, T)`` stand for one-hot vectors: the product with a
        one-hot vector picks a column of ``W``, :eq:`eq-embedding`.
        """
        if x.is_floating_point():
            return x @ self.W.T  # (B, T, H)
        return F.embedding(x, self.W.T)  # (B, T, H)

    def forward(
        self,
        x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"],
        h_0: Float[Tensor, "batch hidden"] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> RNNOutput:
        """Run the cell over every step.

        Shapes: ``x (B, T, D)`` of the weights' dtype, or ids ``(B, T)``;
        ``h_0 (B, H)``, zero if absent; ``lengths (B,)``, integers from 1 to
        ``T``.  Returns ``states (B, T, H)`` and ``last (B, H)``.

        Raises ``ValueError`` for a wrong shape, a wrong size or a length out
        of range, ``TypeError`` for a wrong dtype; the message names the
        argument, what was expected and what came.
        """
        check_inputs(x, self.input_size, self.W.dtype)
        if h_0 is None:
            h_0 = self.initial_state(x.shape[0])
        check_state("h_0", h_0, (x.shape[0], self.hidden_size), self.W.dtype)
        if lengths is not None:
            check_lengths(lengths, batch=x.shape[0], time=x.shape[1])
            x = clear_padding(x, lengths)

        def step(wx: Tensor, h: Tensor) -> Tensor:
            return rnn_cell(wx, h, self.U, self.b)

        return scan(step, self.read(x), h_0, lengths)

    @classmethod
    def from_torch(cls, reference: nn.RNN) -> RNN:
        """Copy the weights of a one-layer tanh ``torch.nn.RNN``.

        PyTorch keeps two biases, one beside each matrix; only their sum acts.

        Raises ``ValueError`` for a network with several layers, two
        directions, without biases or with another nonlinearity, and
        ``TypeError`` for another kind of network.
        """
        _check_reference(reference)
        theirs = dict(reference.named_parameters())
        weight = theirs["weight_ih_l0"]
        ours = cls(
            reference.input_size,
            reference.hidden_size,
            dtype=weight.dtype,
            device=weight.device,
        )
        with torch.no_grad():
            ours.W.copy_(weight)
            ours.U.copy_(theirs["weight_hh_l0"])
            ours.b.copy_(theirs["bias_ih_l0"] + theirs["bias_hh_l0"])
        return ours


def clear_padding(
    x: Shaped[Tensor, "batch time *input"], lengths: Int[Tensor, " batch"]
) -> Shaped[Tensor, "batch time *input"]:
    """Zeros for the features of padding, were they even NaN.

    Ids are returned as they are: the states frozen by ``scan`` never see
    those of padding.
    """
    if not x.is_floating_point():
        return x
    steps = torch.arange(x.shape[1], device=x.device)
    real = steps < lengths.unsqueeze(-1)  # (B, T)
    return torch.where(real.unsqueeze(-1), x, 0.0)


def _check_reference(reference: nn.RNN) -> None:
    if not isinstance(reference, nn.RNN):
        raise TypeError(
            "RNN.from_torch copies a torch.nn.RNN, "
            f"not {type(reference).__name__}"
        )
    wanted = {
        "num_layers": 1,
        "bidirectional": False,
        "bias": True,
        "nonlinearity": "tanh",
    }
    for name, value in wanted.items():
        found = getattr(reference, name)
        if found != value:
            raise ValueError(
                f"RNN.from_torch copies a network with {name}={value!r}, "
                f"but this one has {name}={found!r}"
            )
