"""Products of Jacobian matrices over time.

How much a state depends on an earlier one is a product with one Jacobian
matrix for each step between them.

Source: Pascanu, Mikolov and Bengio, *On the Difficulty of Training Recurrent
Neural Networks*, ICML 2013, section 2.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nlp_course.checks import check_dtype, check_tensor, shape_of


def state_jacobian(
    h: Float[Tensor, "*steps H"], U: Float[Tensor, "H H"]
) -> Float[Tensor, "*steps H H"]:
    """:math:`\\partial h_t / \\partial h_{t-1}`, :eq:`eq-state-jacobian`.

    ``h (..., H)`` are states *after* a tanh step, ``U (H, H)`` is the
    matrix between states.

    Raises ``ValueError`` for shapes that do not fit, ``TypeError`` for
    another dtype than that of ``U``.
    """
    check_tensor("h", h)
    check_tensor("U", U)
    if U.dim() != 2 or U.shape[0] != U.shape[1]:
        raise ValueError(f"U must be square, (H, H), not {shape_of(U)}")
    if h.dim() == 0 or h.shape[-1] != U.shape[0]:
        raise ValueError(
            f"h must have {U.shape[0]} entries a state, as U {shape_of(U)} "
            f"does; its shape is {shape_of(h)}"
        )
    check_dtype("h", h, U.dtype)
    return (1 - h**2).unsqueeze(-1) * U  # diag(1 - h_t^2) U


def jacobian_product_norms(
    jacobians: Float[Tensor, "T H H"],
) -> Float[Tensor, " T"]:
    """Logarithms of :math:`\\lVert J_t \\cdots J_1 \\rVert` for all t.

    ``jacobians[t]`` is the Jacobian of step ``t + 1``; the norm is the
    spectral one, the most that a change of the first state can be
    stretched.  Logarithms are natural, and the product is rescaled at every
    step, so that thousands of steps neither overflow nor become zero.

    Raises ``ValueError`` unless there is at least one square matrix.
    """
    check_tensor("jacobians", jacobians)
    square = jacobians.dim() == 3 and jacobians.shape[1] == jacobians.shape[2]
    if not square or 0 in jacobians.shape:
        raise ValueError(
            "jacobians must have shape (T, H, H) with T and H at least 1, "
            f"not {shape_of(jacobians)}"
        )
    H = jacobians.shape[1]
    product = torch.eye(H, dtype=jacobians.dtype, device=jacobians.device)
    total = jacobians.new_zeros(())
    logs = []
    for J in jacobians:
        product = J @ product  # the later step stands on the left
        norm = torch.linalg.matrix_norm(product, 2)
        total = total + norm.log()
        product = product / norm.clamp(min=torch.finfo(norm.dtype).tiny)
        logs.append(total)
    return torch.stack(logs)


def growth_rate(log_norms: Float[Tensor, " T"]) -> float:
    """Slope of the second half of a curve of logarithms, for each step.

    The first half is left out because a product takes a while to turn to
    its fastest-growing direction.  Least squares; ``-inf`` if the product
    became exactly zero.

    Raises ``ValueError`` for fewer than four steps.
    """
    check_tensor("log_norms", log_norms)
    if log_norms.dim() != 1 or len(log_norms) < 4:
        raise ValueError(
            "log_norms must have shape (T,) with at least 4 steps, not "
            f"{shape_of(log_norms)}"
        )
    y = log_norms[len(log_norms) // 2 :].double()
    if torch.isneginf(y[-1]):
        return -torch.inf
    t = torch.arange(len(y), dtype=torch.float64)
    t = t - t.mean()
    return float((t * (y - y.mean())).sum() / (t * t).sum())
