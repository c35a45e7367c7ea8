"""What the recurrent networks of chapters 01, 05 and 06 have in common.

A *layer* holds the weights of one network along time: ``W`` reads the input,
``U`` the state before, ``b`` is the bias.  A *stack* puts layers upon one
another: layer 0 reads the input, each further layer the hidden states of the
one below.

Shapes: ``B`` sequences, ``T`` steps, ``D`` input features (or the size of
the vocabulary), ``H`` hidden units, ``L`` layers, ``k`` learned blocks (1 in
a simple network, 4 in an LSTM, 3 in a GRU).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar, Generic, Self, TypedDict, TypeVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from nlp_course.checks import (
    check_dtype,
    check_inputs,
    check_lengths,
    check_positive,
    check_tensor,
    shape_of,
)


class RecurrentLayer(nn.Module):
    """The weights of one layer: ``W (kH, D)``, ``U (kH, H)``, ``b (kH,)``.

    All start uniform in :math:`\\pm 1/\\sqrt{H}`, as in PyTorch.

    Raises ``ValueError`` if a size is not a positive integer.
    """

    blocks: ClassVar[int] = 1  # k, one below the other in W, U and b

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
        D, H, rows = input_size, hidden_size, self.blocks * hidden_size
        self.W, self.U, self.b = (
            nn.Parameter(torch.empty(shape, dtype=dtype, device=device))
            for shape in ((rows, D), (rows, H), (rows,))
        )
        self.reset_parameters()

    @property
    def input_size(self) -> int:
        """Number of input features ``D`` (or words in the vocabulary)."""
        return self.W.shape[1]

    @property
    def hidden_size(self) -> int:
        """Number of hidden units ``H``."""
        return self.U.shape[1]

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
    ) -> Float[Tensor, "batch time blocks_hidden"]:
        """:math:`W x_t` for all steps at once, ``(B, T, kH)``.

        Integer ids ``(B, T)`` stand for one-hot vectors: the product with a
        one-hot vector picks a column of ``W``, :eq:`eq-embedding`.
        """
        if x.is_floating_point():
            return x @ self.W.T
        return F.embedding(x, self.W.T)

    @torch.no_grad()
    def copy_from(self, reference: nn.RNNBase, layer: int = 0) -> None:
        """Take the weights of one layer of PyTorch's network.

        PyTorch keeps two biases, one beside each matrix; only their sum acts
        here.
        """
        theirs = dict(reference.named_parameters())
        self.W.copy_(theirs[f"weight_ih_l{layer}"])
        self.U.copy_(theirs[f"weight_hh_l{layer}"])
        biases = theirs[f"bias_ih_l{layer}"], theirs[f"bias_hh_l{layer}"]
        self.b.copy_(biases[0] + biases[1])


Layer = TypeVar("Layer", bound=RecurrentLayer)


class RecurrentStack(nn.Module, Generic[Layer]):
    """Layers upon one another, and the checks of what they are given."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    @property
    def stack(self) -> list[Layer]:
        """The layers, from the input upwards."""
        return [cast(Layer, layer) for layer in self.layers]

    @property
    def input_size(self) -> int:
        """Number of input features ``D`` (or words in the vocabulary)."""
        return self.stack[0].input_size

    @property
    def hidden_size(self) -> int:
        """Number of hidden units ``H``."""
        return self.stack[0].hidden_size

    def reset_parameters(self) -> None:
        """Draw all weights anew from U(-1/sqrt(H), 1/sqrt(H))."""
        for layer in self.stack:
            layer.reset_parameters()

    def copy_from(self, reference: nn.RNNBase) -> Self:
        """Take the weights of all layers of PyTorch's network; return ours."""
        for k, layer in enumerate(self.stack):
            layer.copy_from(reference, k)
        return self

    def start(
        self, name: str, state: Tensor | None, batch: int
    ) -> Float[Tensor, "layers batch hidden"]:
        """The checked states before the first step; zeros if there are none.

        One layer also takes ``(B, H)``.
        """
        weight = self.stack[0].W
        wanted = (len(self.layers), batch, self.hidden_size)
        if state is None:
            return weight.new_zeros(wanted)
        check_tensor(name, state)
        given = state
        if len(self.layers) == 1 and state.dim() == 2:
            given = state.unsqueeze(0)
        if tuple(given.shape) != wanted:
            raise ValueError(
                f"{name} must have shape {wanted} = (layers, batch, hidden), "
                f"not {shape_of(state)}"
            )
        check_dtype(name, given, weight.dtype)
        return given

    def checked(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """The input, checked, without what stands on padding."""
        return checked_inputs(self.stack[0], x, lengths)


def checked_inputs(
    layer: RecurrentLayer, x: Tensor, lengths: Tensor | None
) -> Tensor:
    """The input of a layer, checked, without what stands on padding."""
    check_inputs(x, layer.input_size, layer.W.dtype)
    if lengths is None:
        return x
    check_lengths(lengths, batch=x.shape[0], time=x.shape[1])
    return clear_padding(x, lengths)


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


def states_before(
    states: Float[Tensor, "batch time hidden"],
    h_0: Float[Tensor, "batch hidden"],
) -> Float[Tensor, "batch time hidden"]:
    """:math:`h_{t-1}` for every step, from the states after each."""
    return torch.cat([h_0.unsqueeze(1), states[:, :-1]], dim=1)


def check_layers(num_layers: int) -> int:
    """The number of layers; ``ValueError`` unless a positive integer."""
    check_positive(num_layers=num_layers)
    return num_layers


def check_reference(
    name: str, reference: nn.Module, kind: type[nn.RNNBase], **wanted: object
) -> None:
    """Whether ``name.from_torch`` can copy a network of PyTorch's.

    ``TypeError`` unless it is of this kind, ``ValueError`` unless it has
    every option that is ``wanted``.
    """
    if not isinstance(reference, kind):
        raise TypeError(
            f"{name}.from_torch copies a torch.nn.{kind.__name__}, "
            f"not {type(reference).__name__}"
        )
    for option, value in wanted.items():
        found = getattr(reference, option)
        if found != value:
            raise ValueError(
                f"{name}.from_torch copies a network with {option}={value!r}, "
                f"but this one has {option}={found!r}"
            )


class Kind(TypedDict):
    """What numbers the weights are, and where they lie."""

    dtype: torch.dtype
    device: torch.device


def like(reference: nn.RNNBase) -> Kind:
    """Dtype and device of PyTorch's network, to build ours with."""
    weight = next(reference.parameters())
    return {"dtype": weight.dtype, "device": weight.device}
