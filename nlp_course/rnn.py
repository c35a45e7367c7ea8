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

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nlp_course.checks import check_state
from nlp_course.recurrent import (
    RecurrentLayer,
    check_reference,
    checked_inputs,
    like,
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


class RNN(RecurrentLayer):
    """A one-layer recurrent network, equal to ``torch.nn.RNN``.

    Parameters: ``W (H, D)`` reads the input, ``U (H, H)`` the previous
    state, ``b (H,)`` is the bias.  All start uniform in
    :math:`\\pm 1/\\sqrt{H}`, as in PyTorch.

    Raises ``ValueError`` if a size is not a positive integer.
    """

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
        x = checked_inputs(self, x, lengths)
        if h_0 is None:
            h_0 = self.initial_state(x.shape[0])
        check_state("h_0", h_0, (x.shape[0], self.hidden_size), self.W.dtype)

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
        check_reference(
            "RNN",
            reference,
            nn.RNN,
            num_layers=1,
            bidirectional=False,
            bias=True,
            nonlinearity="tanh",
        )
        ours = cls(
            reference.input_size, reference.hidden_size, **like(reference)
        )
        ours.copy_from(reference)
        return ours
