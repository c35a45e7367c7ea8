"""The gated recurrent unit (chapter 06, ``06_gru``).

A recurrent cell with two gates.  The update gate ``z`` mixes the old state
with a candidate; the reset gate ``r`` acts inside the candidate:

.. math::

   z_t &= \\sigma(W_z x_t + U_z h_{t-1} + b_z) \\\\
   r_t &= \\sigma(W_r x_t + U_r h_{t-1} + b_r) \\\\
   \\tilde h_t &= \\tanh(W_n x_t + b_n + r_t \\odot (U_n h_{t-1} + b_U)) \\\\
   h_t &= z_t \\odot h_{t-1} + (1 - z_t) \\odot \\tilde h_t

The rows of ``W`` and ``U`` are stacked in PyTorch's order: reset, update,
candidate ("new").

Source: Cho et al., *Learning Phrase Representations using RNN
Encoder-Decoder for Statistical Machine Translation*, EMNLP 2014, equations
5 to 8 (``reset="before"``); its first version, arXiv:1406.1078v1, has the
candidate above (``reset="after"``), and so has ``torch.nn.GRU``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, Self

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

Reset = Literal["after", "before"]


class Gates(NamedTuple):
    """The two gates, each ``(B, H)``."""

    z: Float[Tensor, "*batch hidden"]  # update gate
    r: Float[Tensor, "*batch hidden"]  # reset gate


# called with the number of the layer, the step (both from 0) and its gates
Edit = Callable[[int, int, Gates], Gates]


class GRUOutput(NamedTuple):
    """What the network returns.

    ``states (B, T, H)`` are those of the top layer; past the end of a
    shorter sequence they are frozen.  ``h_n (L, B, H)`` are the states of
    every layer after the last real step of each sequence.
    """

    states: Float[Tensor, "batch time hidden"]
    h_n: Float[Tensor, "layers batch hidden"]

    @property
    def last(self) -> Float[Tensor, "batch hidden"]:
        """The last hidden state of the uppermost layer."""
        return self.h_n[..., -1, :, :]


class GRUStep(NamedTuple):
    """Everything that a step computes; all fields have one shape."""

    z: Float[Tensor, "*batch hidden"]
    r: Float[Tensor, "*batch hidden"]
    candidate: Float[Tensor, "*batch hidden"]
    h: Float[Tensor, "*batch hidden"]


def gru_cell(
    wx: Float[Tensor, "*batch three_hidden"],
    h: Float[Tensor, "*batch hidden"],
    U: Float[Tensor, "three_hidden hidden"],
    b_U: Float[Tensor, " hidden"] | None = None,
    edit: Callable[[Gates], Gates] | None = None,
) -> GRUStep:
    """One step: :eq:`eq-gru-update` to :eq:`eq-gru-state`.

    ``wx`` is :math:`W x_t + b` for reset, update and candidate side by side
    ``(B, 3H)``.  ``b_U (H,)`` is the bias beside :math:`U_n`; without it the
    reset gate acts before :math:`U_n`, :eq:`eq-gru-before`.  ``edit`` gets
    the gates and returns those to be used in their place.
    """
    x_r, x_z, x_n = wx.chunk(3, dim=-1)
    u_r, u_z, u_n = (h @ U.T).chunk(3, dim=-1)  # U h_{t-1}
    # z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
    z = torch.sigmoid(x_z + u_z)
    # r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
    r = torch.sigmoid(x_r + u_r)
    if edit is not None:
        z, r = edit(Gates(z, r))
    # r_t ⊙ (U_n h_{t-1} + b_U), or U_n (r_t ⊙ h_{t-1})
    past = (r * h) @ U.chunk(3)[2].T if b_U is None else r * (u_n + b_U)
    # h̃_t = tanh(W_n x_t + b_n + what the reset gate lets pass)
    candidate = torch.tanh(x_n + past)
    # h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ h̃_t
    new = z * h + (1 - z) * candidate
    return GRUStep(z, r, candidate, new)


def clamp_gates(z: float | None = None, r: float | None = None) -> Edit:
    """An ``edit`` that holds a gate at one value; ``None`` leaves it alone."""

    def edit(_layer: int, _t: int, gates: Gates) -> Gates:
        return Gates(
            gates.z if z is None else torch.full_like(gates.z, z),
            gates.r if r is None else torch.full_like(gates.r, r),
        )

    return edit


class GRULayer(RecurrentLayer):
    """The weights of one layer: ``W (3H, D)``, ``U (3H, H)``, ``b (3H,)``.

    The rows of reset, update and candidate stand one below the other.
    ``b_U (H,)`` is the bias beside the candidate's ``U``: it stands inside
    the product with the reset gate and can therefore not be added to ``b``;
    with ``reset="before"`` there is none.
    """

    blocks = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        reset: Reset = "after",
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, dtype=dtype, device=device)
        bound = 1 / math.sqrt(hidden_size)
        self.b_U = (
            nn.Parameter(self.U.new_empty(hidden_size).uniform_(-bound, bound))
            if reset == "after"
            else None
        )

    def read(
        self, x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time three_hidden"]:
        """:math:`W x_t + b` for all steps at once; ids pick columns of W."""
        return super().read(x) + self.b  # (B, T, 3H)

    def forward(
        self,
        x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"],
        h_0: Float[Tensor, "batch hidden"],
        lengths: Int[Tensor, " batch"] | None = None,
        edit: Callable[[int, Gates], Gates] | None = None,
    ) -> Float[Tensor, "batch time hidden"]:
        """The state after every step."""
        count = itertools.count()

        def step(wx: Tensor, h: Tensor) -> Tensor:
            now = None if edit is None else partial(edit, next(count))
            return gru_cell(wx, h, self.U, self.b_U, now).h

        return scan(step, self.read(x), h_0, lengths).states

    @torch.no_grad()
    def copy_from(self, reference: nn.RNNBase, layer: int = 0) -> None:
        """Take the weights of one layer of PyTorch's network.

        Its two biases a gate can be added up, but with ``reset="after"`` not
        those of the candidate.
        """
        super().copy_from(reference, layer)
        if self.b_U is not None:
            theirs = dict(reference.named_parameters())
            new = theirs[f"bias_ih_l{layer}"].chunk(3)[2]
            self.b.chunk(3)[2].copy_(new)
            self.b_U.copy_(theirs[f"bias_hh_l{layer}"].chunk(3)[2])


class GRU(RecurrentStack[GRULayer]):
    """One or more layers of gated recurrent units, like ``torch.nn.GRU``.

    Layer 0 reads the input, each further layer the hidden states of the one
    below.  All weights start uniform in :math:`\\pm 1/\\sqrt{H}`, as in
    PyTorch.  ``reset`` says where the reset gate acts: "after" the product
    with :math:`U_n`, as in PyTorch, or "before" it, as in the paper.

    Raises ``ValueError`` if a size is not a positive integer, or ``reset``
    is neither "after" nor "before".
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        reset: Reset = "after",
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        if reset not in ("after", "before"):
            raise ValueError(
                'reset must be "after" (r ⊙ (U h)) or "before" (U (r ⊙ h)), '
                f"not {reset!r}"
            )
        sizes = [input_size] + [hidden_size] * (check_layers(num_layers) - 1)
        super().__init__(
            GRULayer(D, hidden_size, reset, dtype=dtype, device=device)
            for D in sizes
        )

    @torch.no_grad()
    def set_gate_biases(
        self, *, update: float | None = None, reset: float | None = None
    ) -> Self:
        """Set the biases of whole gates, in every layer; return the network.

        A large positive bias of the update gate keeps the state.  Gates that
        are not named keep their biases.
        """
        for layer in self.stack:
            b_r, b_z, _ = layer.b.chunk(3)
            for bias, value in ((b_z, update), (b_r, reset)):
                if value is not None:
                    bias.fill_(value)
        return self

    def forward(
        self,
        x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"],
        h_0: Float[Tensor, "*layers batch hidden"] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
        edit: Edit | None = None,
    ) -> GRUOutput:
        """Run the cell over every step, layer upon layer.

        Shapes: ``x (B, T, D)`` of the weights' dtype, or ids ``(B, T)``;
        ``h_0 (L, B, H)``, zero if absent, with one layer also ``(B, H)``;
        ``lengths (B,)``, integers from 1 to ``T``.

        ``edit(layer, t, gates)``, if given, returns the gates to be used in
        place of those computed, for experiments: layers and steps count from
        0, and both gates are ``(B, H)``.

        Raises ``ValueError`` for a wrong shape, a wrong size or a length out
        of range, ``TypeError`` for a wrong dtype; the message names the
        argument, what was expected and what came.
        """
        runs = self._run(x, h_0, lengths, edit)
        # frozen past the end: the last column is the last real step
        h_n = torch.stack([run.states[:, -1] for run in runs])
        return GRUOutput(runs[-1].states, h_n)

    def gates(
        self,
        x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"],
        h_0: Float[Tensor, "*layers batch hidden"] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[GRUStep, ...]:
        """Gates, candidates and states of every layer, each ``(B, T, H)``.

        Arguments and errors are those of ``forward``.  On padding only the
        state has a meaning: it is frozen.
        """
        watched = []
        runs = self._run(x, h_0, lengths)
        for layer, run in zip(self.stack, runs, strict=True):
            # h_{t-1} of every step is known now, so no loop is needed
            before = states_before(run.states, run.h_0)
            step = gru_cell(layer.read(run.below), before, layer.U, layer.b_U)
            watched.append(step._replace(h=run.states))
        return tuple(watched)

    def _run(
        self,
        x: Tensor,
        h_0: Tensor | None,
        lengths: Tensor | None,
        edit: Edit | None = None,
    ) -> list[_Run]:
        """All layers, from the input upwards."""
        below, runs = self.checked(x, lengths), []
        starts = self.start("h_0", h_0, len(x))
        for k, (layer, start) in enumerate(
            zip(self.stack, starts, strict=True)
        ):
            of_layer = None if edit is None else partial(edit, k)
            states = layer(below, start, lengths, of_layer)
            runs.append(_Run(below, start, states))
            below = states
        return runs

    @classmethod
    def from_torch(cls, reference: nn.GRU, reset: Reset = "after") -> GRU:
        """Copy the weights of a ``torch.nn.GRU``.

        PyTorch keeps two biases a gate; only their sum acts in ``z`` and
        ``r``.  With ``reset="before"`` the same holds for the candidate, and
        the copy is *another function* of the same weights.

        Raises ``ValueError`` for a network with two directions, without
        biases or with dropout, ``TypeError`` for another kind of network.
        """
        check_reference(
            "GRU",
            reference,
            nn.GRU,
            bidirectional=False,
            bias=True,
            dropout=0.0,
        )
        ours = cls(
            reference.input_size,
            reference.hidden_size,
            reference.num_layers,
            reset,
            **like(reference),
        )
        return ours.copy_from(reference)


class _Run(NamedTuple):
    """What one layer read, where it began, and its states."""

    below: Tensor
    h_0: Tensor
    states: Tensor
