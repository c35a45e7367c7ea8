"""Subwords: byte-level byte-pair encoding (chapter 15, ``15_gpt``).

The alphabet is the 256 bytes of UTF-8, so that nothing is unknown.  Training
joins the two neighbouring tokens that occur together most often into a new
one, again and again; the list of these merges is the tokenizer.

Sources: Sennrich, Haddow and Birch, *Neural Machine Translation of Rare Words
with Subword Units*, ACL 2016, section 3.2; Radford et al., *Language Models
are Unsupervised Multitask Learners*, 2019, section 2.2.

The work is done by the package ``tokenizers``, which is imported only when a
tokenizer is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nlp_course.checks import check_positive
from nlp_course.data.tokenizers import ROLES, SPECIAL
from nlp_course.data.vocabulary import Tokenizer

if TYPE_CHECKING:
    import tokenizers

FILE = "tokenizer.json"
BYTES = 256
SMALLEST = len(SPECIAL) + BYTES

# the names that published checkpoints give to special tokens
_PUBLISHED = {
    "pad": ("<pad>", "[PAD]"),
    "unk": ("<unk>", "[UNK]"),
    "bos": ("<s>", "[CLS]", "<|endoftext|>"),
    "eos": ("</s>", "[SEP]", "<|endoftext|>"),
    "mask": ("<mask>", "[MASK]"),
}


class SubwordTokenizer(Tokenizer):
    """Pieces of words are tokens: short sequences, and nothing is unknown.

    A token is written as in GPT-2: printable bytes as their characters, the
    others as characters from beyond them, ``Ġ`` for a space and ``Ċ`` for
    the end of a line.  ``decode(encode(text)) == text`` for every text.

    ``train`` makes one from text, with ids 0 to 3 for ``<pad>``, ``<unk>``,
    ``<s>`` and ``</s>``, then the 256 bytes, then one token for each merge.
    ``from_pretrained`` reads that of a published checkpoint, whose special
    tokens keep their own ids; one that is no byte-level byte-pair encoding
    (BERT's WordPiece) may lose case and spaces.

    ``backend`` is the object of the package ``tokenizers`` that does the
    work, ``special`` the token for each role.

    Raises ``ValueError`` if the ids of the vocabulary are not 0 to V-1.
    """

    def __init__(
        self, backend: tokenizers.Tokenizer, special: Mapping[str, str]
    ) -> None:
        ids = backend.get_vocab()
        if sorted(ids.values()) != list(range(len(ids))):
            raise ValueError(
                f"the {len(ids)} tokens of a vocabulary must have the ids 0 "
                f"to {len(ids) - 1}, each once"
            )
        super().__init__(sorted(ids, key=ids.__getitem__), special)
        backend.encode_special_tokens = True  # <s> in a text is text
        backend.no_padding()
        backend.no_truncation()
        self._backend = backend

    @cached_property
    def merges(self) -> tuple[tuple[str, str], ...]:
        """The pairs of tokens that were joined, in order.

        None for a tokenizer that is no byte-pair encoding.
        """
        model = json.loads(self._backend.to_str())["model"]
        return tuple((left, right) for left, right in model.get("merges", ()))

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        *,
        max_size: int | None = 8_000,
        min_count: int = 2,
    ) -> Self:
        """Learn the merges from a text or from several.

        A text is first cut into words with the space before them, numbers,
        and punctuation; no merge reaches across a cut.  Each step joins the
        pair that occurs most often; of equally frequent ones the one whose
        first token has the smaller id, then whose second has.  It ends when
        the vocabulary has ``max_size`` tokens (None: no limit) or no pair
        occurs ``min_count`` times.

        Raises ``ValueError`` if ``max_size`` has no room for special tokens
        and bytes, or the texts are empty.
        """
        from tokenizers import Tokenizer as Backend
        from tokenizers import models, trainers
        from tokenizers.decoders import ByteLevel as Decoder
        from tokenizers.pre_tokenizers import ByteLevel

        check_positive(min_count=min_count)
        if max_size is not None and max_size < SMALLEST:
            raise ValueError(
                f"max_size must be at least {SMALLEST} ({len(SPECIAL)} "
                f"special tokens and {BYTES} bytes), not {max_size}"
            )
        texts = [texts] if isinstance(texts, str) else list(texts)
        size = sum(map(_byte_count, texts))
        if not size:
            raise ValueError("there is no text to learn subwords from")
        backend = Backend(models.BPE())
        backend.pre_tokenizer = ByteLevel(add_prefix_space=False)
        backend.decoder = Decoder()
        trainer = trainers.BpeTrainer(
            # each merge shortens the text; memory for all is asked at once
            vocab_size=min(max_size or SMALLEST + size, SMALLEST + size),
            min_frequency=min_count,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(ByteLevel.alphabet()),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        return cls(backend, ROLES)

    @classmethod
    def from_pretrained(
        cls,
        place: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
    ) -> Self:
        """The tokenizer of a published checkpoint.

        ``place`` is a folder with a file ``tokenizer.json``, such a file, or
        the name of a model on the Hugging Face hub (``gpt2``,
        ``bert-base-uncased``), of which ``revision`` is a branch, a tag or a
        commit ("main" if absent).  Of a name the file is fetched the first
        time, into ``cache_dir`` (the hub's common cache if absent).

        Raises ``FileNotFoundError`` if there is no such file,
        ``ValueError`` if it is broken, ``ConnectionError`` if the hub cannot
        be reached.
        """
        from tokenizers import Tokenizer as Backend

        path = _tokenizer_file(place, revision, cache_dir)
        try:
            backend = Backend.from_str(path.read_text("utf-8"))
        except Exception as error:  # the package raises nothing narrower
            raise ValueError(
                f"{path} is no tokenizer of the package tokenizers, or is "
                f"broken: {error}"
            ) from error
        added = backend.get_added_tokens_decoder().values()
        known = {token.content for token in added if token.special}
        found = {
            role: next((name for name in names if name in known), None)
            for role, names in _PUBLISHED.items()
        }
        special = {role: name for role, name in found.items() if name}
        return cls(backend, special)

    def split(self, text: str) -> list[str]:
        """The subwords of a text, written as in the vocabulary."""
        return [self.tokens[i] for i in self._text_ids(text)]

    def join(self, tokens: Sequence[str]) -> str:
        """The text of subwords; bytes that are no UTF-8 become ``�``."""
        decoder = self._backend.decoder
        if decoder is None:
            return " ".join(tokens)
        return str(decoder.decode(list(tokens)))

    def _text_ids(self, text: str) -> list[int]:
        _byte_count(text)
        [done] = self._backend.encode_batch_fast(
            [text], add_special_tokens=False
        )
        return list(done.ids)

    def _to_data(self) -> dict[str, Any]:
        backend = json.loads(self._backend.to_str())
        return {"special": self.special, "tokenizer": backend}

    @classmethod
    def _from_data(cls, data: dict[str, Any]) -> Self:
        from tokenizers import Tokenizer as Backend

        text = json.dumps(data["tokenizer"])
        try:
            backend = Backend.from_str(text)
        except Exception as error:  # the package raises nothing narrower
            raise ValueError(str(error)) from error
        return cls(backend, data["special"])


def _byte_count(text: str) -> int:
    """``ValueError`` for half a character, which UTF-8 has no bytes for."""
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the character at position {error.start} is half of a "
            "surrogate pair, which is no text; read the file as UTF-8"
        ) from error


def _tokenizer_file(
    place: str | Path, revision: str | None, cache_dir: str | Path | None
) -> Path:
    import huggingface_hub

    path = Path(place).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        if (path / FILE).is_file():
            return path / FILE
        held = ", ".join(sorted(p.name for p in path.iterdir())) or "nothing"
        raise FileNotFoundError(f"{path} holds no {FILE}, but {held}")
    name = str(place)
    if isinstance(place, Path) or name.count("/") > 1 or name[0] in "./~":
        raise FileNotFoundError(
            f"{path} does not exist; give a folder with a tokenizer.json, "
            "or the name of a model on the Hugging Face hub"
        )
    try:
        found = huggingface_hub.hf_hub_download(
            name, FILE, revision=revision, cache_dir=cache_dir
        )
    except Exception as error:  # dozens of kinds, all with the same cure
        raise ConnectionError(
            f"the {FILE} of {name} needs the network the first time, after "
            "that it is kept; without a network train a tokenizer, or give "
            f"a folder with that file ({' '.join(str(error).split())})"
        ) from error
    return Path(found)
