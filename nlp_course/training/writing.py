"""Text from a model that was trained."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch

from nlp_course.bert import BERTForPreTraining
from nlp_course.data.tokenizers import Tokenizer
from nlp_course.generation import Writer, generate
from nlp_course.training.runs import Run
from nlp_course.training.seeds import generator


class Written(NamedTuple):
    """A text, and how much of its prompt the model could read."""

    text: str
    given: int  # tokens of the prompt
    unknown: int  # of them, those outside the vocabulary


def write(
    run: Run,
    prompt: str | None = None,
    length: int = 300,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> Written:
    """``prompt`` and ``length`` tokens more, drawn by the model of a run.

    Without a prompt the text begins after the end of a line (not shown), or
    after the most frequent token if the tokenizer knows no lines.

    Raises ``ValueError`` for a bert, which predicts no next token, for a
    prompt without tokens, and for what ``nlp_course.generation.generate``
    refuses.
    """
    if isinstance(run.model, BERTForPreTraining):
        raise ValueError(
            "a bert fills gaps and predicts no next token, so it cannot "
            "write; train a gpt, lstm, gru or rnn for that"
        )
    tokenizer = run.tokenizer
    ids = _start(tokenizer) if prompt is None else tokenizer.encode(prompt)
    if not ids:
        raise ValueError(f"the prompt {prompt!r} holds no token")
    found = generate(
        cast(Writer, run.model),
        torch.tensor([ids]),
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        rng=generator(seed),
    )
    shown = found[0].tolist()[len(ids) if prompt is None else 0 :]
    unknown = sum(i == tokenizer.unk_id for i in ids)
    return Written(tokenizer.decode(shown), len(ids), unknown)


def _start(tokenizer: Tokenizer) -> list[int]:
    """The end of a line; without lines, the first token that is no mark."""
    ids = [i for i in tokenizer.encode("\n") if i != tokenizer.unk_id]
    if ids:
        return ids
    marks = set(tokenizer.special.values())
    return [
        k for k, token in enumerate(tokenizer.tokens) if token not in marks
    ][:1]
