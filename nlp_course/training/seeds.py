"""Where randomness comes from: named, and never left switched on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_STRIDE = 1000


def seeds_from(seed: int, count: int) -> list[int]:
    """``count`` seeds for an experiment, from one that the reader chose.

    Different choices give seeds without overlap (up to 1000 of them), so
    that running a chapter with another seed is a new, independent trial.

    Raises ``ValueError`` for a negative seed or a count outside 1 to 1000.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be a whole number from 0, not {seed!r}")
    if not 1 <= count <= _STRIDE:
        raise ValueError(f"count must be from 1 to {_STRIDE}, not {count}")
    return [seed * _STRIDE + k for k in range(count)]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch inside the ``with`` block, and restore it afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def generator(seed: int) -> torch.Generator:
    """A random generator of its own, for drawing data."""
    return torch.Generator().manual_seed(seed)
