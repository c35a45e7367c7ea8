"""Sentence pairs from a file of your own or a public corpus (chapter 08)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator

from nlp_course.data.hub import Repository, read_rows
from nlp_course.data.pairs import Pair, PairCorpus
from nlp_course.data.text import read_text
from nlp_course.data.tokenizers import WordTokenizer

FEWEST_PAIRS = 10


def read_pairs(path: str | Path) -> list[Pair]:
    """Sentence pairs of a file: source, tab, target, one pair a line.

    Further columns (a note on the licence, say) and blank lines are left
    out.

    Raises ``FileNotFoundError`` if there is no such file and ``ValueError``,
    with the number of the line, for bytes that are not UTF-8, a line
    without a tab or an empty side.
    """
    pairs = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        source, tab, rest = line.partition("\t")
        target = rest.partition("\t")[0]
        if not tab:
            raise ValueError(
                f"{path}, line {number}: no tab; a line must hold the "
                "source, a tab and the target"
            )
        for side, text in (("source", source), ("target", target)):
            if not text.strip():
                raise ValueError(f"{path}, line {number}: {side} is empty")
        pairs.append(_pair(source, target))
    return pairs


def _pair(source: str, target: str) -> Pair:
    size = len(WordTokenizer.split(source))
    return Pair(source.strip(), target.strip(), size)


# public corpora by a short name
CORPORA = {
    "opus_books": Repository(
        "Helsinki-NLP/opus_books", "1f9f6191d0e91a3c539c2595e2fe48fc1420de9b"
    ),
    "multi30k": Repository(
        "multi30k/dataset",
        "a3d2e0d26b56f3846f66a952536ffed4e401d05a",
        {
            "data/task1/raw/train.cs.gz": "a65adb8b32e3bc664f21ecba7a6e7f69"
            "50fd1f405e135f7c312faabdb6255077",
            "data/task1/raw/train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f"
            "80fae06ffc5d28b6ace5faa883de28a6",
            "data/task1/raw/train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a"
            "882c3a8a961923c25a898c90f8bbd56f",
            "data/task1/raw/train.fr.gz": "622e75069e9f4c577425c4f277116ce6"
            "6e63a2401c0a2312d90073cb12379a3c",
        },
    ),
}
_INSTEAD = "numbers, dates, or a tab-separated file of your own"


def load_pairs(
    name: str,
    language: str,
    *,
    limit: int | None = 20_000,
    copy: str | Path | None = None,
) -> list[Pair]:
    """English sentences and their translations from a public corpus.

    ``name`` is a short name of ``CORPORA``: ``opus_books``, passages of
    novels, with French and with Russian; ``multi30k``, captions of pictures
    (its 29,000 for training), with French, German and Czech.  Or it is
    ``owner/name@revision``, a data set of the Hugging Face hub laid out as
    ``opus_books`` is; or a folder with a copy of such a data set.  ``copy``
    is a folder with a copy of a corpus that has a short name.  ``language``
    is the code of the target language.  The first ``limit`` pairs are taken.

    Needs the package ``datasets``, and the network the first time.

    Raises ``ValueError`` for an unknown name, ``FileNotFoundError`` if a
    copy has no such files, ``ModuleNotFoundError`` without the package and
    ``ConnectionError`` if the corpus cannot be had.
    """
    repository, copy = _place(name, copy)
    if repository.hashes:
        sides = _captions(repository, language, copy)
    else:
        sides = _translations(repository, language, copy, limit)
    pairs = [
        _pair(source, target)
        for source, target in sides[:limit]
        if source and target and source.strip() and target.strip()
    ]
    if not pairs:
        raise ValueError(f"corpus {name!r} holds no pair of sentences")
    return pairs


def _place(
    name: str, copy: str | Path | None
) -> tuple[Repository, str | Path | None]:
    """Where a corpus is, and the folder with a copy of it, if there is."""
    if name in CORPORA:
        return CORPORA[name], copy
    if Path(name).is_dir():
        return Repository(name, "a copy"), name
    place, at, revision = name.partition("@")
    if not at or not revision or "/" not in place:
        raise ValueError(
            f"no corpus {name!r}; give one of {', '.join(CORPORA)}, a "
            "folder, or owner/name@revision (without a revision the data "
            "could change between two runs)"
        )
    return Repository(place, revision), copy


def _translations(
    repository: Repository,
    language: str,
    copy: str | Path | None,
    limit: int | None,
) -> list[tuple[str, str]]:
    """Rows ``{"en": ..., "fr": ...}`` in a folder named by both languages."""
    folder = "-".join(sorted(("en", language)))  # en-fr, but de-en
    paths = repository.files(f"{folder}/train-*", copy=copy, instead=_INSTEAD)
    rows = read_rows(paths, ["translation"], limit=limit)
    sides = [row["translation"] for row in rows]
    for side in sides[:1]:
        if "en" not in side or language not in side:
            raise ValueError(
                f"{paths[0]} has no texts for en and {language}, but for "
                f"{', '.join(sorted(side))}"
            )
    return [(side["en"], side[language]) for side in sides]


def _captions(
    repository: Repository, language: str, copy: str | Path | None
) -> list[tuple[str, str]]:
    """Line by line from two files, one for each language."""
    path = f"data/task1/raw/train.{language}.gz"
    if path not in repository.hashes or language == "en":
        known = sorted({p.split(".")[1] for p in repository.hashes} - {"en"})
        raise ValueError(
            f"{repository.name} has no language {language!r}, but "
            f"{', '.join(known)}"
        )
    sides = []
    for code in ("en", language):
        [found] = repository.files(
            f"data/task1/raw/train.{code}.gz", copy=copy, instead=_INSTEAD
        )
        sides.append(read_text(found).rstrip("\n").split("\n"))
    source, target = sides
    if len(source) != len(target):
        raise ValueError(
            f"{repository.name} has {len(source)} lines in English, but "
            f"{len(target)} for {language}; fetch it again"
        )
    return list(zip(source, target, strict=True))


def split_pairs(
    pairs: Sequence[Pair],
    rng: Generator,
    *,
    name: str = "pairs",
    test: int = 500,
    longest: int = 25,
    max_size: int = 8_000,
) -> PairCorpus:
    """Split sentence pairs into those to learn from and those to test on.

    The same source never stands on both sides.  Pairs with more than
    ``longest`` words on a side are left out, ``test`` is the number of test
    pairs (but at most a tenth), ``max_size`` that of ids in a vocabulary.

    Raises ``ValueError`` for fewer than ten different sources.
    """
    split = WordTokenizer.split
    kept = [
        pair
        for pair in pairs
        if max(len(split(side)) for side in pair[:2]) <= longest
    ]
    sources = sorted({pair.source for pair in kept})
    if len(sources) < FEWEST_PAIRS:
        raise ValueError(
            f"{len(sources)} different sources of at most {longest} words "
            f"(of {len(pairs)} pairs) are too few; at least {FEWEST_PAIRS} "
            "are needed"
        )
    order = torch.randperm(len(sources), generator=rng).tolist()
    held_out = {sources[k] for k in order[: min(test, len(sources) // 10)]}
    train = tuple(pair for pair in kept if pair.source not in held_out)
    return PairCorpus(
        name,
        train,
        tuple(pair for pair in kept if pair.source in held_out),
        WordTokenizer.train((p.source for p in train), max_size=max_size),
        WordTokenizer.train((p.target for p in train), max_size=max_size),
    )
