"""One long text, cut into lanes that are read side by side.

A language model reads a text from its beginning to its end.  To read with
``B`` sequences at a time, the text is cut into ``B`` *lanes* of equal length,
and every step reads the next ``T`` tokens of all lanes.  Row ``b`` of a batch
then goes on where row ``b`` of the batch before it ended, so that the state
of a recurrent network can be carried over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from nlp_course.checks import check_positive, check_tensor, shape_of


class Window(NamedTuple):
    """``T`` tokens of every lane, and the tokens that follow each.

    ``first`` is True where the lanes begin: a state carried over from
    elsewhere has no meaning there.
    """

    x: Int[Tensor, "lanes time"]
    y: Int[Tensor, "lanes time"]  # y[:, t] is the token after x[:, t]
    first: bool


class Lanes:
    """A text in ``lanes`` lanes, read ``steps`` tokens at a time.

    ``len(lanes)`` is the number of windows of one pass; ``lanes[k]`` is the
    ``k``-th, and ``k`` may go on beyond the end: then the text begins anew.
    Tokens at the end that do not fill a window in every lane are left out.

    Raises ``ValueError`` for a text that is too short for one window, or a
    size that is not a positive integer.
    """

    def __init__(
        self, ids: Int[Tensor, " time"], lanes: int, steps: int
    ) -> None:
        check_positive(lanes=lanes, steps=steps)
        _check_text(ids)
        length = (len(ids) - 1) // lanes  # each token needs one after it
        if length < steps:
            raise ValueError(
                f"a text of {len(ids)} tokens is too short for {lanes} lanes "
                f"of {steps} steps; it needs {lanes * steps + 1} "
                "(one more than is read: the last token's successor)"
            )
        self.steps = steps
        self._x = ids[: lanes * length].view(lanes, length)
        self._y = ids[1 : lanes * length + 1].view(lanes, length)

    def __len__(self) -> int:
        return self._x.shape[1] // self.steps

    def __getitem__(self, index: int) -> Window:
        if index < 0:
            raise IndexError(f"windows are counted from 0, not {index}")
        k = index % len(self)
        at = slice(k * self.steps, (k + 1) * self.steps)
        return Window(self._x[:, at], self._y[:, at], first=k == 0)

    def __iter__(self) -> Iterator[Window]:
        """All windows of one pass, in order."""
        return (self[k] for k in range(len(self)))


def split_text(
    ids: Int[Tensor, " time"], test: float = 0.1
) -> tuple[Int[Tensor, " train"], Int[Tensor, " test"]]:
    """The beginning of a text to learn from, its end as a test.

    ``test`` is the share of the end.  Nothing is shuffled: the neighbours of
    a test passage would otherwise be among the passages learned from.

    Raises ``ValueError`` unless both parts have a token.
    """
    _check_text(ids)
    cut = len(ids) - round(test * len(ids)) if 0 < test < 1 else 0
    if not 0 < cut < len(ids):
        raise ValueError(
            f"test is the share of the text held back and must leave both "
            f"parts a token; {test} of {len(ids)} tokens does not"
        )
    return ids[:cut], ids[cut:]


def _check_text(ids: Tensor) -> None:
    check_tensor("ids", ids)
    if ids.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"ids must hold integers, not {ids.dtype}")
    if ids.dim() != 1:
        raise ValueError(
            f"ids must be one text, shape (time,), not {shape_of(ids)}"
        )
