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
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nlp_course.checks import (
    check_inputs,
    check_lengths,
    check_positive,
    check_state,
    check_tensor,
    shape_of,
)
from nlp_course.rnn import RNNOutput, clear_padding, scan

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
    shorter sequence they are frozen.  ``last`` is the state after the last
    real step: ``(B, H)``, or ``(layers, B, H)`` for several layers.
    """

    states: Float[Tensor, "batch time hidden"]
    last: Float[Tensor, "*layers batch hidden"]


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


class GRU(nn.Module):
    """A gated recurrent network, equal to ``torch.nn.GRU``.

    Parameters of the first layer: ``W (3H, D)``, ``U (3H, H)``, ``b (3H,)``,
    each with the rows of reset, update and candidate one below the other,
    and ``b_U (H,)``, the bias beside the candidate's ``U``.  It stands inside
    the product with the reset gate and can therefore not be added to ``b``;
    with ``reset="before"`` there is none.  All start uniform in
    :math:`\\pm 1/\\sqrt{H}`, as in PyTorch.  Further layers are a network of
    their own, ``above``, which reads the states of this one.

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
        super().__init__()
        check_positive(
            input_size=input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
        )
        if reset not in ("after", "before"):
            raise ValueError(
                'reset must be "after" (r ⊙ (U h)) or "before" (U (r ⊙ h)), '
                f"not {reset!r}"
            )
        D, H, self.reset = input_size, hidden_size, reset

        def weight(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape, dtype=dtype, device=device))

        self.W, self.U, self.b = (
            weight(3 * H, D),
            weight(3 * H, H),
            weight(3 * H),
        )
        self.b_U = weight(H) if reset == "after" else None
        self.reset_parameters()
        self.above = (
            GRU(H, H, num_layers - 1, reset, dtype=dtype, device=device)
            if num_layers > 1
            else None
        )

    @property
    def input_size(self) -> int:
        """Number of input features ``D`` (or words in the vocabulary)."""
        return self.W.shape[1]

    @property
    def hidden_size(self) -> int:
        """Number of hidden units ``H``."""
        return self.U.shape[1]

    @property
    def layers(self) -> tuple[GRU, ...]:
        """This layer and all above it, from the input upwards."""
        return (self, *(self.above.layers if self.above is not None else ()))

    def reset_parameters(self) -> None:
        """Draw all weights anew from U(-1/sqrt(H), 1/sqrt(H))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            nn.init.uniform_(weight, -bound, bound)

    @torch.no_grad()
    def set_gate_biases(
        self, *, update: float | None = None, reset: float | None = None
    ) -> Self:
        """Set the biases of whole gates, in every layer; return the network.

        A large positive bias of the update gate keeps the state.  Gates that
        are not named keep their biases.
        """
        for layer in self.layers:
            b_r, b_z, _ = layer.b.chunk(3)
            for bias, value in ((b_z, update), (b_r, reset)):
                if value is not None:
                    bias.fill_(value)
        return self

    def initial_state(
        self, batch: int
    ) -> Float[Tensor, "*layers batch hidden"]:
        """Zeros: ``(B, H)``, or ``(layers, B, H)`` for several layers."""
        shape = (len(self.layers), batch, self.hidden_size)
        return self.W.new_zeros(shape if self.above is not None else shape[1:])

    def read(
        self, x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time three_hidden"]:
        """:math:`W x_t + b` for all steps at once; ids pick columns of W."""
        if x.is_floating_point():
            return x @ self.W.T + self.b  # (B, T, 3H)
        return F.embedding(x, self.W.T) + self.b  # (B, T, 3H)

    def forward(
        self,
        x: Float[Tensor, "batch time input"] | Int[Tensor, "batch time"],
        h_0: Float[Tensor, "*layers batch hidden"] | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
        edit: Edit | None = None,
    ) -> GRUOutput:
        """Run the cell over every step, layer upon layer.

        Shapes: ``x (B, T, D)`` of the weights' dtype, or ids ``(B, T)``;
        ``h_0 (B, H)``, or ``(layers, B, H)`` for several layers, zero if
        absent; ``lengths (B,)``, integers from 1 to ``T``.

        ``edit(layer, t, gates)``, if given, returns the gates to be used in
        place of those computed, for experiments: layers and steps count from
        0, and both gates are ``(B, H)``.

        Raises ``ValueError`` for a wrong shape, a wrong size or a length out
        of range, ``TypeError`` for a wrong dtype; the message names the
        argument, what was expected and what came.
        """
        starts, x = self._checked(x, h_0, lengths)
        ends = []
        for k, (layer, start) in enumerate(
            zip(self.layers, starts, strict=True)
        ):
            of_layer = None if edit is None else partial(edit, k)
            x, end = _run(layer, x, start, lengths, of_layer)
            ends.append(end)
        return GRUOutput(x, end if self.above is None else torch.stack(ends))

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
        starts, x = self._checked(x, h_0, lengths)
        watched = []
        for layer, start in zip(self.layers, starts, strict=True):
            states = _run(layer, x, start, lengths).states
            # h_{t-1} of every step is known now, so no loop is needed
            before = torch.cat([start.unsqueeze(1), states[:, :-1]], dim=1)
            steps = gru_cell(layer.read(x), before, layer.U, layer.b_U)
            watched.append(steps._replace(h=states))
            x = states
        return tuple(watched)

    def _checked(
        self, x: Tensor, h_0: Tensor | None, lengths: Tensor | None
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """One start for each layer, and the input without its padding."""
        check_inputs(x, self.input_size, self.W.dtype)
        B, T = x.shape[:2]
        if h_0 is None:
            h_0 = self.initial_state(B)
        starts = _starts(h_0, layers=len(self.layers))
        for start in starts:
            check_state("h_0", start, (B, self.hidden_size), self.W.dtype)
        if lengths is not None:
            check_lengths(lengths, batch=B, time=T)
            x = clear_padding(x, lengths)
        return starts, x

    @classmethod
    def from_torch(cls, reference: nn.GRU, reset: Reset = "after") -> GRU:
        """Copy the weights of a ``torch.nn.GRU``.

        PyTorch keeps two biases a gate; only their sum acts in ``z`` and
        ``r``.  With ``reset="before"`` the same holds for the candidate, and
        the copy is *another function* of the same weights.

        Raises ``ValueError`` for a network with two directions, without
        biases or with dropout, ``TypeError`` for another kind of network.
        """
        _check_reference(reference)
        theirs = dict(reference.named_parameters())
        first = theirs["weight_ih_l0"]
        ours = cls(
            reference.input_size,
            reference.hidden_size,
            reference.num_layers,
            reset,
            dtype=first.dtype,
            device=first.device,
        )
        with torch.no_grad():
            for k, layer in enumerate(ours.layers):
                b, b_hidden = theirs[f"bias_ih_l{k}"], theirs[f"bias_hh_l{k}"]
                layer.W.copy_(theirs[f"weight_ih_l{k}"])
                layer.U.copy_(theirs[f"weight_hh_l{k}"])
                layer.b.copy_(b + b_hidden)
                if layer.b_U is not None:
                    layer.b.chunk(3)[2].copy_(b.chunk(3)[2])
                    layer.b_U.copy_(b_hidden.chunk(3)[2])
        return ours


def _run(
    layer: GRU,
    x: Tensor,
    start: Tensor,
    lengths: Tensor | None,
    edit: Callable[[int, Gates], Gates] | None = None,
) -> RNNOutput:
    """One layer over all steps, whatever stands above it."""
    count = itertools.count()

    def step(wx: Tensor, h: Tensor) -> Tensor:
        now = None if edit is None else partial(edit, next(count))
        return gru_cell(wx, h, layer.U, layer.b_U, now).h

    return scan(step, layer.read(x), start, lengths)


def _starts(h_0: Tensor, *, layers: int) -> tuple[Tensor, ...]:
    """``h_0`` layer by layer."""
    check_tensor("h_0", h_0)
    if layers == 1:
        return (h_0,)
    if h_0.dim() != 3 or h_0.shape[0] != layers:
        raise ValueError(
            f"h_0 of a network with {layers} layers must have shape "
            f"({layers}, batch, hidden), not {shape_of(h_0)}"
        )
    return h_0.unbind()


def _check_reference(reference: nn.GRU) -> None:
    if not isinstance(reference, nn.GRU):
        raise TypeError(
            "GRU.from_torch copies a torch.nn.GRU, "
            f"not {type(reference).__name__}"
        )
    wanted = {"bidirectional": False, "bias": True, "dropout": 0.0}
    for name, value in wanted.items():
        found = getattr(reference, name)
        if found != value:
            raise ValueError(
                f"GRU.from_torch copies a network with {name}={value!r}, "
                f"but this one has {name}={found!r}"
            )
