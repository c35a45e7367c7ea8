"""Sentence pairs from a file of your own or a public corpus (chapter 08)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator

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


# public corpora by a short name: where they are, and which version
CORPORA = {
    "opus_books": (
        "Helsinki-NLP/opus_books",
        "1f9f6191d0e91a3c539c2595e2fe48fc1420de9b",
    ),
}


def load_pairs(
    name: str, language: str, *, limit: int | None = 20_000
) -> list[Pair]:
    """English sentences and their translations from a public corpus.

    ``name`` is a short name of ``CORPORA`` (``opus_books``: passages of
    novels, with French and with Russian), ``owner/name@revision``, or a
    folder with a copy; ``language`` the code of the target language.  The
    first ``limit`` pairs are taken.  Needs the package ``datasets``, and the
    network the first time.

    Raises ``ValueError`` for an unknown name, ``ModuleNotFoundError``
    without the package and ``ConnectionError`` if the corpus cannot be had.
    """
    place, revision = _place(name)
    rows = _rows(place, revision, f"en-{language}", limit)
    pairs = []
    for row in rows:
        sides = row.get("translation", row)
        if "en" not in sides or language not in sides:
            raise ValueError(
                f"corpus {name!r} has no columns en and {language}, but "
                f"{sorted(sides)}"
            )
        source, target = sides["en"], sides[language]
        if source and target and source.strip() and target.strip():
            pairs.append(_pair(source, target))
    return pairs


def _place(name: str) -> tuple[str, str | None]:
    """Where a corpus is, and which version of it."""
    if name in CORPORA:
        return CORPORA[name]
    if Path(name).is_dir():
        return str(Path(name)), None
    place, at, revision = name.partition("@")
    if not at or not revision or "/" not in place:
        raise ValueError(
            f"no corpus {name!r}; give one of {', '.join(CORPORA)}, a "
            "folder, or owner/name@revision (without a revision the data "
            "could change between two runs)"
        )
    return place, revision


def _rows(
    place: str, revision: str | None, configuration: str, limit: int | None
) -> list[dict[str, Any]]:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "public corpora need the package datasets: "
            'pip install "nlp-course[corpora]"'
        ) from error
    try:
        loaded = datasets.load_dataset(
            place, configuration, split="train", revision=revision
        )
    except Exception as error:  # dozens of kinds, all with the same cure
        raise ConnectionError(
            f"could not load {place} ({configuration}): {error}; go online "
            "once, after that a copy is kept, or use a tab-separated file"
        ) from error
    count = len(loaded) if limit is None else min(limit, len(loaded))
    return list(loaded.select(range(count)))


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
