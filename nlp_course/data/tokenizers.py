"""From text to ids and back (chapter 00, ``00_text_to_tensors``).

A *token* is a piece of text that gets a number of its own, its *id*; the
*vocabulary* is the list of all tokens, and a token's id is its place in it.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Self

from nlp_course.data.vocabulary import Tokenizer as Tokenizer
from nlp_course.data.vocabulary import load_tokenizer as load_tokenizer

PAD, UNK, BOS, EOS = "<pad>", "<unk>", "<s>", "</s>"
SPECIAL = (PAD, UNK, BOS, EOS)
ROLES = {"pad": PAD, "unk": UNK, "bos": BOS, "eos": EOS}

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class RuleTokenizer(Tokenizer):
    """A tokenizer that cuts by a fixed rule and keeps the frequent tokens.

    The first four ids are special: ``<pad>``, ``<unk>``, ``<s>`` and
    ``</s>``.

    Raises ``ValueError`` if a token occurs twice or is a special one.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        super().__init__((*SPECIAL, *tokens), ROLES)

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

    def _to_data(self) -> dict[str, Any]:
        return {"tokens": self.tokens[len(SPECIAL) :]}

    @classmethod
    def _from_data(cls, data: dict[str, Any]) -> Self:
        tokens = data["tokens"]
        if not all(isinstance(token, str) for token in tokens):
            raise TypeError("a token must be a text")
        return cls(tokens)


class CharTokenizer(RuleTokenizer):
    """Every character is a token: nothing is lost, sequences are long."""

    @staticmethod
    def split(text: str) -> list[str]:
        """Single characters."""
        return list(text)

    @staticmethod
    def join(tokens: Sequence[str]) -> str:
        """Characters side by side: the exact text again."""
        return "".join(tokens)


class WordTokenizer(RuleTokenizer):
    """Words and punctuation marks are tokens: short, but spaces are lost."""

    @staticmethod
    def split(text: str) -> list[str]:
        """Words (with inner apostrophes) and single punctuation marks."""
        return _WORD.findall(text)

    @staticmethod
    def join(tokens: Sequence[str]) -> str:
        """Words with one space between them."""
        return " ".join(tokens)
