"""Sentences in which two words that stand apart decide each other.

"<s> today the big cow near our barn moos softly ." Sixteen animals have a
sound each; all other words are drawn by chance.  So everything that can be
known about a hidden word is known: from the left nothing about the animal,
from the animal the sound, and from the sound the animal (chapter 16).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from nlp_course.checks import check_positive, check_tensor, shape_of


class AnimalSentences:
    """A small language; every sentence has a word from each of ``SLOTS``.

    Ids count the words from the first slot to the last; ``mask_id`` and
    ``start_id`` follow them.  A sentence begins with the start token, so it
    has ``length`` tokens; ``animal`` and ``sound`` are the places of the two
    words that belong together, counted from 0.
    """

    ANIMALS: ClassVar = (
        "cat", "dog", "cow", "duck", "frog", "lion", "bee", "owl",
        "crow", "wolf", "snake", "horse", "pig", "sheep", "hen", "mouse",
    )  # fmt: skip
    SOUNDS: ClassVar = (
        "meows", "barks", "moos", "quacks", "croaks", "roars", "hums",
        "hoots", "caws", "howls", "hisses", "neighs", "grunts", "bleats",
        "clucks", "squeaks",
    )  # fmt: skip
    SLOTS: ClassVar = (
        ("today", "often", "now", "then", "soon", "once"),
        ("the",),
        ("big", "old", "young", "grey", "shy", "tired", "proud", "wild"),
        ANIMALS,
        ("in", "near", "behind", "under"),
        ("our",),
        ("barn", "garden", "house", "field", "wood", "yard", "shed", "lane"),
        SOUNDS,
        ("softly", "loudly", "again", "twice", "alone", "gladly"),
        (".",),
    )
    animal: ClassVar = 1 + SLOTS.index(ANIMALS)
    sound: ClassVar = 1 + SLOTS.index(SOUNDS)
    length: ClassVar = 1 + len(SLOTS)

    def __init__(self) -> None:
        self.words = tuple(word for slot in self.SLOTS for word in slot)
        self.mask_id, self.start_id = len(self.words), len(self.words) + 1
        sizes = torch.tensor([len(slot) for slot in self.SLOTS])
        self._end = sizes.cumsum(dim=0)  # first id after each slot
        self._first = self._end - sizes

    def __len__(self) -> int:
        """The number of ids, the two special ones among them."""
        return self.start_id + 1

    @property
    def animal_ids(self) -> Int[Tensor, " animals"]:
        """The ids of all animals."""
        return self._first[self.animal - 1] + torch.arange(len(self.ANIMALS))

    def sample(
        self, *shape: int, rng: Generator
    ) -> Int[Tensor, "*shape length"]:
        """Draw sentences, ``(*shape, length)``."""
        check_positive(**{f"shape[{i}]": n for i, n in enumerate(shape)})
        parts = [torch.full(shape, self.start_id)]
        for slot, first in zip(self.SLOTS, self._first, strict=True):
            parts.append(
                first + torch.randint(len(slot), shape, generator=rng)
            )
        parts[self.sound] = self.sound_of(parts[self.animal])
        return torch.stack(parts, dim=-1)

    def sound_of(
        self, animals: Int[Tensor, "*shape"]
    ) -> Int[Tensor, "*shape"]:
        """The ids of the sounds that animals make."""
        step = self._first[self.sound - 1] - self._first[self.animal - 1]
        return animals + step

    def well_formed(
        self, ids: Int[Tensor, "*shape length"]
    ) -> Bool[Tensor, "*shape"]:
        """Whether each word comes from its slot; the sound may be wrong.

        Raises ``ValueError`` for sentences of another length.
        """
        self._check(ids)
        words = ids[..., 1:]
        inside = (words >= self._first) & (words < self._end)
        return inside.all(dim=-1) & (ids[..., 0] == self.start_id)

    def true(
        self, ids: Int[Tensor, "*shape length"]
    ) -> Bool[Tensor, "*shape"]:
        """Whether sentences are well formed and the sound fits."""
        fits = ids[..., self.sound] == self.sound_of(ids[..., self.animal])
        return self.well_formed(ids) & fits

    def text(self, ids: Int[Tensor, " time"]) -> str:
        """The words of one sentence, or of its beginning."""
        named = (*self.words, "[MASK]", "<s>")
        return " ".join(named[k] for k in ids.tolist() if k != self.start_id)

    def _check(self, ids: Tensor) -> None:
        check_tensor("ids", ids)
        if ids.dim() < 1 or ids.shape[-1] != self.length:
            raise ValueError(
                f"a sentence has {self.length} tokens, the start token among "
                f"them; ids have shape {shape_of(ids)}"
            )
