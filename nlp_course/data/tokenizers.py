"""From text to ids and back (chapter 00, ``00_text_to_tensors``).

A *token* is a piece of text that gets a number of its own, its *id*; the
*vocabulary* is the list of all tokens, and a token's id is its place in it.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

from nlp_course.data.text import read_text, write_text

PAD, UNK, BOS, EOS = "<pad>", "<unk>", "<s>", "</s>"
SPECIAL = (PAD, UNK, BOS, EOS)

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class Tokenizer(ABC):
    """A fixed vocabulary with two directions, ``encode`` and ``decode``.

    ``tokens`` is the vocabulary.  Some tokens are special: they stand for no
    text.  ``special`` says which token plays which role: ``pad`` fills up
    short sequences, ``unk`` stands for every unknown token, ``bos`` and
    ``eos`` mark start and end of a text, ``mask`` hides a token.  A tokenizer
    need not have all of them, and one token may play two roles.

    Raises ``ValueError`` if a token occurs twice, or a special one is not in
    the vocabulary.
    """

    # the kinds that stand in modules which are not always imported
    _homes: ClassVar = {
        "SpokenTokenizer": "nlp_course.data.translation",
        "SubwordTokenizer": "nlp_course.data.subwords",
    }

    def __init__(
        self, tokens: Sequence[str], special: Mapping[str, str]
    ) -> None:
        self.tokens = tuple(tokens)
        self.special = dict(special)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) != len(self.tokens):
            twice = [t for t, n in Counter(self.tokens).items() if n > 1]
            raise ValueError(f"tokens occur twice in the vocabulary: {twice}")
        missing = {*self.special.values()} - {*self._ids}
        if missing:
            raise ValueError(
                f"special tokens outside the vocabulary: {sorted(missing)}"
            )
        marks = "|".join(map(re.escape, dict.fromkeys(special.values())))
        self._marks = re.compile(f"({marks})")

    @property
    def pad_id(self) -> int:
        """The id that fills up short sequences."""
        return self._special_id("pad")

    @property
    def unk_id(self) -> int:
        """The id of every unknown token."""
        return self._special_id("unk")

    @property
    def bos_id(self) -> int:
        """The id that marks the start of a text."""
        return self._special_id("bos")

    @property
    def eos_id(self) -> int:
        """The id that marks the end of a text."""
        return self._special_id("eos")

    @property
    def mask_id(self) -> int:
        """The id that hides a token."""
        return self._special_id("mask")

    def _special_id(self, role: str) -> int:
        if role not in self.special:
            raise ValueError(
                f"this tokenizer has no token for {role!r}, but "
                f"{self.special}"
            )
        return self._ids[self.special[role]]

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """Cut a text into tokens."""

    @abstractmethod
    def join(self, tokens: Sequence[str]) -> str:
        """Put tokens together to a text again."""

    @classmethod
    @abstractmethod
    def train(
        cls,
        texts: str | Iterable[str],
        *,
        max_size: int | None = None,
        min_count: int = 1,
    ) -> Self:
        """Make the vocabulary from a text or from several."""

    def __len__(self) -> int:
        """Size of the vocabulary ``V``, special tokens included."""
        return len(self.tokens)

    def id_of(self, token: str) -> int:
        """The id of a token; that of the unknown token if it is not known.

        Raises ``ValueError`` if it is not known and there is no unknown
        token.
        """
        found = self._ids.get(token)
        if found is None and "unk" not in self.special:
            raise ValueError(f"{token!r} is no token of this vocabulary")
        return self.unk_id if found is None else found

    def encode(
        self,
        text: str,
        *,
        bos: bool = False,
        eos: bool = False,
        special: bool = False,
    ) -> list[int]:
        """The ids of a text, on request with start and end marks.

        No text can produce the id of a special token, even if it holds the
        name of one; unless ``special`` asks that such names be read as the
        tokens.
        """
        ids = [self.bos_id] if bos else []
        parts = self._marks.split(text) if special else [text]
        for k, part in enumerate(parts):
            ids += [self._ids[part]] if k % 2 else self._text_ids(part)
        return [*ids, self.eos_id] if eos else ids

    def _text_ids(self, text: str) -> list[int]:
        return [self.id_of(token) for token in self.split(text)]

    def decode(self, ids: Iterable[int], *, special: bool = False) -> str:
        """The text of ids; padding and marks appear only if ``special``.

        The unknown token and the mask always appear: something stood there.
        Raises ``ValueError`` for an id outside the vocabulary.
        """
        roles = () if special else ("pad", "bos", "eos")
        hidden = {self.special.get(role) for role in roles}
        kept = []
        for i in map(int, ids):
            if not 0 <= i < len(self):
                raise ValueError(
                    f"id {i} is outside the vocabulary of {len(self)} tokens"
                )
            if self.tokens[i] not in hidden:
                kept.append(self.tokens[i])
        return self.join(kept)

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, whole or not at all."""
        data = {"kind": type(self).__name__, **self._to_data()}
        text = json.dumps(data, ensure_ascii=False, indent=0)
        write_text(path, text)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a tokenizer that ``save`` wrote.

        Raises ``FileNotFoundError`` if there is no such file, ``ValueError``
        if it is broken or holds another kind of tokenizer.
        """
        kind, data = _read(path)
        if kind != cls.__name__:
            raise ValueError(f"{path} holds a {kind}, not a {cls.__name__}")
        try:
            return cls._from_data(data)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is a broken {kind} ({error!r}); save it anew"
            ) from error

    @abstractmethod
    def _to_data(self) -> dict[str, Any]:
        """What must be kept, as JSON can hold it."""

    @classmethod
    @abstractmethod
    def _from_data(cls, data: dict[str, Any]) -> Self:
        """The tokenizer again."""


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Read a tokenizer of whatever kind that ``save`` wrote.

    Raises ``FileNotFoundError`` if there is no such file, ``ValueError`` if
    it is broken or of a kind that is not known.
    """
    kind, _ = _read(path)
    if kind in Tokenizer._homes:
        import_module(Tokenizer._homes[kind])
    kinds = _kinds(Tokenizer)
    if kind not in kinds:
        raise ValueError(
            f"{path} holds a {kind}, which is none of {', '.join(kinds)}; a "
            "class of your own must be defined before its file is read"
        )
    return kinds[kind].load(path)


def _kinds(base: type[Tokenizer]) -> dict[str, type[Tokenizer]]:
    """All classes of tokenizers that are defined, by their names."""
    found = {}
    for kind in base.__subclasses__():
        found |= {kind.__name__: kind} | _kinds(kind)
    return found


def _read(path: str | Path) -> tuple[str, dict[str, Any]]:
    """The kind of a saved tokenizer, and all that the file holds."""
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} is no saved tokenizer, or was cut off: {error}"
        ) from error
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str):
        raise ValueError(
            f"{path} holds no saved tokenizer: its key 'kind' is missing "
            "(the tokenizer.json of a checkpoint is read by "
            "SubwordTokenizer.from_pretrained)"
        )
    return kind, data


class RuleTokenizer(Tokenizer):
    """A tokenizer that cuts by a fixed rule and keeps the frequent tokens.

    The first four ids are special: ``<pad>``, ``<unk>``, ``<s>`` and
    ``</s>``.

    Raises ``ValueError`` if a token occurs twice or is a special one.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        roles = dict(zip(("pad", "unk", "bos", "eos"), SPECIAL, strict=True))
        super().__init__((*SPECIAL, *tokens), roles)

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
