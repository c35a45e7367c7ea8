"""Where a word stands, as a vector (chapter 10, ``10_self_attention``).

Self-attention cannot tell the order of words.  A vector for the position is
therefore added to the vector of each word, either computed from sines and
cosines, :eq:`eq-positions-sinusoidal`, or learned like a word's embedding.

Shapes: ``T`` positions, counted from 0; ``D`` features.

Source: Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, section
3.5.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nlp_course.checks import (
    check_dtype,
    check_positive,
    check_tensor,
    shape_of,
)

BASE = 10_000.0  # the longest wave is 2π times this


def frequencies(
    width: int, base: float = BASE, **options: Any
) -> Float[Tensor, " pairs"]:
    """The angular frequencies ω_j, one for each pair of features, (D/2,).

    Raises ``ValueError`` unless ``width`` is a positive even number.
    """
    check_positive(width=width)
    if width % 2:
        raise ValueError(
            f"width must be even, a sine and a cosine for each frequency, "
            f"not {width}"
        )
    pair = torch.arange(width // 2, **options)
    return base ** (-2 * pair / width)


def sinusoidal_positions(
    length: int,
    width: int,
    *,
    start: int = 0,
    base: float = BASE,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, "length width"]:
    """Sines and cosines of every position, :eq:`eq-positions-sinusoidal`.

    Row ``t`` is the vector of position ``start + t``; feature ``2j`` is the
    sine and feature ``2j + 1`` the cosine of ``position · ω_j``.  There is no
    longest position.  The angles are computed in float64.

    Raises ``ValueError`` for an odd width, a length below 1 or a negative
    ``start``.
    """
    check_positive(length=length)
    _check_start(start)
    exact: dict[str, Any] = {"dtype": torch.float64, "device": device}
    position = torch.arange(start, start + length, **exact)
    angle = position[:, None] * frequencies(width, base, **exact)  # (T, D/2)
    pairs = torch.stack([angle.sin(), angle.cos()], dim=-1)  # (T, D/2, 2)
    return pairs.flatten(1).to(dtype or torch.get_default_dtype())


def shift_matrix(
    shift: int,
    width: int,
    *,
    base: float = BASE,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "width width"]:
    """The rotation ``R`` that moves every position by ``shift``.

    ``R @ PE(t)`` is ``PE(t + shift)`` for every ``t``,
    :eq:`eq-positions-shift`: each pair of features is turned by
    ``shift · ω_j``, whatever ``t`` is.
    """
    angle = shift * frequencies(width, base, dtype=torch.float64)
    cos, sin = angle.cos(), angle.sin()
    blocks = [
        torch.stack([torch.stack([c, s]), torch.stack([-s, c])])
        for c, s in zip(cos, sin, strict=True)
    ]
    matrix: Tensor = torch.block_diag(*blocks)
    return matrix.to(dtype or torch.get_default_dtype())


class SinusoidalPositions(nn.Module):
    """Adds :eq:`eq-positions-sinusoidal` to the vectors of the words.

    Nothing is learned.  Raises ``ValueError`` for an odd ``width``.
    """

    def __init__(self, width: int, base: float = BASE) -> None:
        super().__init__()
        frequencies(width, base)  # complains about an odd width
        self.width, self.base = width, base

    def forward(
        self, x: Float[Tensor, "*batch time width"], start: int = 0
    ) -> Float[Tensor, "*batch time width"]:
        """``x`` plus a vector for each position, from ``start`` on."""
        _check_words(x, self.width)
        table = sinusoidal_positions(
            x.shape[-2],
            self.width,
            start=start,
            base=self.base,
            dtype=x.dtype,
            device=x.device,
        )
        return x + table


class LearnedPositions(nn.Module):
    """Adds a learned vector ``P[t]`` for each position, one row of a table.

    ``longest`` is the number of rows: of a longer sequence nothing has been
    learned, and it is refused.  The rows start normally distributed with
    deviation ``std``.
    """

    def __init__(
        self, width: int, longest: int, std: float = 0.1, **options: Any
    ) -> None:
        super().__init__()
        check_positive(width=width, longest=longest)
        P = torch.randn(longest, width, **options).mul_(std)
        self.P = nn.Parameter(P)

    def forward(
        self, x: Float[Tensor, "*batch time width"], start: int = 0
    ) -> Float[Tensor, "*batch time width"]:
        """``x`` plus a vector for each position, from ``start`` on.

        Raises ``ValueError`` if that leads beyond the table.
        """
        longest, width = self.P.shape
        _check_words(x, width)
        check_dtype("x", x, self.P.dtype)
        _check_start(start)
        end = start + x.shape[-2]
        if end > longest:
            raise ValueError(
                f"the table has learned positions 0 to {longest - 1}, but "
                f"the sequence reaches position {end - 1}; build it with "
                f"longest={end} or more"
            )
        return x + self.P[start:end]


def _check_start(start: int) -> None:
    if isinstance(start, bool) or not isinstance(start, int) or start < 0:
        raise ValueError(f"start must be a whole number from 0, not {start!r}")


def _check_words(x: Tensor, width: int) -> None:
    check_tensor("x", x)
    if x.dim() < 2 or x.shape[-1] != width:
        raise ValueError(
            f"x must have shape (..., time, {width}), not {shape_of(x)}"
        )
    if x.shape[-2] == 0:
        raise ValueError(f"x is empty: shape {shape_of(x)} has no words")
