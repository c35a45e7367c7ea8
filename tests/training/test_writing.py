"""A run writes with its own tokenizer, from a prompt or from nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nlp_course.data import CharTokenizer, WordTokenizer
from nlp_course.data.tokenizers import Tokenizer
from nlp_course.training.runs import Run
from nlp_course.training.text_models import build_model
from nlp_course.training.writing import write
from tests.training.text_runs import small

TEXT = "a cat sat on a mat.\nthe mat sat still.\n"
CHARACTERS = CharTokenizer.train(TEXT)


def run_of(model: str, tokenizer: Tokenizer = CHARACTERS) -> Run:
    config = small(model, "x")
    network = build_model(config, len(tokenizer)).eval()
    return Run(Path("run"), config, tokenizer, network, 0)


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru", "gpt"])
def test_the_likeliest_tokens_follow_the_prompt(model: str) -> None:
    run = run_of(model)
    written = write(run, "a cat", 4, temperature=0)
    ids = CHARACTERS.encode("a cat")
    for _ in range(4):
        with torch.no_grad():
            found = run.model(torch.tensor([ids]))
        logits = found if model == "gpt" else found[0]
        ids.append(int(logits[0, -1].argmax()))
    assert written.text == CHARACTERS.decode(ids)
    assert (written.given, written.unknown) == (5, 0)


def test_a_seed_makes_the_text() -> None:
    run = run_of("gru")
    texts = [write(run, "a", 40, seed=seed).text for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_a_gpt_writes_beyond_its_context() -> None:
    written = write(run_of("gpt"), "a cat sat", 40, temperature=0)
    ids = run_of("gpt").tokenizer.encode(written.text)
    assert len(ids) <= 49  # marks are not shown
    assert written.text.startswith("a cat sat")


def test_without_a_prompt_a_line_begins() -> None:
    run = run_of("lstm")
    free = write(run, None, 12, temperature=0)
    after_line = write(run, "\n", 12, temperature=0)
    assert "\n" + free.text == after_line.text


def test_words_have_no_lines_and_begin_with_the_most_frequent() -> None:
    run = run_of("lstm", WordTokenizer.train(TEXT))
    free = write(run, None, 5, temperature=0)
    after = write(run, run.tokenizer.tokens[4], 5, temperature=0)
    assert after.text == f"{run.tokenizer.tokens[4]} {free.text}"


def test_top_k_of_one_is_the_likeliest() -> None:
    run = run_of("gru")
    best = write(run, "a", 9, temperature=0).text
    assert write(run, "a", 9, top_k=1).text == best
    assert write(run, "a", 9, top_p=1e-9).text == best


def test_what_the_model_cannot_read_is_counted() -> None:
    written = write(run_of("rnn"), "a ZEBRA", 1)
    assert (written.given, written.unknown) == (7, 5)


def test_what_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="a bert fills gaps"):
        write(run_of("bert"), "a", 3)
    with pytest.raises(ValueError, match="prompt '' holds no token"):
        write(run_of("gpt"), "", 3)
    with pytest.raises(ValueError, match="temperature must be"):
        write(run_of("gpt"), "a", 3, temperature=-1)
