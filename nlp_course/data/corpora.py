"""Text to learn from, by name or from a file, with a part held out."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from nlp_course.data.hub import Repository, read_rows
from nlp_course.data.labelled import REVIEWS
from nlp_course.data.text import read_text, topics

FEWEST_UNITS = 10
MOST_BLOCKS = 10
REPEATED = 40  # characters: what is shorter may well occur twice by chance

_INSTEAD = 'the corpus "topics"'

_PLAYS = "data/tinyshakespeare/input.txt"
SHAKESPEARE = Repository(
    "karpathy/char-rnn",
    "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
    {
        _PLAYS: (
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
        )
    },
)
WIKITEXT = Repository(
    "Salesforce/wikitext", "b08601e04326c79dfdd32d625aee71d232d685c3"
)


@dataclass(frozen=True)
class Corpus:
    """Text to learn from, and text of the same kind that is held out.

    ``source`` says where the text comes from, and which version it is.

    Raises ``ValueError`` if a part holds no text.
    """

    name: str
    train: str
    validation: str
    source: str

    def __post_init__(self) -> None:
        for part in ("train", "validation"):
            if not getattr(self, part).strip():
                raise ValueError(
                    f"the {part} part of {self.name} holds no text"
                )


def load_corpus(
    name: str | Path = "topics", *, copy: str | Path | None = None
) -> Corpus:
    """A corpus by its name, or a text file of one's own.

    ========================  ============================================
    ``topics``                the help texts of Python; needs no network
    ``tiny-shakespeare``      scenes of Shakespeare, 1.1 million characters
    ``wikitext-2``            Wikipedia articles, 11 million characters
    a path                    a UTF-8 text file
    ========================  ============================================

    Of ``topics`` and a file, ``hold_out`` takes the validation part; of
    Shakespeare it is the last tenth; WikiText-2 brings its own.  The two
    public corpora are fetched once, in the version that ``source`` names,
    and kept; or read from ``copy``, a folder with the files of their
    repository.

    Raises ``ValueError`` for an unknown name or a file that cannot be
    learned from, ``FileNotFoundError`` for a path where there is no file,
    ``ConnectionError`` if a corpus must be fetched and cannot be,
    ``ModuleNotFoundError`` without the packages for that.
    """
    if name == "topics":
        version = platform.python_version()
        where = f"pydoc_data.topics of Python {version}"
        return Corpus("topics", *hold_out(topics()), where)
    if name == "tiny-shakespeare":
        return _shakespeare(copy)
    if name == "wikitext-2":
        return _wikitext(copy)
    if isinstance(name, str) and not _is_path(name):
        raise ValueError(_unknown(name))
    path = Path(name).expanduser()
    text = read_text(path)
    try:
        return Corpus(path.stem, *hold_out(text), str(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _is_path(name: str) -> bool:
    """Whether a name is meant as a path: it exists, or is written as one."""
    separators = [mark for mark in (os.sep, os.altsep, "~") if mark]
    written = any(mark in name for mark in separators) or Path(name).suffix
    return bool(written) or Path(name).exists()


def _unknown(name: str) -> str:
    if name in REVIEWS:
        return (
            f"{name} is a corpus of labelled reviews, not plain text: "
            f'load_reviews("{name}") reads it'
        )
    return (
        f"no corpus {name!r}; there are topics (needs no network), "
        "tiny-shakespeare and wikitext-2, or give the path of a UTF-8 text "
        "file, such as ./my-text.txt"
    )


def hold_out(text: str, share: float = 0.1) -> tuple[str, str]:
    """Take a part of a text away, to measure on.

    The text is cut into at most ten stretches, and the end of each is held
    out: so both parts are about the same subjects, and what is held out are
    long runs whose neighbours only are trained on.  Nothing is drawn at
    random.  No cut goes through a paragraph (a blank line ends it), or
    through a line if there are fewer than ten paragraphs.  A long paragraph
    that stands in both parts is dropped from the second.

    ``share`` counts paragraphs.  Returns the text to learn from and the text
    held out.

    Raises ``ValueError`` for a share that is not between 0 and 1, fewer than
    ten lines, or a text that only repeats itself.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, not {share}")
    end = "\n\n"
    units = [unit.strip("\n") for unit in text.split(end) if unit.strip()]
    if len(units) < FEWEST_UNITS:
        end = "\n"
        units = [line for line in text.split(end) if line.strip()]
    if len(units) < FEWEST_UNITS:
        raise ValueError(
            f"{len(units)} lines of text are too few to hold a part out; at "
            f"least {FEWEST_UNITS} are needed, so begin a new line after "
            "each paragraph or sentence"
        )
    train, held = _cut(units, share)
    known = {unit.strip() for unit in train if len(unit) >= REPEATED}
    new = [unit for unit in held if unit.strip() not in known]
    if not new:
        raise ValueError(
            "all that would be held out also stands in the rest: the text "
            "repeats itself"
        )
    return end.join(train) + "\n", end.join(new) + "\n"


def _cut(units: list[str], share: float) -> tuple[list[str], list[str]]:
    blocks = min(MOST_BLOCKS, len(units) // FEWEST_UNITS)
    train, held = [], []
    for k in range(blocks):
        block = units[
            k * len(units) // blocks : (k + 1) * len(units) // blocks
        ]
        count = min(max(round(share * len(block)), 1), len(block) - 1)
        train += block[:-count]
        held += block[-count:]
    return train, held


def _shakespeare(copy: str | Path | None) -> Corpus:
    [path] = SHAKESPEARE.files(_PLAYS, copy=copy, instead=_INSTEAD)
    text = read_text(path)
    cut = len(text) * 9 // 10
    return Corpus("tiny-shakespeare", text[:cut], text[cut:], str(SHAKESPEARE))


def _wikitext(copy: str | Path | None) -> Corpus:
    def part(split: str) -> str:
        paths = WIKITEXT.files(
            f"wikitext-2-raw-v1/{split}-*.parquet", copy=copy, instead=_INSTEAD
        )
        lines = [row["text"] for row in read_rows(paths, ["text"])]
        # a row is a line with its end; that of an empty line was left out
        return "".join(line or "\n" for line in lines)

    return Corpus(
        "wikitext-2",
        part("train"),
        part("validation"),
        f"wikitext-2-raw-v1 of {WIKITEXT}",
    )
