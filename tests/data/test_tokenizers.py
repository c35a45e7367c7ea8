"""Text becomes ids and text again; the vocabulary owes nothing to chance."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlp_course.data import (
    CharTokenizer,
    Tokenizer,
    WordTokenizer,
    load_tokenizer,
    tokenizer_from_json,
)
from nlp_course.data.tokenizers import SPECIAL
from nlp_course.data.translation import SpokenTokenizer

KINDS = [CharTokenizer, WordTokenizer]
some_text = st.text(min_size=1, max_size=80)
some_words = some_text.filter(lambda text: bool(WordTokenizer.split(text)))
kinds = pytest.mark.parametrize("kind", KINDS)


@given(text=some_text)
def test_characters_lose_nothing(text: str) -> None:
    tokenizer = CharTokenizer.train(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer) == len(set(text)) + 4


@given(text=some_words)
def test_words_lose_spaces_only(text: str) -> None:
    tokenizer = WordTokenizer.train(text)
    again = tokenizer.decode(tokenizer.encode(text))
    assert "".join(again.split()) == "".join(text.split())
    assert tokenizer.encode(again) == tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(again)) == again


@given(text=some_text, other=some_words)
def test_no_text_can_produce_a_special_mark(text: str, other: str) -> None:
    for kind in KINDS:
        tokenizer = kind.train(other)
        for marks in (text, other, "".join(SPECIAL)):
            ids = tokenizer.encode(marks)
            assert not {0, 2, 3} & set(ids)
            assert all(0 <= i < len(tokenizer) for i in ids)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("don't  stop", ["don't", "stop"]),
        ("rock’n’roll", ["rock’n’roll"]),
        ("'quoted'", ["'", "quoted", "'"]),
        ("x_1 == 2.5", ["x_1", "=", "=", "2", ".", "5"]),
        ("Это — не сон", ["Это", "—", "не", "сон"]),
        (" \n\t ", []),
        ("<s> </s>", ["<", "s", ">", "<", "/", "s", ">"]),
    ],
)
def test_how_words_are_cut(text: str, tokens: list[str]) -> None:
    assert WordTokenizer.split(text) == tokens


def test_frequent_tokens_come_first_then_the_alphabet() -> None:
    tokenizer = WordTokenizer.train("b a b c a d b")
    assert tokenizer.tokens == (*SPECIAL, "b", "a", "c", "d")
    assert [tokenizer.id_of(t) for t in "bacd"] == [4, 5, 6, 7]


@kinds
def test_the_order_of_texts_does_not_matter(kind: type[Tokenizer]) -> None:
    texts = ["one two two", "three one, one", "zwei — zwei"]
    wanted = kind.train(texts).tokens
    for seed in range(5):
        random.Random(seed).shuffle(texts)
        assert kind.train(iter(texts)).tokens == wanted
    assert kind.train(["one"]).tokens == kind.train("one").tokens


def test_rare_tokens_can_be_left_out() -> None:
    text = "a a a b b c"
    assert WordTokenizer.train(text, min_count=2).tokens[4:] == ("a", "b")
    assert WordTokenizer.train(text, max_size=5).tokens[4:] == ("a",)
    both = WordTokenizer.train(text, max_size=100, min_count=3)
    assert both.tokens[4:] == ("a",)


@kinds
def test_unknown_tokens_become_unk_and_stay_visible(
    kind: type[Tokenizer],
) -> None:
    tokenizer = kind.train("a b")
    ids = tokenizer.encode("c")
    assert ids == [tokenizer.unk_id]
    assert tokenizer.decode(ids) == "<unk>"


@kinds
def test_marks_appear_on_request_only(kind: type[Tokenizer]) -> None:
    tokenizer = kind.train("ab")
    plain = tokenizer.encode("ab")
    assert not {0, 1, 2, 3} & set(plain)
    marked = tokenizer.encode("ab", bos=True, eos=True)
    assert marked == [tokenizer.bos_id, *plain, tokenizer.eos_id]
    padded = [*marked, tokenizer.pad_id, tokenizer.pad_id]
    assert tokenizer.decode(padded) == "ab"
    shown = tokenizer.decode(padded, special=True)
    for mark, times in (("<s>", 1), ("</s>", 1), ("<pad>", 2)):
        assert shown.count(mark) == times


def test_the_special_ids() -> None:
    tokenizer = CharTokenizer.train("a")
    named = [
        tokenizer.pad_id,
        tokenizer.unk_id,
        tokenizer.bos_id,
        tokenizer.eos_id,
    ]
    assert [tokenizer.tokens[i] for i in named] == list(SPECIAL)
    assert [tokenizer.id_of(t) for t in SPECIAL] == named


def test_ids_may_be_a_tensor() -> None:
    tokenizer = CharTokenizer.train("ab")
    assert tokenizer.decode(torch.tensor([5, 4, 0])) == "ba"


@pytest.mark.parametrize("bad", [-1, 6, 10**9])
def test_an_id_outside_the_vocabulary_is_named(bad: int) -> None:
    tokenizer = CharTokenizer.train("ab")
    with pytest.raises(ValueError, match=f"id {bad} .* 6 tokens"):
        tokenizer.decode([4, bad])


@given(text=some_words)
def test_what_is_saved_is_loaded(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "vocabulary.json"
    for kind in KINDS:
        kind.train(text).save(path)
        loaded = kind.load(path)
        assert type(loaded) is kind
        assert loaded.tokens == kind.train(text).tokens
        assert loaded.encode(text) == kind.train(text).encode(text)


def test_a_vocabulary_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    CharTokenizer.train("ab").save(path)
    with pytest.raises(ValueError, match="CharTokenizer, not a WordTok"):
        WordTokenizer.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no saved tokenizer: the key 'kind' is missing"),
        ("{}", r"SubwordTokenizer\.from_pretrained"),
        ('"text"', "no saved tokenizer"),
        ('{"kind": 3}', "no saved tokenizer"),
        ("no JSON", "or one that was cut off: Expecting value"),
        ('{"kind": "CharTokenizer", "tokens": ["a"', "cut off: Expecting"),
        ("", "holds no text"),
        ('{"kind": "CharTokenizer"}', "CharTokenizer is broken: KeyError"),
        ('{"kind": "CharTokenizer", "tokens": 3}', "is broken: TypeError"),
        ('{"kind": "CharTokenizer", "tokens": [3]}', "must be a text"),
        ('{"kind": "CharTokenizer", "tokens": ["a", "a"]}', "occur twice"),
        ('{"kind": "Sentences", "tokens": []}', "is no tokenizer that is kn"),
        ('{"kind": "RuleTokenizer", "tokens": []}', "is no tokenizer that"),
        ('{"kind": "SubwordTokenizer", "tokenizer": {}}', "is broken: Value"),
    ],
)
def test_what_is_no_tokenizer_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_text(content)
    for load in (CharTokenizer.load, load_tokenizer):
        with pytest.raises(ValueError, match=message) as caught:
            load(path)
        assert str(path) in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.json does not ex"):
        load_tokenizer(tmp_path / "nothing.json")


@pytest.mark.parametrize("kind", [*KINDS, SpokenTokenizer])
def test_any_kind_is_loaded_again(
    kind: type[Tokenizer], tmp_path: Path
) -> None:
    made = kind.train("twenty-one")
    made.save(tmp_path / "made.json")
    for loaded in (
        load_tokenizer(tmp_path / "made.json"),
        tokenizer_from_json(made.to_json()),
    ):
        assert type(loaded) is kind
        assert loaded.tokens == made.tokens
        assert loaded.special == made.special


def test_a_kind_is_found_that_nobody_imported(tmp_path: Path) -> None:
    path = tmp_path / "spoken.json"
    SpokenTokenizer.train("one two").save(path)
    code = (
        "import sys; from nlp_course.data import load_tokenizer; "
        f"print(load_tokenizer({str(path)!r}).encode('two'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[5]", done.stderr


def test_an_interrupted_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vocabulary.json"
    CharTokenizer.train("old").save(path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        CharTokenizer.train("new one").save(path)
    assert load_tokenizer(path).tokens == CharTokenizer.train("old").tokens
    assert list(tmp_path.iterdir()) == [path]


@kinds
def test_names_of_marks_are_read_on_request(kind: type[Tokenizer]) -> None:
    tokenizer = kind.train("a b")
    ids = tokenizer.encode("<s>a<pad></s>", special=True)
    assert ids == [2, tokenizer.id_of("a"), 0, 3]
    assert not {0, 2, 3} & {*tokenizer.encode("<s>a<pad></s>")}
    with pytest.raises(ValueError, match="no token for 'mask', but"):
        _ = tokenizer.mask_id


class Letters(Tokenizer):
    """A tokenizer with roles of its own: one mark for two, no unknown."""

    def __init__(self, special: dict[str, str]) -> None:
        super().__init__((*"abc", "<|>", "<|>>"), special)

    def split(self, text: str) -> list[str]:
        return list(text)

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        *,
        max_size: int | None = None,
        min_count: int = 1,
    ) -> Self:
        raise NotImplementedError

    def _to_data(self) -> dict[str, Any]:
        return {"special": self.special}

    @classmethod
    def _from_data(cls, data: dict[str, Any]) -> Self:
        return cls(data["special"])


def test_marks_may_be_anywhere_in_the_vocabulary(tmp_path: Path) -> None:
    tokenizer = Letters({"bos": "<|>", "eos": "<|>", "mask": "<|>>"})
    ids = tokenizer.encode("ab<|>>c", bos=True, eos=True, special=True)
    assert ids == [3, 0, 1, 4, 2, 3]
    assert tokenizer.decode(ids) == "ab<|>>c"
    assert tokenizer.decode(ids, special=True) == "<|>ab<|>>c<|>"
    with pytest.raises(ValueError, match="'d' is no token"):
        tokenizer.encode("abcd")
    tokenizer.save(tmp_path / "letters.json")
    assert load_tokenizer(tmp_path / "letters.json").mask_id == 4
    assert Letters({}).encode("ab", special=True) == [0, 1]
    with pytest.raises(ValueError, match=r"outside the vocabulary: \['z'\]"):
        Letters({"pad": "z"})


def test_a_saved_vocabulary_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    WordTokenizer.train("слово").save(path)
    assert "слово" in path.read_text("utf-8")
    assert json.loads(path.read_text("utf-8"))["kind"] == "WordTokenizer"


@pytest.mark.parametrize("tokens", [["a", "b", "a"], ["<pad>"], ["</s>"]])
def test_a_token_has_one_id(tokens: list[str]) -> None:
    with pytest.raises(ValueError, match="occur twice") as caught:
        CharTokenizer(tokens)
    assert repr(tokens[0]) in str(caught.value)


@kinds
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"texts": ""}, "no token that occurs 1 times"),
        ({"texts": []}, "no token that occurs 1 times"),
        ({"texts": "ab", "min_count": 2}, "no token that occurs 2 times"),
        ({"texts": "ab", "max_size": 4}, "max_size must exceed the 4"),
        ({"texts": "ab", "max_size": -1}, "not -1"),
    ],
)
def test_a_vocabulary_must_hold_something(
    kind: type[Tokenizer], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        kind.train(**options)
