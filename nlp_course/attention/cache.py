"""Keys and values of the words so far, kept (chapter 15, ``15_gpt``).

A causal model that writes one word more computes the same keys and values
for all earlier words again, because no later word can change them.  A cache
keeps them, so that a new word costs its own query, key and value and one row
of scores.

Shapes: ``B`` sequences in a batch, ``A`` heads, ``T`` new words, ``N`` words
in all, ``d`` features of a key or a value.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nlp_course.checks import check_positive, check_tensor, shape_of


class KeyValueCache:
    """What one layer of attention keeps; empty at first.

    ``append`` writes into it.  It is filled without gradients: a tensor that
    is written to later cannot serve a backward pass.  ``room`` is the number
    of words that are made place for at once; when they are used up the room
    is doubled.

    Raises ``ValueError`` if ``room`` is not a positive integer.
    """

    def __init__(self, room: int = 64) -> None:
        check_positive(room=room)
        self._room = room
        self._length = 0
        self._kept: Tensor | None = None  # (2, B, A, room, d)

    def __len__(self) -> int:
        """The number of words that are kept, ``N``."""
        return self._length

    @property
    def keys(self) -> Float[Tensor, "batch heads N size"]:
        """The keys of all words; ``ValueError`` if there are none."""
        return self._filled()[0]

    @property
    def values(self) -> Float[Tensor, "batch heads N size"]:
        """The values of all words; ``ValueError`` if there are none."""
        return self._filled()[1]

    def append(
        self,
        k: Float[Tensor, "batch heads T size"],
        v: Float[Tensor, "batch heads T size"],
    ) -> tuple[
        Float[Tensor, "batch heads N size"],
        Float[Tensor, "batch heads N size"],
    ]:
        """Keep ``T`` more words; return the keys and values of all ``N``.

        The result is a view of what is kept: it must not be changed.

        Raises ``ValueError`` for shapes that do not fit each other or what
        was kept before, ``TypeError`` for another dtype, ``RuntimeError`` if
        keys or values need a gradient.
        """
        self._check(k, v)
        T = k.shape[-2]
        kept = self._with_room(self._length + T, k)
        kept[0, ..., self._length : self._length + T, :] = k
        kept[1, ..., self._length : self._length + T, :] = v
        self._length += T
        return self.keys, self.values

    def _filled(self) -> Tensor:
        if self._kept is None:
            raise ValueError("the cache is empty: nothing was appended yet")
        return self._kept[..., : self._length, :]  # (2, B, A, N, d)

    def _with_room(self, needed: int, like: Tensor) -> Tensor:
        kept = self._kept
        if kept is None or kept.shape[-2] < needed:
            while self._room < needed:
                self._room *= 2
            B, A, _, d = like.shape
            self._kept = like.new_empty(2, B, A, self._room, d)
            if kept is not None:
                self._kept[..., : self._length, :] = kept[
                    ..., : self._length, :
                ]
        assert self._kept is not None
        return self._kept

    def _check(self, k: Tensor, v: Tensor) -> None:
        check_tensor("k", k)
        check_tensor("v", v)
        if k.dim() != 4 or k.shape != v.shape:
            raise ValueError(
                "keys and values must both have shape (batch, heads, words, "
                f"size), not {shape_of(k)} and {shape_of(v)}"
            )
        if k.dtype != v.dtype:
            raise TypeError(
                f"keys are {k.dtype} and values {v.dtype}; give one dtype"
            )
        if torch.is_grad_enabled() and (k.requires_grad or v.requires_grad):
            raise RuntimeError(
                "a cache is filled without gradients: call the model inside "
                "torch.no_grad()"
            )
        if self._kept is None:
            return
        if k.dtype != self._kept.dtype:
            raise TypeError(
                f"the cache holds {self._kept.dtype}, not {k.dtype}; begin a "
                "new one after the model was converted"
            )
        _, B, A, _, d = self._kept.shape
        if (*k.shape[:2], k.shape[3]) != (B, A, d):
            raise ValueError(
                f"the cache holds {B} sequences, {A} heads of size {d}; keys "
                f"of shape {shape_of(k)} do not continue it"
            )
