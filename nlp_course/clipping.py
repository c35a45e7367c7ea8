"""Gradient clipping (chapter 03, ``03_gradient_clipping``).

All gradients of a network are one long vector ``g``.  If it is longer than a
threshold, it is scaled down to the length of the threshold:

.. math:: g \\leftarrow \\min(1,\\; \\tau / \\lVert g \\rVert) \\; g

Sources: by norm, Pascanu, Mikolov and Bengio, *On the Difficulty of Training
Recurrent Neural Networks*, ICML (2013); by value, Mikolov, *Statistical
Language Models Based on Neural Networks*, thesis, Brno (2012).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nlp_course.checks import check_tensor


def clip_factor(
    norm: Float[Tensor, "*networks"], threshold: float
) -> Float[Tensor, "*networks"]:
    """What a gradient of this length is multiplied by, :eq:`eq-clip`.

    One factor for each norm, ``()`` or ``(S,)``.  A norm of zero gives the
    factor one.

    Raises ``ValueError`` unless ``threshold`` is positive; infinity is, and
    clips nothing.
    """
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, not {threshold}")
    # min(1, tau / ||g||)
    return (threshold / norm).clamp(max=1.0)


@torch.no_grad()
def gradient_norm(gradients: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Length of all gradients as one vector, :eq:`eq-clip-norm`.

    The tensors may have any shapes; the result has the widest of their
    dtypes, float32 at least.  Every gradient is divided by its largest entry
    before it is squared, so that the square of a large finite number is not
    infinite and the square of a small one not zero.

    Raises ``ValueError`` if there are no gradients.
    """
    if not gradients:
        raise ValueError("no gradients to measure")
    dtype = torch.float32
    for gradient in gradients:
        dtype = torch.promote_types(dtype, gradient.dtype)
    device = gradients[0].device
    lengths = [_length(g.to(dtype)).to(device) for g in gradients]
    return _length(torch.stack(lengths))


def _length(vector: Tensor) -> Tensor:
    """sqrt(sum of squares), without overflow or underflow."""
    if vector.numel() == 0:
        return vector.new_zeros(())
    largest = vector.abs().max()
    usual = largest.isfinite() & (largest > 0)
    scale = torch.where(usual, largest, 1.0)
    length: Tensor = scale * torch.linalg.vector_norm(vector / scale)
    return length


@torch.no_grad()
def clip_gradient_norm(
    parameters: Tensor | Iterable[Tensor], threshold: float
) -> Float[Tensor, ""]:
    """Scale the gradients down together; return their norm before.

    ``parameters`` is a tensor or any number of them, of any shape and dtype.
    Those without a gradient (frozen ones) are passed over; one that is named
    twice counts once.  A gradient of norm ``threshold`` or less is left as
    it is, zero included.  Equal to ``torch.nn.utils.clip_grad_norm_``, which
    divides by the norm plus 1e-6.

    Raises ``ValueError`` unless ``threshold`` is positive, if there are no
    parameters or none has a gradient, and if the norm is infinite or NaN:
    such a gradient has no direction to keep.  ``TypeError`` for anything but
    tensors.  Where it raises, no gradient has changed.
    """
    gradients = _gradients(parameters)
    norm = gradient_norm(gradients)
    factor = clip_factor(norm, threshold)
    if not norm.isfinite():
        raise ValueError(
            f"the norm of the gradients is {norm.item()}, so they cannot be "
            "scaled; they are left as they were"
        )
    for gradient in gradients:
        gradient.mul_(factor.to(gradient.device))
    return norm


@torch.no_grad()
def clip_gradient_value(
    parameters: Tensor | Iterable[Tensor], threshold: float
) -> None:
    """Cut every entry off at ``threshold`` and at minus it.

    This changes the direction of the gradient, :eq:`eq-clip-value`.  Equal
    to ``torch.nn.utils.clip_grad_value_`` on finite gradients; takes and
    refuses the same arguments as ``clip_gradient_norm``.
    """
    gradients = _gradients(parameters)
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, not {threshold}")
    if not all(g.isfinite().all() for g in gradients):
        raise ValueError(
            "a gradient holds inf or NaN; the gradients are left as they were"
        )
    for gradient in gradients:
        gradient.clamp_(-threshold, threshold)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """The gradients that are there, each of them once."""
    if isinstance(parameters, nn.Module):
        raise TypeError("give the parameters: network.parameters()")
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    distinct = {id(p): p for p in given}
    for place, parameter in enumerate(distinct.values()):
        check_tensor(f"parameters[{place}]", parameter)
    if not distinct:
        raise ValueError(
            "there are no parameters; a generator gives them only once"
        )
    found = [p.grad for p in distinct.values() if p.grad is not None]
    if not found:
        raise ValueError("no parameter has a gradient: call backward() first")
    return found
