"""Checks of arguments, with messages that say what to do.

Every message names the argument, what was expected and what came, so that a
reader need not guess which of several tensors had the wrong shape.

A check that needs the *values* of a tensor (a length out of range, say) is
left out while the code runs under ``torch.func.vmap``, which forbids looking
at values, and for meta tensors, which have none; the shapes are checked all
the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def shape_of(tensor: Tensor) -> str:
    """A tensor's shape as a reader writes it: ``(2, 3)``."""
    return str(tuple(tensor.shape))


def check_tensor(name: str, value: Any) -> None:
    """``TypeError`` unless ``value`` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor, not {type(value).__name__}"
        )


def check_positive(**sizes: int) -> None:
    """``ValueError`` unless every size is an integer of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(
                f"{name} must be a positive integer, not {size!r}"
            )


def check_share(**shares: float) -> None:
    """``ValueError`` unless every share is a number from 0 to below 1."""
    for name, share in shares.items():
        number = isinstance(share, (int, float)) and not isinstance(
            share, bool
        )
        if not number or not 0 <= share < 1:
            raise ValueError(
                f"{name} must be a number from 0 to below 1, not {share!r}"
            )


def check_dtype(name: str, value: Tensor, dtype: torch.dtype) -> None:
    """``TypeError`` unless ``value`` has exactly this dtype."""
    if value.dtype != dtype:
        raise TypeError(
            f"{name} has dtype {value.dtype}, but the weights have {dtype}; "
            f"convert with {name}.to({dtype})"
        )


def check_ids(name: str, ids: Tensor, size: int) -> None:
    """``ValueError`` unless every id is in ``0 .. size-1``."""
    if ids.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name} must hold int64 ids, not {ids.dtype}")
    if ids.numel() == 0 or is_hidden(ids):
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= size:
        raise ValueError(
            f"{name} holds ids from {low} to {high}, but the vocabulary "
            f"has {size} entries (ids 0 to {size - 1})"
        )


def check_inputs(x: Tensor, size: int, dtype: torch.dtype) -> None:
    """A batch of sequences: ``(B, T, D)`` floats or ``(B, T)`` ids."""
    check_tensor("x", x)
    floats = x.is_floating_point()
    if x.dim() != (3 if floats else 2):
        raise ValueError(
            "x must have shape (batch, time, features), or (batch, time) "
            f"if it holds integer ids; got {x.dtype} of shape {shape_of(x)}"
        )
    if 0 in x.shape:
        raise ValueError(
            f"x is empty: shape {shape_of(x)}; a recurrent network needs at "
            "least one sequence of at least one step"
        )
    if not floats:
        check_ids("x", x, size)
        return
    check_dtype("x", x, dtype)
    if x.shape[2] != size:
        raise ValueError(
            f"x has {x.shape[2]} features per step (shape {shape_of(x)}), "
            f"but the network was built for input_size={size}"
        )


def check_state(
    name: str, state: Tensor, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    """A state ``(B, H)`` that fits the batch and the weights."""
    check_tensor(name, state)
    if tuple(state.shape) != shape:
        raise ValueError(
            f"{name} must have shape {shape} = (batch, hidden), "
            f"not {shape_of(state)}"
        )
    check_dtype(name, state, dtype)


def check_lengths(lengths: Tensor, *, batch: int, time: int) -> None:
    """Lengths ``(B,)``: integers from 1 to the padded length ``T``."""
    check_tensor("lengths", lengths)
    if lengths.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"lengths must be integers, not {lengths.dtype}")
    if tuple(lengths.shape) != (batch,):
        raise ValueError(
            f"lengths must have shape ({batch},), one for each sequence, "
            f"not {shape_of(lengths)}"
        )
    if lengths.numel() == 0 or is_hidden(lengths):
        return
    low, high = int(lengths.min()), int(lengths.max())
    if low < 1 or high > time:
        raise ValueError(
            f"lengths run from {low} to {high}, but must lie between 1 and "
            f"the padded length {time}"
        )


def is_hidden(tensor: Tensor) -> bool:
    """Whether the values may not be looked at, or there are none."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        if functorch.is_batchedtensor(tensor):
            return True
        tensor = functorch.get_unwrapped(tensor)  # vmap around grad
    return tensor.is_meta
