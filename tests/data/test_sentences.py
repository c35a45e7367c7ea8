"""Pairs from a file or a public corpus; what is wrong is told where."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nlp_course.data.pairs import Pair
from nlp_course.data.sentences import load_pairs, read_pairs, split_pairs
from nlp_course.training import generator


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
    """A small corpus in the form of the public ones."""
    rows = [
        {"id": str(k), "translation": {"en": p.source, "fr": p.target}}
        for k, p in enumerate(sentences(12))
    ]
    rows.append({"id": "x", "translation": {"en": " ", "fr": "vide"}})
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (corpus / "train.jsonl").write_text(lines, "utf-8")
    (corpus / "README.md").write_text(
        "---\nconfigs:\n- config_name: en-fr\n  data_files:\n"
        "  - split: train\n    path: train.jsonl\n---\n",
        "utf-8",
    )
    return corpus


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, and a cache of its own."""
    datasets = pytest.importorskip("datasets")
    hub = pytest.importorskip("huggingface_hub")
    for place in (datasets.config, hub.constants):
        monkeypatch.setattr(place, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(
        datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache"
    )


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")
def test_a_corpus_is_read_from_a_copy(folder: Path) -> None:
    assert load_pairs(str(folder), "fr") == sentences(12)
    assert load_pairs(str(folder), "fr", limit=3) == sentences(3)


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["opus_books", "someone/corpus@1f9f619"])
def test_without_a_network_the_cure_is_told(name: str) -> None:
    with pytest.raises(ConnectionError, match="go online once, after that"):
        load_pairs(name, "fr")


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")
def test_another_language_is_refused(folder: Path) -> None:
    with pytest.raises(ConnectionError, match="en-xx"):
        load_pairs(str(folder), "xx")


@pytest.mark.parametrize("name", ["nonsense", "someone/corpus", "a@b", "a/b@"])
def test_a_name_without_a_version_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="give one of opus_books, a folder"):
        load_pairs(name, "fr")


def test_without_the_package_the_cure_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"nlp-course\[corpora\]"):
        load_pairs("opus_books", "fr")
