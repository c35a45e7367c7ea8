"""Corpora by name or path: what is held out, what is fetched, what is told."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pytest
import torch.hub
from hypothesis import given
from hypothesis import strategies as st

from nlp_course.data import Corpus, hold_out, load_corpus, load_reviews, topics
from nlp_course.data.corpora import SHAKESPEARE, WIKITEXT
from nlp_course.data.hub import Repository, read_rows
from nlp_course.data.labelled import IMDB, SST2
from nlp_course.data.sentences import CORPORA
from tests.hub import Hub, write_parquet

PLAY = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 9


def paragraphs(text: str) -> list[str]:
    return [part.strip("\n") for part in text.split("\n\n") if part.strip()]


def numbered(count: int) -> list[str]:
    return [f"paragraph {k}\nwith a second line" for k in range(count)]


# What is held out


def test_topics_is_the_default_and_needs_nothing() -> None:
    corpus = load_corpus()
    assert corpus == load_corpus("topics")
    assert corpus.name == "topics"
    assert "pydoc_data.topics of Python 3." in corpus.source
    assert {*paragraphs(corpus.train), *paragraphs(corpus.validation)} == {
        *paragraphs(topics())
    }
    size = len(corpus.train) + len(corpus.validation)
    assert size == pytest.approx(len(topics()), rel=1e-3)
    assert 0.08 < len(corpus.validation) / size < 0.13


def test_hardly_anything_held_out_was_seen_in_training() -> None:
    """Paragraphs can be equal but for a few words, so runs are compared."""
    length = 60  # letters: some ten words

    def seen(train: str, held: str) -> float:
        train, held = (" ".join(re.findall(r"\w+", t)) for t in (train, held))
        known = {train[i : i + length] for i in range(len(train) - length)}
        places = range(0, len(held) - length, 7)
        return sum(held[i : i + length] in known for i in places) / len(places)

    corpus = load_corpus()
    assert seen(corpus.train, corpus.validation) < 0.02
    leak = corpus.validation[:4000]
    assert seen(corpus.train + leak, corpus.validation) > 0.05


@given(count=st.integers(10, 400), share=st.floats(0.01, 0.99))
def test_every_paragraph_is_on_one_side(count: int, share: float) -> None:
    units = numbered(count)
    train, held = map(paragraphs, hold_out("\n\n\n".join(units), share))
    assert train
    assert held
    assert not {*train} & {*held}
    assert sorted(train + held) == sorted(units)
    assert train == [unit for unit in units if unit in {*train}]
    assert held == [unit for unit in units if unit in {*held}]
    blocks = min(10, count // 10)
    assert abs(len(held) - share * count) <= blocks + 1


def test_what_is_held_out_is_spread_over_the_text() -> None:
    units = numbered(200)
    held = paragraphs(hold_out("\n\n".join(units))[1])
    places = [units.index(unit) for unit in held]
    assert places == [20 * k + j for k in range(10) for j in (18, 19)]


def test_lines_are_held_out_where_there_are_few_paragraphs() -> None:
    lines = [f"line {k}" for k in range(20)]
    train, held = hold_out("\n".join(lines))
    assert held.splitlines() == ["line 9", "line 19"]
    assert train.splitlines() == [
        k for k in lines if k not in held.split("\n")
    ]


def test_long_repetitions_are_not_measured_on() -> None:
    units = numbered(20)
    licence = "This notice must stand in every file, word for word. " * 2
    units[0] = units[19] = licence
    units[3] = units[18] = "Chorus"
    text = "\n\n".join(units)
    _, held = hold_out(text, 0.2)
    assert paragraphs(held) == [units[8], units[9], "Chorus"]
    with pytest.raises(ValueError, match="the text repeats itself"):
        hold_out("\n\n".join([licence] * 30))


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
def test_a_share_must_leave_both_sides_something(share: float) -> None:
    with pytest.raises(ValueError, match="share must be between 0 and 1"):
        hold_out(topics(), share)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_corpus_has_two_parts(part: str) -> None:
    parts = {"train": "text", "validation": "text", part: " \n"}
    with pytest.raises(ValueError, match=f"{part} part of x holds no text"):
        Corpus("x", source="here", **parts)


# A file of one's own


def test_a_file_is_a_corpus(tmp_path: Path) -> None:
    path = tmp_path / "diary.of.mine.txt"
    path.write_text("\r\n\r\n".join(numbered(12)), "utf-8", newline="")
    corpus = load_corpus(path)
    assert corpus == load_corpus(str(path))
    assert corpus.name == "diary.of.mine"
    assert corpus.source == str(path)
    assert paragraphs(corpus.validation) == numbered(12)[-1:]
    assert paragraphs(corpus.train) == numbered(12)[:-1]


def test_a_path_goes_before_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("topics", "notes"):
        Path(name).write_text("\n".join(f"{name} {k}" for k in range(10)))
    assert load_corpus("topics").train != load_corpus(Path("topics")).train
    assert load_corpus("./topics").name == "topics"
    assert load_corpus("notes").validation == "notes 9\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no text"),
        (b" \n\n", "holds no text"),
        (b"one line only", "1 lines of text are too few"),
        (b"a\nb\nc\n\nd\n", "4 lines of text are too few .* at least 10"),
        (b"fine\nfalse \xff\n", r"not UTF-8 text: byte 0xff .*\(line 2\)"),
        (b"\x1f\x8bnot packed", "is a broken gzip file"),
        (b"twice the same line, and a long one\n" * 30, None),
        (b"twice the same line, of forty letters...\n" * 30, "repeats itself"),
    ],
)
def test_a_file_to_learn_nothing_from_is_told(
    tmp_path: Path, content: bytes, message: str | None
) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    if message is None:
        load_corpus(path)
        return
    with pytest.raises(ValueError, match=message) as caught:
        load_corpus(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.txt", "./nowhere", "~/no/where"])
def test_a_missing_file_is_told(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"where.* does not exist"):
        load_corpus(name)


def test_an_unknown_name_lists_the_known_ones() -> None:
    told = (
        "no corpus 'shakespear'; there are topics .*, tiny-shakespeare and "
        "wikitext-2, or give the path of a UTF-8 text file"
    )
    with pytest.raises(ValueError, match=told):
        load_corpus("shakespear")
    with pytest.raises(ValueError, match="no reviews 'yelp'; there are imdb"):
        load_reviews("yelp")
    with pytest.raises(ValueError, match=r'load_reviews\("imdb"\) reads it'):
        load_corpus("imdb")


# Public corpora, laid out as in their repositories


@pytest.fixture
def wikitext(tmp_path: Path) -> Path:
    folder = tmp_path / "wikitext"
    lines = {
        "train": ["", " = Tower = \n", "", " It is old . \n", " A line . \n"],
        "validation": ["", " = Bridge = \n"],
    }
    for split, rows in lines.items():
        name = f"{split}-00000-of-00001.parquet"
        write_parquet({"text": rows}, folder / "wikitext-2-raw-v1" / name)
        other = {"text": ["of the larger one\n"]}
        write_parquet(other, folder / "wikitext-103-raw-v1" / name)
    return folder


@pytest.fixture
def plays(tmp_path: Path) -> Path:
    path = tmp_path / "plays" / "data" / "tinyshakespeare" / "input.txt"
    path.parent.mkdir(parents=True)
    path.write_text(PLAY)
    return tmp_path / "plays"


def check_wikitext(corpus: Corpus) -> None:
    assert corpus.train == "\n = Tower = \n\n It is old . \n A line . \n"
    assert corpus.validation == "\n = Bridge = \n"
    assert "wikitext-2-raw-v1 of Salesforce/wikitext" in corpus.source
    assert WIKITEXT.revision in corpus.source


@pytest.mark.usefixtures("own_cache")
def test_wikitext_is_read_from_a_copy(wikitext: Path) -> None:
    check_wikitext(load_corpus("wikitext-2", copy=wikitext))


def test_wikitext_is_fetched_once(
    wikitext: Path, hub: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.add("Salesforce/wikitext", wikitext)
    check_wikitext(load_corpus("wikitext-2"))
    assert "Fetching" in capfd.readouterr().err  # a progress bar
    files = [path for path in hub.seen if path.endswith(".parquet")]
    assert files
    assert all(WIKITEXT.revision in path for path in files)
    assert not any("wikitext-103" in path for path in files)
    hub.close()
    check_wikitext(load_corpus("wikitext-2"))


@pytest.mark.usefixtures("own_cache")
def test_another_version_that_is_kept_is_not_taken(
    wikitext: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("Salesforce/wikitext", wikitext)
    older = Repository("Salesforce/wikitext", "0" * 40)
    older.files("wikitext-2-raw-v1/*.parquet")
    hub.close()
    client = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(client.constants, "HF_HUB_OFFLINE", True)
    assert older.files("wikitext-2-raw-v1/*.parquet")
    with pytest.raises(ConnectionError, match="needs the network the first"):
        load_corpus("wikitext-2")


def test_shakespeare_ends_in_what_is_held_out(plays: Path) -> None:
    corpus = load_corpus("tiny-shakespeare", copy=plays)
    assert corpus.train + corpus.validation == PLAY
    assert len(corpus.train) == len(PLAY) * 9 // 10
    assert str(SHAKESPEARE) == corpus.source


def test_a_file_on_github_is_fetched_once_and_checked(
    plays: Path, hub: Hub, tmp_path: Path
) -> None:
    hub.add("someone/texts", plays)
    path = "data/tinyshakespeare/input.txt"
    digest = hashlib.sha256(PLAY.encode()).hexdigest()
    wrong = Repository("someone/texts", "1" * 40, {path: "0" * 64})
    with pytest.raises(ConnectionError, match="invalid hash value"):
        wrong.files(path)
    right = Repository("someone/texts", "1" * 40, {path: digest})
    [found] = right.files(path)
    assert found.read_text() == PLAY
    assert f"/someone/texts/{'1' * 40}/{path}" in hub.seen
    assert [p for p in found.parent.iterdir() if p != found] == []
    (plays / path).write_text("a later version")
    digest = hashlib.sha256(b"a later version").hexdigest()
    later = Repository("someone/texts", "2" * 40, {path: digest})
    assert later.files(path)[0].read_text() == "a later version"
    hub.close()
    assert right.files(path) == [found]
    assert found.read_text() == PLAY


@pytest.mark.usefixtures("own_cache")
def test_the_first_cause_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        try:
            try:
                raise OSError("no\n route")
            except OSError as error:
                raise ValueError("in between") from error
        except ValueError:
            raise RuntimeError("outermost")  # noqa: B904

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(ConnectionError, match=r"\(OSError: no route\)$"):
        load_corpus("tiny-shakespeare")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("tiny-shakespeare", r"karpathy/char-rnn \(GitHub, revision 6f9487a"),
        ("wikitext-2", r"Salesforce/wikitext \(Hugging Face, revision b0860"),
    ],
)
def test_without_a_network_the_default_is_named(name: str, place: str) -> None:
    told = rf'{place}.* needs the network the first time.* use .* "topics" \('
    with pytest.raises(ConnectionError, match=told) as caught:
        load_corpus(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["imdb", "sst2"])
def test_without_the_package_the_cure_is_told(
    monkeypatch: pytest.MonkeyPatch, wikitext: Path, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    told = r'package datasets: pip install "nlp-course\[corpora\]"'
    with pytest.raises(ModuleNotFoundError, match=told):
        load_reviews(name)
    with pytest.raises(ModuleNotFoundError, match=told):
        load_corpus("wikitext-2")
    with pytest.raises(ModuleNotFoundError, match=told):
        load_corpus("wikitext-2", copy=wikitext)


@pytest.mark.usefixtures("own_cache")
def test_a_copy_with_other_files_is_told(wikitext: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no file data/tinysh"):
        load_corpus("tiny-shakespeare", copy=wikitext)
    [file] = (wikitext / "wikitext-2-raw-v1").glob("train-*")
    write_parquet({"line": ["a"]}, file)
    with pytest.raises(ValueError, match="has no column text, but line"):
        load_corpus("wikitext-2", copy=wikitext)
    file.write_bytes(b"PAR1 cut off")
    with pytest.raises(ValueError, match="cannot be read as parquet: "):
        load_corpus("wikitext-2", copy=wikitext)
    with pytest.raises(ValueError, match=r"none of \.parquet"):
        read_rows([Path("table.csv")], ["text"])


# Reviews


@pytest.fixture
def imdb(tmp_path: Path) -> Path:
    folder = tmp_path / "imdb" / "plain_text"
    for split, labels in (
        ("train", [0, 1, 1]),
        ("test", [1, 0]),
        ("unsupervised", [-1]),
    ):
        texts = [f"{split} {k}<br />good" for k in range(len(labels))]
        write_parquet(
            {"text": texts, "label": labels},
            folder / f"{split}-00000-of-00001.parquet",
        )
    return tmp_path / "imdb"


@pytest.mark.usefixtures("own_cache")
def test_reviews_come_with_their_labels(imdb: Path) -> None:
    corpus = load_reviews("imdb", copy=imdb)
    assert corpus.train.texts[1] == "train 1<br />good"
    assert corpus.train.labels == (0, 1, 1)
    assert corpus.test.labels == (1, 0)
    assert corpus.classes == ("negative", "positive")
    assert corpus.source == str(IMDB)


@pytest.mark.usefixtures("own_cache")
def test_phrases_are_tested_on_the_validation_part(
    tmp_path: Path, hub: Hub
) -> None:
    folder = tmp_path / "sst2" / "data"
    for split, label in (("train", 1), ("validation", 0), ("test", -1)):
        rows = {"sentence": [f"{split} part "], "label": [label], "idx": [0]}
        write_parquet(rows, folder / f"{split}-00000-of-00001.parquet")
    hub.add("stanfordnlp/sst2", folder.parent)
    corpus = load_reviews("sst2")
    assert corpus.train == (("train part",), (1,))
    assert corpus.test == (("validation part",), (0,))
    assert any(SST2.revision in path for path in hub.seen)
    assert not any("test-0" in path for path in hub.seen)


@pytest.mark.usefixtures("own_cache")
def test_a_hidden_label_is_refused(imdb: Path) -> None:
    [file] = (imdb / "plain_text").glob("test-*")
    write_parquet({"text": ["?"], "label": [-1]}, file)
    with pytest.raises(ValueError, match="a label must be 0 or 1, not -1"):
        load_reviews("imdb", copy=imdb)


def test_every_version_is_a_whole_hash() -> None:
    for repository in (SHAKESPEARE, WIKITEXT, IMDB, SST2, *CORPORA.values()):
        assert len(repository.revision) == 40
        int(repository.revision, 16)
        assert all(len(h) == 64 for h in repository.hashes.values())
