"""The Hadamard product (chapter 04, ``04_hadamard_product``).

Two tensors of one shape, multiplied entry by entry:

.. math:: (A \\odot B)_{ij} = A_{ij} \\, B_{ij}

PyTorch's ``*`` does this too, but stretches ("broadcasts") tensors of
different shape until they fit.  The product here refuses them.

Source: Horn and Johnson, *Topics in Matrix Analysis* (1991), chapter 5.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from nlp_course.checks import check_tensor, shape_of


def hadamard(
    a: Shaped[Tensor, "*shape"], b: Shaped[Tensor, "*shape"]
) -> Shaped[Tensor, "*shape"]:
    """The product entry by entry, :eq:`eq-hadamard`.

    Any shape, as long as both have it: scalars ``()`` give a scalar, empty
    tensors an empty one.  Gradients reach both factors.

    Raises ``TypeError`` for what is no tensor and for different dtypes
    (nothing is promoted), ``ValueError`` for different shapes (nothing is
    broadcast) and for different devices.
    """
    _check_pair(a, b)
    # (A ⊙ B)_ij = A_ij B_ij
    return a * b


def gated(
    scores: Float[Tensor, "*shape"], content: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """A gate on a content: ``sigmoid(scores) ⊙ content``, :eq:`eq-gate`.

    ``scores`` is what a learned layer says before the sigmoid.  Raises as
    ``hadamard`` does.
    """
    check_tensor("scores", scores)
    # f = σ(a); y = f ⊙ v
    return hadamard(torch.sigmoid(scores), content)


def _check_pair(a: Tensor, b: Tensor) -> None:
    """Same shape, same dtype, same device."""
    check_tensor("a", a)
    check_tensor("b", b)
    if a.shape != b.shape:
        raise ValueError(
            f"the Hadamard product of shapes {shape_of(a)} and {shape_of(b)} "
            f"is not defined; {_hint(a, b)}"
        )
    if a.dtype != b.dtype:
        raise TypeError(
            f"the factors have dtypes {a.dtype} and {b.dtype}; convert one, "
            f"for example with b.to({a.dtype})"
        )
    if a.device != b.device:
        raise ValueError(
            f"the factors are on devices {a.device} and {b.device}; move "
            f"one, for example with b.to({str(a.device)!r})"
        )


def _hint(a: Tensor, b: Tensor) -> str:
    """What would have happened, and what was probably meant."""
    if a.numel() == b.numel():
        return (
            "they have equally many entries: give both one shape first, "
            f"for example with b.reshape({shape_of(a)})"
        )
    try:
        shape = tuple(torch.broadcast_shapes(a.shape, b.shape))
    except RuntimeError:
        return "no entry of one belongs to an entry of the other"
    return (
        f"'*' would broadcast them to {shape}; if that is meant, say so "
        f"with .expand({shape})"
    )
