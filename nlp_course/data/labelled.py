"""Labelled reviews of films from public corpora."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nlp_course.data.hub import Repository, read_rows

IMDB = Repository(
    "stanfordnlp/imdb", "e6281661ce1c48d982bc483cf8a173c1bbeb5d31"
)
SST2 = Repository(
    "stanfordnlp/sst2", "8d51e7e4887a4caaa95b3fbebbf53c0490b58bbb"
)


class Labelled(NamedTuple):
    """Texts and the class of each, a number from 0."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class ReviewCorpus:
    """Reviews with a verdict, to learn from and to test on.

    ``classes[label]`` is the name of a label; ``source`` says where the
    reviews come from, and which version it is.
    """

    name: str
    train: Labelled
    test: Labelled
    classes: tuple[str, ...]
    source: str


class _Reviews(NamedTuple):
    """Where reviews are, and how their table is built."""

    repository: Repository
    train: str
    test: str
    column: str


REVIEWS = {
    "imdb": _Reviews(
        IMDB,
        "plain_text/train-*.parquet",
        "plain_text/test-*.parquet",
        "text",
    ),
    "sst2": _Reviews(
        SST2,
        "data/train-*.parquet",
        "data/validation-*.parquet",
        "sentence",
    ),
}


def load_reviews(name: str, *, copy: str | Path | None = None) -> ReviewCorpus:
    """Labelled reviews of films: class 0 negative, class 1 positive.

    ``imdb``: 25,000 whole reviews and as many to test on, of other films;
    they still hold ``<br />`` where a line ended.  ``sst2``: 67,000 phrases
    and sentences, in lower case; tested on its validation part, for the
    labels of its test part were never published.  Both are fetched once and
    kept, or read from ``copy``, a folder with the files of their repository.

    Raises as ``load_corpus`` does, and ``ValueError`` for a label that is
    neither 0 nor 1.
    """
    if name not in REVIEWS:
        raise ValueError(
            f"no reviews {name!r}; there are {', '.join(REVIEWS)}"
        )
    where = REVIEWS[name]

    def part(pattern: str) -> Labelled:
        paths = where.repository.files(
            pattern, copy=copy, instead="the invented reviews of ReviewTask"
        )
        rows = read_rows(paths, [where.column, "label"])
        return _labelled(rows, where.column)

    return ReviewCorpus(
        name,
        part(where.train),
        part(where.test),
        ("negative", "positive"),
        str(where.repository),
    )


def _labelled(rows: Sequence[Mapping[str, Any]], column: str) -> Labelled:
    texts = tuple(row[column].strip() for row in rows)
    labels = tuple(row["label"] for row in rows)
    wrong = sorted({*labels} - {0, 1})
    if wrong:
        raise ValueError(f"a label must be 0 or 1, not {wrong[0]}")
    return Labelled(texts, labels)
