"""A chain of sigmoid neurons, one in each layer.

Layer ``d`` multiplies its input ``u_d`` by its weight ``w_d``:

.. math:: u_{d+1} = \\sigma(w_d u_d), \\qquad d = 1, \\dots, N

and the output is :math:`y = u_{N+1}`, with the loss :math:`(y - \\bar y)^2`.
The last axis counts the layers; axes before it are separate chains.

Source: the argument is that of Hochreiter, *Untersuchungen zu dynamischen
neuronalen Netzen* (1991), for one neuron a layer.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nlp_course.checks import check_dtype, check_tensor, shape_of


def sigmoid_slope(a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Derivative of the sigmoid, :eq:`eq-sigmoid-slope`; at most 1/4.

    Raises ``TypeError`` unless ``a`` is a tensor of floats.
    """
    check_tensor("a", a)
    if not a.is_floating_point():
        raise TypeError(f"a must hold floats, not {a.dtype}")
    # sigma(-a) = 1 - sigma(a), without loss of digits for large a
    return torch.sigmoid(a) * torch.sigmoid(-a)


def chain_inputs(
    w: Float[Tensor, "*chains N"], x: Float[Tensor, "*chains"]
) -> Float[Tensor, "*chains N+1"]:
    """Inputs of all layers and, last, the output, :eq:`eq-chain`.

    ``w (..., N)`` are the weights, ``x (...)`` the input of the first layer.

    Raises ``TypeError`` for other things than float tensors of one dtype,
    ``ValueError`` for shapes that do not fit or a chain without layers.
    """
    _check_chain(w, x=x)
    inputs = [x]
    for w_d in w.unbind(dim=-1):
        inputs.append(torch.sigmoid(w_d * inputs[-1]))
    return torch.stack(inputs, dim=-1)


def chain_gradients(
    w: Float[Tensor, "*chains N"],
    x: Float[Tensor, "*chains"],
    target: Float[Tensor, "*chains"],
) -> Float[Tensor, "*chains N"]:
    """Derivative of the loss with respect to every weight.

    :eq:`eq-chain-gradient`, from the last layer to the first.  Shapes:
    ``w (..., N)``, ``x`` and ``target (...)``; raises as ``chain_inputs``.
    """
    _check_chain(w, x=x, target=target)
    u = chain_inputs(w, x)  # (..., N+1)
    slope = sigmoid_slope(w * u[..., :-1])  # (..., N)
    upstream = 2 * (u[..., -1] - target)  # dL/dy
    gradients = []
    for d in reversed(range(w.shape[-1])):
        epsilon = upstream * slope[..., d]  # dL/d(w_d u_d)
        gradients.append(epsilon * u[..., d])
        upstream = epsilon * w[..., d]  # dL/du_d: the weight is a factor
    return torch.stack(gradients[::-1], dim=-1)


def chain_bound(
    w: Float[Tensor, "*chains N"],
    x: Float[Tensor, "*chains"],
    target: Float[Tensor, "*chains"],
) -> Float[Tensor, "*chains N"]:
    """What the gradients cannot exceed in size, :eq:`eq-chain-bound`.

    Every slope is replaced by 1/4, every factor by its absolute value.
    Shapes and errors as in ``chain_gradients``.
    """
    _check_chain(w, x=x, target=target)
    u = chain_inputs(w, x)
    bounds = []
    factor = 2 * (u[..., -1] - target).abs()
    for d in reversed(range(w.shape[-1])):
        factor = factor / 4
        bounds.append(factor * u[..., d].abs())
        factor = factor * w[..., d].abs()
    return torch.stack(bounds[::-1], dim=-1)


def _check_chain(w: Tensor, **others: Tensor) -> None:
    check_tensor("w", w)
    if not w.is_floating_point():
        raise TypeError(f"w must hold floats, not {w.dtype}")
    if w.dim() == 0 or w.shape[-1] == 0:
        raise ValueError(
            f"w has shape {shape_of(w)}; its last axis counts the layers, "
            "and a chain needs at least one"
        )
    for name, value in others.items():
        check_tensor(name, value)
        check_dtype(name, value, w.dtype)
        if value.shape != w.shape[:-1]:
            raise ValueError(
                f"{name} must have shape {tuple(w.shape[:-1])}, one number "
                f"for each chain, not {shape_of(value)}"
            )
