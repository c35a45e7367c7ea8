"""From text to ids and back (chapter 00, ``00_text_to_tensors``).

A *token* is a piece of text that gets a number of its own, its *id*; the
*vocabulary* is the list of all tokens, and a token's id is its place in it.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

PAD, UNK, BOS, EOS = "<pad>", "<unk>", "<s>", "</s>"
SPECIAL = (PAD, UNK, BOS, EOS)

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class Tokenizer(ABC):
    """A fixed vocabulary with two directions, ``encode`` and ``decode``.

    The first four ids are special: ``<pad>`` fills up short sequences,
    ``<unk>`` stands for every unknown token, ``<s>`` and ``</s>`` mark start
    and end of a text.

    Raises ``ValueError`` if a token occurs twice or is a special one.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = (*SPECIAL, *tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) != len(self.tokens):
            twice = [t for t, n in Counter(self.tokens).items() if n > 1]
            raise ValueError(f"tokens occur twice in the vocabulary: {twice}")

    pad_id, unk_id, bos_id, eos_id = range(4)

    @staticmethod
    @abstractmethod
    def split(text: str) -> list[str]:
        """Cut a text into tokens."""

    @staticmethod
    @abstractmethod
    def join(tokens: Sequence[str]) -> str:
        """Put tokens together to a text again."""

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        *,
        max_size: int | None = None,
        min_count: int = 1,
    ) -> Self:
        """Collect the vocabulary of a text or of several.

        The most frequent tokens come first; equally frequent ones in the
        order of their characters, so that the ids do not depend on chance.
        ``max_size`` counts the four special tokens too.

        Raises ``ValueError`` if there is no token, or ``max_size`` leaves
        room for none.
        """
        if max_size is not None and max_size <= len(SPECIAL):
            raise ValueError(
                f"max_size must exceed the {len(SPECIAL)} special tokens, "
                f"not {max_size}"
            )
        counts: Counter[str] = Counter()
        for text in [texts] if isinstance(texts, str) else texts:
            counts.update(cls.split(text))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        tokens = [token for token, n in ranked if n >= min_count]
        if not tokens:
            raise ValueError(
                "the text holds no token that occurs "
                f"{min_count} times or more"
            )
        room = None if max_size is None else max_size - len(SPECIAL)
        return cls(tokens[:room])

    def __len__(self) -> int:
        """Size of the vocabulary ``V``, special tokens included."""
        return len(self.tokens)

    def id_of(self, token: str) -> int:
        """The id of a token; that of ``<unk>`` if it is not known."""
        return self._ids.get(token, self.unk_id)

    def encode(
        self, text: str, *, bos: bool = False, eos: bool = False
    ) -> list[int]:
        """The ids of a text, on request with start and end marks."""
        ids = [self.id_of(token) for token in self.split(text)]
        return [self.bos_id] * bos + ids + [self.eos_id] * eos

    def decode(self, ids: Iterable[int], *, special: bool = False) -> str:
        """The text of ids; padding and marks appear only if ``special``.

        ``<unk>`` always appears: something stood there.  Raises
        ``ValueError`` for an id outside the vocabulary.
        """
        hidden = () if special else (self.pad_id, self.bos_id, self.eos_id)
        kept = []
        for i in map(int, ids):
            if not 0 <= i < len(self):
                raise ValueError(
                    f"id {i} is outside the vocabulary of {len(self)} tokens"
                )
            if i not in hidden:
                kept.append(self.tokens[i])
        return self.join(kept)

    def save(self, path: str | Path) -> None:
        """Write the vocabulary as JSON."""
        data = {"kind": type(self).__name__, "tokens": self.tokens[4:]}
        text = json.dumps(data, ensure_ascii=False, indent=0)
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a vocabulary that ``save`` wrote.

        Raises ``ValueError`` if the file is of another kind of tokenizer.
        """
        data: Any = json.loads(Path(path).read_text("utf-8"))
        kind = data.get("kind") if isinstance(data, dict) else None
        if kind != cls.__name__:
            raise ValueError(
                f"{path} holds {kind or 'something else'}, "
                f"not a {cls.__name__}"
            )
        return cls(data["tokens"])


class CharTokenizer(Tokenizer):
    """Every character is a token: nothing is lost, sequences are long."""

    @staticmethod
    def split(text: str) -> list[str]:
        """Single characters."""
        return list(text)

    @staticmethod
    def join(tokens: Sequence[str]) -> str:
        """Characters side by side: the exact text again."""
        return "".join(tokens)


class WordTokenizer(Tokenizer):
    """Words and punctuation marks are tokens: short, but spaces are lost."""

    @staticmethod
    def split(text: str) -> list[str]:
        """Words (with inner apostrophes) and single punctuation marks."""
        return _WORD.findall(text)

    @staticmethod
    def join(tokens: Sequence[str]) -> str:
        """Words with one space between them."""
        return " ".join(tokens)
