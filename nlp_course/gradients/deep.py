"""A deep network of equal layers, to try remedies on.

Without options it is :math:`h_d = \\varphi(W_d h_{d-1})`.  ``norm`` puts a
normalisation before the activation, ``residual`` adds the input of a layer
to its output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nlp_course.checks import check_positive, check_tensor, shape_of

Norm = Literal["layer", "batch"]
Activation = Callable[[Tensor], Tensor]

_AXIS = {"layer": -1, "batch": 0}  # over which mean and deviation are taken


class DeepNet(nn.Module):
    """``depth`` layers of ``width`` units, and a linear readout.

    Entries of a weight matrix start normal with standard deviation
    ``gain / sqrt(width)``.  ``norm`` is "layer" (every example by its own
    mean and deviation), "batch" (every unit by those of the batch) or None;
    ``residual`` makes a layer :math:`h + \\varphi(W h)`.

    Raises ``ValueError`` for a size below 1, a gain that is not positive or
    an unknown ``norm``.
    """

    def __init__(
        self,
        depth: int,
        width: int = 32,
        *,
        activation: Activation = torch.sigmoid,
        gain: float = 1.0,
        norm: Norm | None = None,
        residual: bool = False,
        outputs: int = 1,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_positive(depth=depth, width=width, outputs=outputs)
        if not gain > 0:
            raise ValueError(f"gain must be positive, not {gain}")
        if norm is not None and norm not in _AXIS:
            raise ValueError(f"norm must be one of {[*_AXIS]}, not {norm!r}")
        self.activation, self.norm, self.residual = activation, norm, residual
        self.layers = nn.ParameterList(
            torch.randn(width, width, dtype=dtype) * gain / width**0.5
            for _ in range(depth)
        )
        self.readout = nn.Linear(width, outputs, dtype=dtype)

    def forward(
        self, x: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch outputs"]:
        """Scores ``(B, outputs)`` of inputs ``(B, width)``."""
        check_tensor("x", x)
        width = self.readout.in_features
        if x.dim() != 2 or x.shape[1] != width or len(x) == 0:
            raise ValueError(
                f"x must have shape (B, {width}) with B at least 1, not "
                f"{shape_of(x)}"
            )
        h = x
        for W in self.layers:
            a = h @ W.T  # (B, width)
            if self.norm is not None:
                a = _normalise(a, _AXIS[self.norm])
            new = self.activation(a)
            h = h + new if self.residual else new
        scores: Tensor = self.readout(h)
        return scores


def _normalise(a: Tensor, axis: int) -> Tensor:
    """Mean 0 and variance 1 along an axis."""
    centred = a - a.mean(dim=axis, keepdim=True)
    variance = (centred**2).mean(dim=axis, keepdim=True)
    return centred / (variance + 1e-5).sqrt()


def gradient_by_layer(model: nn.Module) -> Float[Tensor, " layers"]:
    """Norm of the gradient of each weight matrix, from input to output.

    Biases are left out.  Raises ``ValueError`` if a matrix has no gradient
    (call ``backward`` first), or there is no matrix.
    """
    matrices = {n: p for n, p in model.named_parameters() if p.dim() == 2}
    if not matrices:
        raise ValueError("the network has no weight matrix")
    norms = []
    for name, weight in matrices.items():
        if weight.grad is None:
            raise ValueError(
                f"{name} has no gradient; call loss.backward() first"
            )
        norms.append(weight.grad.norm())
    return torch.stack(norms)
