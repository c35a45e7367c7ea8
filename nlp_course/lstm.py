"""Long short-term memory (chapter 05, ``05_lstm_gates``).

Two states, a cell state ``c`` and a hidden state ``h``, and four layers that
decide what happens to them:

.. math::

   f_t &= \\sigma(W_f x_t + U_f h_{t-1} + b_f) \\\\
   i_t &= \\sigma(W_i x_t + U_i h_{t-1} + b_i) \\\\
   \\tilde c_t &= \\tanh(W_c x_t + U_c h_{t-1} + b_c) \\\\
   o_t &= \\sigma(W_o x_t + U_o h_{t-1} + b_o) \\\\
   c_t &= f_t \\odot c_{t-1} + i_t \\odot \\tilde c_t \\\\
   h_t &= o_t \\odot \\tanh(c_t)

Shapes: ``B`` sequences, ``T`` steps, ``D`` input features (or the size of
the vocabulary), ``H`` hidden units, ``L`` layers.  The four layers stand
above one another in ``W``, ``U`` and ``b``, in PyTorch's order: input gate,
forget gate, candidate, output gate.

Source: Hochreiter and Schmidhuber, *Long Short-Term Memory*, Neural
Computation 9 (1997); the forget gate is that of Gers, Schmidhuber and
Cummins, *Learning to Forget*, Neural Computation 12 (2000).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nlp_course.recurrent import (
    RecurrentLayer,
    RecurrentStack,
    check_layers,
    check_reference,
    like,
    states_before,
)
from nlp_course.rnn import scan


class Gates(NamedTuple):
    """What the four layers say, each ``(B, H)`` or ``(B, T, H)``."""

    f: Float[Tensor, "*batch hidden"]  # forget gate
    i: Float[Tensor, "*batch hidden"]  # input gate
    c_new: Float[Tensor, "*batch hidden"]  # candidate
    o: Float[Tensor, "*batch hidden"]  # output gate


# called with the number of the layer, the step (both from 0) and its gates
Edit = Callable[[int, int, Gates], Gates]


class LSTMOutput(NamedTuple):
    """What an LSTM returns.

    ``states[:, t]`` and ``cells[:, t]`` are the two states of the uppermost
    layer after step ``t``; past the end of a shorter sequence both are
    frozen.  ``h_n`` and ``c_n`` are those of every layer after the last real
    step of each sequence.
    """

    states: Float[Tensor, "batch time hidden"]
    cells: Float[Tensor, "batch time hidden"]
    h_n: Float[Tensor, "layers batch hidden"]
    c_n: Float[Tensor, "layers batch hidden"]

    @property
    def last(self) -> Float[Tensor, "batch hidden"]:
        """The last hidden state of the uppermost layer."""
        return self.h_n[..., -1, :, :]

    @property
    def last_cell(self) -> Float[Tensor, "batch hidden"]:
        """The last cell state of the uppermost layer."""
        return self.c_n[..., -1, :, :]


def lstm_gates(
    wx: Float[Tensor, "*batch four_hidden"],
    h: Float[Tensor, "*batch hidden"],
    U: Float[Tensor, "four_hidden hidden"],
    b: Float[Tensor, " four_hidden"],
) -> Gates:
    """The four layers; ``wx`` is :math:`W x_t`, ``h`` the state before.

    Equations :eq:`eq-lstm-forget` to :eq:`eq-lstm-candidate` and
    :eq:`eq-lstm-output`.
    """
    # the four pre-activations, one below the other: W x_t + U h_{t-1} + b
    a_i, a_f, a_c, a_o = (wx + h @ U.T + b).chunk(4, dim=-1)
    # f_t = σ(W_f x_t + U_f h_{t-1} + b_f)
    f = torch.sigmoid(a_f)
    # i_t = σ(W_i x_t + U_i h_{t-1} + b_i)
    i = torch.sigmoid(a_i)
    # c̃_t = tanh(W_c x_t + U_c h_{t-1} + b_c)
    c_new = torch.tanh(a_c)
    # o_t = σ(W_o x_t + U_o h_{t-1} + b_o)
    o = torch.sigmoid(a_o)
    return Gates(f, i, c_new, o)


def lstm_update(
    gates: Gates, c: Float[Tensor, "*batch hidden"]
) -> tuple[Float[Tensor, "*batch hidden"], Float[Tensor, "*batch hidden"]]:
    """The new states ``(h, c)``: no weights, all entry by entry.

    Equations :eq:`eq-lstm-update` and :eq:`eq-lstm-hidden`.
    """
    f, i, c_new, o = gates
    # c_t = f_t ⊙ c_{t-1} + i_t ⊙ c̃_t
    c = f * c + i * c_new
    # h_t = o_t ⊙ tanh(c_t)
    h = o * torch.tanh(c)
    return h, c


def lstm_cell(
    wx: Float[Tensor, "*batch four_hidden"],
    h: Float[Tensor, "*batch hidden"],
    c: Float[Tensor, "*batch hidden"],
    U: Float[Tensor, "four_hidden hidden"],
    b: Float[Tensor, " four_hidden"],
) -> tuple[Float[Tensor, "*batch hidden"], Float[Tensor, "*batch hidden"]]:
    """One step: the states ``(h, c)`` after reading ``wx``."""
    return lstm_update(lstm_gates(wx, h, U, b), c)


class LSTMLayer(RecurrentLayer):
    """The weights of one layer: ``W (4H, D)``, ``U (4H, H)``, ``b (4H,)``."""

    blocks = 4

    def forward(
        self,
        x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"],
        h_0: Float[Tensor, "batch hidden"],
        c_0: Float[Tensor, "batch hidden"],
        lengths: Int[Tensor, " batch"] | None = None,
        edit: Callable[[int, Gates], Gates] | None = None,
    ) -> tuple[
        Float[Tensor, "batch time hidden"], Float[Tensor, "batch time hidden"]
    ]:
        """Both states after every step."""
        count = itertools.count()

        def step(wx: Tensor, both: Tensor) -> Tensor:
            h, c = both.chunk(2, dim=-1)  # (B, H) each
            gates = lstm_gates(wx, h, self.U, self.b)
            if edit is not None:
                gates = edit(next(count), gates)
            return torch.cat(lstm_update(gates, c), dim=-1)  # (B, 2H)

        # one state of size 2H is carried along: h and c side by side
        start = torch.cat([h_0, c_0], dim=-1)
        states, cells = scan(step, self.read(x), start, lengths).states.chunk(
            2, dim=-1
        )
        return states, cells


class LSTM(RecurrentStack[LSTMLayer]):
    """One or more layers of LSTM cells, equal to ``torch.nn.LSTM``.

    Layer 0 reads the input, each further layer the hidden states of the one
    below.  All weights start uniform in :math:`\\pm 1/\\sqrt{H}`, as in
    PyTorch (which has two biases and adds them; here there is one).

    Raises ``ValueError`` if a size is not a positive integer.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        sizes = [input_size] + [hidden_size] * (check_layers(num_layers) - 1)
        super().__init__(
            LSTMLayer(D, hidden_size, dtype=dtype, device=device)
            for D in sizes
        )

    @torch.no_grad()
    def set_gate_biases(
        self,
        *,
        forget: float | None = None,
        input: float | None = None,
        output: float | None = None,
    ) -> Self:
        """Set the biases of whole gates, in every layer; return the network.

        A large positive bias opens a gate, a large negative one shuts it.
        Gates that are not named keep their biases.
        """
        for layer in self.stack:
            b_i, b_f, _, b_o = layer.b.chunk(4)
            for bias, value in ((b_i, input), (b_f, forget), (b_o, output)):
                if value is not None:
                    bias.fill_(value)
        return self

    def forward(
        self,
        x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"],
        h_0: Float[Tensor, "*layers batch hidden"] | None = None,
        c_0: Float[Tensor, "*layers batch hidden"] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
        edit: Edit | None = None,
    ) -> LSTMOutput:
        """Run all layers over every step.

        Shapes: ``x (B, T, D)`` of the weights' dtype, or ids ``(B, T)``;
        ``h_0`` and ``c_0 (L, B, H)``, zero if absent, with one layer also
        ``(B, H)``; ``lengths (B,)``, integers from 1 to ``T``.

        ``edit(layer, t, gates)``, if given, returns the gates to be used in
        place of those computed, for experiments: layers and steps count from
        0, and every gate is ``(B, H)``.

        Raises ``ValueError`` for a wrong shape, a wrong size or a length out
        of range, ``TypeError`` for a wrong dtype; the message names the
        argument, what was expected and what came.
        """
        runs = self._run(x, h_0, c_0, lengths, edit)
        return LSTMOutput(
            runs[-1].states,
            runs[-1].cells,
            # frozen past the end: the last column is the last real step
            torch.stack([run.states[:, -1] for run in runs]),
            torch.stack([run.cells[:, -1] for run in runs]),
        )

    def gates(
        self,
        x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"],
        h_0: Float[Tensor, "*layers batch hidden"] | None = None,
        c_0: Float[Tensor, "*layers batch hidden"] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Gates, ...]:
        """The gates of every layer at every step, each ``(B, T, H)``.

        Arguments and errors are those of ``forward``.  On padding they are
        computed too, and nothing uses them.
        """
        watched = []
        runs = self._run(x, h_0, c_0, lengths)
        for layer, run in zip(self.stack, runs, strict=True):
            # h_{t-1} of every step is known now, so no loop is needed
            before = states_before(run.states, run.h_0)
            wx = layer.read(run.below)
            watched.append(lstm_gates(wx, before, layer.U, layer.b))
        return tuple(watched)

    def _run(
        self,
        x: Tensor,
        h_0: Tensor | None,
        c_0: Tensor | None,
        lengths: Tensor | None,
        edit: Edit | None = None,
    ) -> list[_Run]:
        """All layers, from the input upwards."""
        below, runs = self.checked(x, lengths), []
        starts = (
            self.start("h_0", h_0, len(x)),
            self.start("c_0", c_0, len(x)),
        )
        for k, (layer, h, c) in enumerate(
            zip(self.stack, *starts, strict=True)
        ):
            of_layer = None if edit is None else partial(edit, k)
            states, cells = layer(below, h, c, lengths, of_layer)
            runs.append(_Run(below, h, states, cells))
            below = states
        return runs

    @classmethod
    def from_torch(cls, reference: nn.LSTM) -> LSTM:
        """Copy the weights of a ``torch.nn.LSTM`` of any number of layers.

        PyTorch keeps two biases, one beside each matrix; only their sum acts.

        Raises ``ValueError`` for a network with two directions, without
        biases, with dropout or with a projection, and ``TypeError`` for
        another kind of network.
        """
        check_reference(
            "LSTM",
            reference,
            nn.LSTM,
            bidirectional=False,
            bias=True,
            dropout=0.0,
            proj_size=0,
        )
        ours = cls(
            reference.input_size,
            reference.hidden_size,
            reference.num_layers,
            **like(reference),
        )
        return ours.copy_from(reference)


class _Run(NamedTuple):
    """What one layer read, where it began, and both its states."""

    below: Tensor
    h_0: Tensor
    states: Tensor
    cells: Tensor
