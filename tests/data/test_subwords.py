"""Subwords: merges as derived by hand, no text lost, marks keep their ids."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nlp_course.data import SubwordTokenizer, Tokenizer, load_tokenizer, topics
from nlp_course.data.subwords import SMALLEST
from nlp_course.data.tokenizers import SPECIAL

tokenizers = pytest.importorskip("tokenizers")

TEXT = "low lower lowest new newer newest wide wider widest\n" * 3
HARD = [
    "",
    "\n",
    " \n \r\n\t ",
    "  two  spaces  ",
    "Это — не сон",
    "naïve café 🙂👩‍👩‍👧 日本語",
    "a\x00b\x7f\u2028\ufeff",
    "<s> </s> <pad> <unk>",
    "Ġ Ċ ▁ ##ing",
]


@cache
def trained(size: int = 400) -> SubwordTokenizer:
    return SubwordTokenizer.train(topics()[:60_000], max_size=size)


@given(text=st.text())
@example(text="<s>")
def test_no_text_is_lost_and_none_is_unknown(text: str) -> None:
    tokenizer = trained()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert not {0, 1, 2, 3} & set(ids)
    assert tokenizer.join(tokenizer.split(text)) == text
    assert [tokenizer.id_of(token) for token in tokenizer.split(text)] == ids


@pytest.mark.parametrize("text", HARD)
def test_what_is_hard_comes_back(text: str) -> None:
    for trained_on in (TEXT, "".join(HARD) * 9, text + " "):
        tokenizer = SubwordTokenizer.train(trained_on)
        ids = tokenizer.encode(text, bos=True, eos=True)
        assert [ids[0], ids[-1]] == [2, 3]
        assert not {0, 1, 2, 3} & {*ids[1:-1]}
        assert tokenizer.decode([*ids, 0, 0]) == text


def naive_merges(text: str, count: int) -> list[tuple[str, str]]:
    """Byte-pair encoding as the paper writes it, word by word."""
    cut = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = Counter(word for word, _ in cut.pre_tokenize_str(text))
    split = {word: list(word) for word in words}
    order = [*SPECIAL, *sorted(cut.alphabet())]
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in zip(split[word], split[word][1:], strict=False):
                pairs[pair] += times
        best = min(
            (pair for pair, times in pairs.items() if times > 1),
            key=lambda p: (-pairs[p], order.index(p[0]), order.index(p[1])),
            default=None,
        )
        if best is None:
            break
        merges.append(best)
        order.append("".join(best))
        split = {word: merged(parts, best) for word, parts in split.items()}
    return merges


def merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    done: list[str] = []
    for part in parts:
        # what has just been joined is not joined again in the same step
        if done and (done[-1], part) == pair:
            done[-1:] = ["".join(pair), ""]
        else:
            done.append(part)
    return [part for part in done if part]


@pytest.mark.parametrize("text", [TEXT, "abababab aab aab", topics()[:20_000]])
def test_merges_are_those_derived_by_hand(text: str) -> None:
    expected = naive_merges(text, 300)
    tokenizer = SubwordTokenizer.train(text, max_size=SMALLEST + 300)
    assert list(tokenizer.merges) == expected
    learnt = tuple("".join(pair) for pair in expected)
    assert tokenizer.tokens[SMALLEST:] == learnt
    assert tokenizer.tokens[:4] == SPECIAL
    assert len({*tokenizer.tokens[4:SMALLEST]}) == 256


def test_merges_are_applied_in_the_order_learnt() -> None:
    tokenizer = trained()
    for word in ("statement", "definition", "xyzzy", "the"):
        parts = list(word)
        for pair in tokenizer.merges:
            parts = merged(parts, pair)
        assert tokenizer.split(word) == parts


def test_a_larger_vocabulary_continues_a_smaller_one() -> None:
    small, large = trained(300), trained(400)
    assert large.merges[: len(small.merges)] == small.merges
    assert (len(small), len(large)) == (300, 400)
    text = topics()[:5_000]
    assert len(large.encode(text)) < len(small.encode(text)) < len(text)


def test_rare_pairs_are_not_merged() -> None:
    assert SubwordTokenizer.train("ab ab cd").merges == (("a", "b"),)
    assert SubwordTokenizer.train("ab ab cd", min_count=3).merges == ()
    everything = SubwordTokenizer.train("ab ab cd", min_count=1, max_size=None)
    assert {"ab", "Ġab", "Ġcd"} <= {*everything.tokens}


CODE = """
import hashlib, sys
from nlp_course.data import SubwordTokenizer, topics
made = SubwordTokenizer.train(topics()[:60_000], max_size=1_000)
print(hashlib.sha256(made.to_json().encode()).hexdigest())
"""


def test_the_same_text_gives_the_same_ids() -> None:
    """In other processes, with other hash seeds and numbers of threads."""
    made = SubwordTokenizer.train(topics()[:60_000], max_size=1_000)
    digests = {hashlib.sha256(made.to_json().encode()).hexdigest()}
    for threads in (1, 2, 4):
        variables = {
            **os.environ,
            "PYTHONHASHSEED": str(threads),
            "RAYON_NUM_THREADS": str(threads),
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            env=variables,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_texts_may_be_cut_and_reordered() -> None:
    parts = TEXT.splitlines(keepends=True)
    whole = SubwordTokenizer.train(TEXT)
    assert SubwordTokenizer.train(parts).merges == whole.merges
    assert SubwordTokenizer.train(iter(parts[::-1])).merges == whole.merges


def test_marks_are_read_on_request_only() -> None:
    tokenizer = trained()
    text = "<s>one<pad> two</s>"
    ids = tokenizer.encode(text, special=True)
    assert [i for i in ids if i < 4] == [2, 0, 3]
    assert tokenizer.decode(ids) == "one two"
    assert tokenizer.decode(ids, special=True) == text


def test_half_a_character_is_shown_as_broken() -> None:
    tokenizer = SubwordTokenizer.train(TEXT)
    ids = tokenizer.encode("é")
    assert len(ids) == 2
    assert tokenizer.decode(ids[:1]) == "�"


@given(text=st.text(min_size=1))
def test_what_is_saved_is_loaded(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "subwords.json"
    tokenizer = SubwordTokenizer.train(text * 3)
    tokenizer.save(path)
    for loaded in (load_tokenizer(path), SubwordTokenizer.load(path)):
        assert isinstance(loaded, SubwordTokenizer)
        assert loaded.tokens == tokenizer.tokens
        assert loaded.merges == tokenizer.merges
        assert loaded.special == tokenizer.special
        assert loaded.encode(text + TEXT) == tokenizer.encode(text + TEXT)
        assert loaded.decode(loaded.encode("<s>")) == "<s>"
        assert loaded.to_json() == tokenizer.to_json()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"texts": ""}, "no text to learn subwords from"),
        ({"texts": []}, "no text to learn subwords from"),
        ({"texts": "ab", "max_size": 259}, "at least 260 .* not 259"),
        ({"texts": "ab", "min_count": 0}, "min_count must be a positive"),
        ({"texts": ["fine", "a\ud800"]}, "position 1 is half of a surrogate"),
    ],
)
def test_there_must_be_something_to_learn(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        SubwordTokenizer.train(**options)


def test_bytes_alone_are_a_vocabulary() -> None:
    tokenizer = SubwordTokenizer.train(TEXT, max_size=SMALLEST)
    assert tokenizer.merges == ()
    assert len(tokenizer.encode("дом")) == 6


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(ValueError, match="position 2 is half of a surrogate"):
        trained().encode("ab\udfff")


def test_a_huge_vocabulary_asks_for_no_memory() -> None:
    assert len(SubwordTokenizer.train(TEXT, max_size=10**12)) < 300


# Checkpoints: folders as Hugging Face's own library writes them


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Byte-level subwords with one mark, which has the last id."""
    transformers = pytest.importorskip("transformers")
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator([TEXT], vocab_size=280, show_progress=False)
    folder = tmp_path_factory.mktemp("gpt2")
    made.save_model(str(folder))
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    vocabulary["<|endoftext|>"] = len(vocabulary)
    merges = (folder / "merges.txt").read_text("utf-8").splitlines()[1:]
    theirs = transformers.GPT2Tokenizer(
        vocab=vocabulary, merges=[tuple(line.split()) for line in merges]
    )
    theirs.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Word pieces, whose marks have ids of their own."""
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[unused0]", "low", "##er", "##est", "new", "the", "."]
    words += ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    theirs = transformers.BertTokenizer(
        vocab={word: i for i, word in enumerate(words)}
    )
    folder = tmp_path_factory.mktemp("bert")
    theirs.save_pretrained(folder)
    return folder


def test_gpt2_keeps_its_mark(gpt2: Path) -> None:
    transformers = pytest.importorskip("transformers")
    ours = SubwordTokenizer.from_pretrained(gpt2)
    theirs = transformers.AutoTokenizer.from_pretrained(gpt2)
    mark = len(ours) - 1
    assert ours.bos_id == ours.eos_id == mark == theirs.eos_token_id
    for text in (*HARD, TEXT, topics()[:2_000]):
        ids = ours.encode(text)
        assert ids == theirs.encode(text)
        assert ours.decode(ids) == text
    text = "new<|endoftext|>low"
    assert ours.encode(text, special=True) == theirs.encode(text)
    assert mark not in ours.encode(text)
    assert ours.decode(ours.encode(text)) == text
    assert ours.encode("", bos=True) == [mark]
    for role in ("pad", "unk", "mask"):
        with pytest.raises(ValueError, match=f"no token for '{role}', but"):
            getattr(ours, f"{role}_id")
    with pytest.raises(ValueError, match="'nowhere' is no token"):
        ours.id_of("nowhere")


def test_bert_keeps_its_marks(bert: Path) -> None:
    transformers = pytest.importorskip("transformers")
    ours = SubwordTokenizer.from_pretrained(bert)
    theirs = transformers.AutoTokenizer.from_pretrained(bert)
    named = [ours.pad_id, ours.unk_id, ours.bos_id, ours.eos_id, ours.mask_id]
    assert named == [0, 8, 9, 10, 11]
    text = "The newest [MASK] lower the unseen."
    ids = ours.encode(text, bos=True, eos=True, special=True)
    assert ids == theirs.encode(text)
    assert (
        ours.decode(ids)
        == theirs.decode(ids, skip_special_tokens=False)[
            len("[CLS] ") : -len(" [SEP]")
        ]
    )
    assert 11 not in ours.encode(text)
    assert ours.merges == ()


def test_a_checkpoint_may_be_saved_as_ours(bert: Path, tmp_path: Path) -> None:
    ours = SubwordTokenizer.from_pretrained(bert / "tokenizer.json")
    ours.save(tmp_path / "ours.json")
    loaded = load_tokenizer(tmp_path / "ours.json")
    assert loaded.special == ours.special
    assert loaded.encode(TEXT) == ours.encode(TEXT)


def test_what_a_checkpoint_cuts_off_is_not_cut_off(
    bert: Path, tmp_path: Path
) -> None:
    backend = tokenizers.Tokenizer.from_file(str(bert / "tokenizer.json"))
    backend.enable_truncation(4)
    backend.enable_padding(length=6)
    backend.save(str(tmp_path / "tokenizer.json"))
    ours = SubwordTokenizer.from_pretrained(tmp_path)
    assert len(ours.encode("low")) == 1
    assert len(ours.encode("low " * 9)) == 9


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": 3}', "no"])
def test_a_broken_checkpoint_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json is no tokenizer"):
        SubwordTokenizer.from_pretrained(tmp_path)


def test_a_checkpoint_without_its_tokenizer_is_told(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")
    told = "holds no tokenizer.json, but vocab.json"
    with pytest.raises(FileNotFoundError, match=told):
        SubwordTokenizer.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist; give a fold"):
        SubwordTokenizer.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        SubwordTokenizer.from_pretrained("./gpt2")


def test_gaps_in_a_vocabulary_are_told(tmp_path: Path) -> None:
    model = tokenizers.models.WordLevel({"a": 0, "b": 2}, unk_token="a")
    backend = tokenizers.Tokenizer(model)
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="must have the ids 0 to 1"):
        SubwordTokenizer.from_pretrained(tmp_path)


@pytest.mark.usefixtures("offline")
def test_without_a_network_a_name_is_told() -> None:
    told = "tokenizer.json of gpt2 needs the network the first time"
    with pytest.raises(ConnectionError, match=told):
        SubwordTokenizer.from_pretrained("gpt2")


def test_the_class_is_a_tokenizer_like_the_others() -> None:
    tokenizer: Tokenizer = trained()
    assert len(tokenizer) == len(tokenizer.tokens) == 400
    with pytest.raises(ValueError, match="id 400 is outside"):
        tokenizer.decode([400])
