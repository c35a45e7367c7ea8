"""Pairs from a file or a public corpus; what is wrong is told where."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from nlp_course.data.pairs import Pair
from nlp_course.data.sentences import (
    CORPORA,
    load_pairs,
    read_pairs,
    split_pairs,
)
from nlp_course.training import generator
from tests.hub import Hub, write_parquet

HASH = "1f" * 20


def file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "pairs.tsv"
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(raw)
    return path


def sentences(count: int) -> list[Pair]:
    return [Pair(f"number {k}", f"numéro {k}", 2) for k in range(count)]


def test_pairs_come_back_as_they_were_written(tmp_path: Path) -> None:
    text = "Go on!\tContinue !\n\nI see.\tJe vois.\tCC-BY\r\n"
    assert read_pairs(file(tmp_path, text)) == [
        Pair("Go on!", "Continue !", 3),
        Pair("I see.", "Je vois.", 3),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nno tab here\n", "line 2: no tab; a line must hold"),
        ("a\tb\n\n \tb\n", "line 3: source is empty"),
        ("a\t \n", "line 1: target is empty"),
        ("a\t\tnote\n", "line 1: target is empty"),
        (b"a\tb\nc\t\xff\n", r"byte 0xff at position 6 \(line 2\)"),
        ("", "holds no text"),
    ],
)
def test_a_broken_file_is_told_by_its_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_pairs(file(tmp_path, content))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_pairs(tmp_path / "nowhere.tsv")


def test_a_split_holds_sources_out() -> None:
    pairs = sentences(40) + [Pair(f"number {k}", "encore", 2) for k in (1, 2)]
    corpus = split_pairs(pairs, generator(0), test=3)
    learnt = {pair.source for pair in corpus.train}
    tested = {pair.source for pair in corpus.test}
    assert len(tested) == 3
    assert not learnt & tested
    assert len(corpus.train) + len(corpus.test) == 42
    assert {*corpus.source.tokens[4:]} == {
        word for source in learnt for word in source.split()
    }


def test_every_seed_holds_out_others() -> None:
    splits = {
        split_pairs(sentences(50), generator(seed), test=5).test
        for seed in range(8)
    }
    assert len(splits) == 8


def test_long_sentences_and_rare_words_are_left_out() -> None:
    long = Pair("one two three four", "un", 4)
    pairs = [*sentences(20), long, Pair("un", long.source, 1)]
    corpus = split_pairs(pairs, generator(0), longest=3, max_size=6)
    assert len(corpus.train) + len(corpus.test) == 20
    assert len(corpus.source) == 6
    assert "number" in corpus.source.tokens


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="9 different sources of at most"):
        split_pairs(sentences(9) * 3, generator(0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small corpus laid out as opus_books is on the hub."""
    pairs = [*sentences(12), Pair(" ", "vide", 1), Pair("blank", "", 1)]
    rows = [{"en": pair.source, "fr": pair.target} for pair in pairs]
    place = tmp_path / "corpus" / "en-fr" / "train-00000-of-00001.parquet"
    place.parent.mkdir(parents=True)
    write_parquet(
        {"id": [str(k) for k in range(len(rows))], "translation": rows}, place
    )
    return tmp_path / "corpus"


@pytest.mark.usefixtures("own_cache")
def test_a_corpus_is_read_from_a_copy(folder: Path) -> None:
    assert load_pairs(str(folder), "fr") == sentences(12)
    assert load_pairs(str(folder), "fr", limit=3) == sentences(3)
    assert load_pairs("opus_books", "fr", copy=folder) == sentences(12)


@pytest.mark.parametrize("name", ["opus_books", f"someone/corpus@{HASH}"])
def test_a_corpus_is_fetched_once(folder: Path, hub: Hub, name: str) -> None:
    place, _, revision = name.partition("@")
    if not revision:
        place, revision = CORPORA[name].name, CORPORA[name].revision
    hub.add(place, folder)
    assert load_pairs(name, "fr") == sentences(12)
    wanted = f"{place}/resolve/{revision}/en-fr/train-00000"
    assert any(wanted in request for request in hub.seen)
    hub.close()
    assert load_pairs(name, "fr") == sentences(12)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["opus_books", f"someone/corpus@{HASH}"])
def test_without_a_network_the_cure_is_told(name: str) -> None:
    told = "needs the network the first time.* use numbers, dates, or a tab"
    with pytest.raises(ConnectionError, match=told):
        load_pairs(name, "fr")


@pytest.mark.usefixtures("own_cache")
def test_another_language_is_refused(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file en-xx/train-\*"):
        load_pairs(str(folder), "xx")
    (folder / "en-fr").rename(folder / "en-ru")
    with pytest.raises(ValueError, match="en and ru, but for en, fr"):
        load_pairs(str(folder), "ru")


@pytest.mark.usefixtures("own_cache")
def test_german_stands_before_english(folder: Path) -> None:
    rows = [{"de": "Tag", "en": "day"}]
    write_parquet({"translation": rows}, folder / "de-en" / "train-0.parquet")
    assert load_pairs(str(folder), "de") == [Pair("day", "Tag", 1)]


@pytest.mark.parametrize("name", ["nonsense", "someone/corpus", "a@b", "a/b@"])
def test_a_name_without_a_version_is_refused(name: str) -> None:
    told = "give one of opus_books, multi30k, a folder"
    with pytest.raises(ValueError, match=told):
        load_pairs(name, "fr")


def test_without_the_package_the_cure_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"nlp-course\[corpora\]"):
        load_pairs("opus_books", "fr")


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    """Two captions laid out as in the repository of Multi30k."""
    raw = tmp_path / "captions" / "data" / "task1" / "raw"
    raw.mkdir(parents=True)
    for code, text in (("en", "A dog.\nTwo men.\n"), ("fr", "Un chien.\n")):
        (raw / f"train.{code}.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path / "captions"


def test_captions_are_paired_line_by_line(captions: Path) -> None:
    french = captions / "data/task1/raw/train.fr.gz"
    with pytest.raises(ValueError, match="has 2 lines in English, but 1 for"):
        load_pairs("multi30k", "fr", copy=captions)
    lines = "Un chien.\nDeux hommes.\n"
    french.write_bytes(gzip.compress(lines.encode()))
    pairs = [Pair("A dog.", "Un chien.", 3), Pair("Two men.", lines[10:22], 3)]
    assert load_pairs("multi30k", "fr", copy=captions) == pairs
    assert load_pairs("multi30k", "fr", copy=captions, limit=1) == pairs[:1]
    with pytest.raises(ValueError, match="'ru', but cs, de, fr"):
        load_pairs("multi30k", "ru", copy=captions)


@pytest.mark.usefixtures("offline")
def test_captions_need_the_network_once() -> None:
    told = r"multi30k/dataset \(GitHub, revision a3d2e0d26b.* first time"
    with pytest.raises(ConnectionError, match=told):
        load_pairs("multi30k", "de")
