"""How a model's weights are named and turned in a checkpoint.

One table of *places* serves both ways, so that what is written can be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from nlp_course.pretrained.options import Options


class Place(NamedTuple):
    """Where one weight of ours stands in a checkpoint.

    Several of ours may stand side by side in one tensor of theirs, along its
    last axis: then ours is number ``part`` of ``parts``.
    """

    ours: str
    theirs: str
    transposed: bool = False  # theirs is (in, out), ours (out, in)
    part: int = 0
    parts: int = 1

    def shape_in_file(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of theirs, given that of ours."""
        shape = ours[::-1] if self.transposed else ours
        return (*shape[:-1], self.parts * shape[-1])

    def from_file(self, theirs: Tensor) -> Tensor:
        """Our weight, a view of theirs."""
        block = theirs.chunk(self.parts, dim=-1)[self.part]
        return block.t() if self.transposed else block

    def to_file(self, ours: Tensor) -> Tensor:
        """Our share of their tensor."""
        return ours.t() if self.transposed else ours


@dataclass(frozen=True)
class Layout:
    """All that tells one kind of checkpoint from another."""

    model_type: str
    architecture: str  # the class of Hugging Face's that it belongs to
    prefix: str  # may stand before the names of the body, or not
    bare: tuple[str, ...]  # beginnings of names that are written without it
    places: Callable[[Any], list[Place]]  # from our config
    read_config: Callable[[Options, float], Any]  # and the dropout asked for
    write_config: Callable[[Any], dict[str, Any]]
    skipped: re.Pattern[str]  # tensors that are left out on purpose
    renamed: Mapping[str, str] = field(default_factory=dict)  # old ends
    same: Mapping[str, str] = field(default_factory=dict)  # copies

    def plain(self, name: str) -> str:
        """A name as it stands in ``places``: no prefix, no old end."""
        name = name.removeprefix(self.prefix)
        for old, new in self.renamed.items():
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name

    def written(self, name: str) -> str:
        """A plain name as Hugging Face's own library writes it."""
        return name if name.startswith(self.bare) else self.prefix + name
