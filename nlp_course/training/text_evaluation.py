"""How well a trained model knows a text that it has not seen.

A model that predicts the next token is measured in bits for each character
or token of the text, and in perplexity.  A bert predicts no next token.  It
is measured by the share of masked tokens that it names, and by its
*pseudo*-perplexity: each token is hidden in turn, guessed from all others,
and the probabilities are averaged as in a perplexity.  The two perplexities
must not be compared: to guess from both sides is easier, and the guesses do
not make up one probability of the text.

Source: Salazar et al., *Masked Language Model Scoring*, ACL 2020, equations
1 and 3 (pseudo-perplexity).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from nlp_course.bert import BERTForPreTraining
from nlp_course.data.tokenizers import Tokenizer
from nlp_course.language_model import LanguageModel, bits_per_token
from nlp_course.losses import bits, perplexity
from nlp_course.scoring import bits_per_character, log_probabilities
from nlp_course.training.objectives import make_gaps, summed
from nlp_course.training.seeds import generator

_ROWS = 32  # read at a time


@dataclass(frozen=True)
class TextScore:
    """What a model that predicts the next token makes of a text."""

    loss: float  # nats a token
    tokens: int
    characters: int
    unknown: int  # tokens that the vocabulary does not have

    def table(self) -> dict[str, str]:
        """Names and values, for people."""
        each = bits(self.loss)
        by_character = bits_per_character(each, self.tokens, self.characters)
        return {
            "bits per character": f"{by_character:.4f}",
            "bits per token": f"{each:.4f}",
            "perplexity": f"{perplexity(self.loss):.4g}",
        }


@dataclass(frozen=True)
class MaskedScore:
    """What a model that fills gaps makes of a text."""

    loss: float  # nats a masked token
    accuracy: float  # share of the masked tokens that are named
    pseudo: float  # nats a token, each hidden in turn
    tokens: int
    characters: int
    unknown: int

    def table(self) -> dict[str, str]:
        """Names and values, for people."""
        return {
            "masked-token accuracy": f"{self.accuracy:.4f}",
            "bits per masked token": f"{bits(self.loss):.4f}",
            "pseudo-perplexity": f"{perplexity(self.pseudo):.4g}",
        }


def score_text(
    model: nn.Module, tokenizer: Tokenizer, text: str, hidden: int = 2000
) -> TextScore | MaskedScore:
    """Measure a model of a run on a text.

    Of a bert only the first ``hidden`` tokens are hidden in turn, since each
    costs a run of the model.

    Raises ``ValueError`` for a text of fewer than two tokens.
    """
    ids = torch.tensor(tokenizer.encode(text), dtype=torch.int64)
    _check_two(ids)
    size = (len(ids), len(text), int((ids == tokenizer.unk_id).sum()))
    if isinstance(model, BERTForPreTraining):
        V = len(tokenizer)
        loss, accuracy = masked_loss(model, ids, V)
        pseudo = pseudo_loss(model, ids[:hidden], V)
        return MaskedScore(loss, accuracy, pseudo, *size)
    return TextScore(next_token_loss(model, ids), *size)


def validation_loss(
    model: nn.Module, ids: Int[Tensor, " N"], vocabulary: int
) -> float:
    """What a run watches: nats a token, or a masked token for a bert.

    ``vocabulary`` is that of the tokenizer.  Raises ``ValueError`` for fewer
    than two tokens.
    """
    _check_two(ids)
    if isinstance(model, BERTForPreTraining):
        return masked_loss(model, ids, vocabulary)[0]
    return next_token_loss(model, ids)


def next_token_loss(model: nn.Module, ids: Int[Tensor, " N"]) -> float:
    """Nats for each token but the first, each after all those before it.

    A gpt sees as many of them as fit, but never less than half a context.
    """
    ids = ids.to(_device(model))
    if isinstance(model, LanguageModel):
        return bits_per_token(model, ids[None]) * math.log(2)
    return -log_probabilities(model, ids, batch=_ROWS).mean().item()


@torch.no_grad()
def masked_loss(
    model: BERTForPreTraining, ids: Int[Tensor, " N"], vocabulary: int
) -> tuple[float, float]:
    """Nats for each masked token, and the share that is named.

    The gaps are always the same ones: 15 in 100 tokens by BERT's rule.
    """
    rng, asked, nats, right = generator(0), 0, 0.0, 0
    with _evaluating(model):
        for rows in _rows(ids, model.longest):
            gaps = make_gaps(rows, vocabulary, rng)
            logits = model(gaps.ids.to(_device(model))).words.cpu()
            scores, targets = logits[gaps.chosen], rows[gaps.chosen]
            asked += len(targets)
            nats += summed(scores, targets).item()
            right += int((scores.argmax(dim=-1) == targets).sum())
    return nats / asked, right / asked


@torch.no_grad()
def pseudo_loss(
    model: BERTForPreTraining, ids: Int[Tensor, " N"], vocabulary: int
) -> float:
    """Nats for each token, hidden in turn and guessed from the others."""
    nats, device = 0.0, _device(model)
    with _evaluating(model):
        for rows in _rows(ids, model.longest):
            for row in rows:
                places = torch.arange(len(row))
                copies = row.repeat(len(row), 1)  # (T, T)
                copies[places, places] = vocabulary  # the mask
                logits = model(copies.to(device)).words.cpu()
                nats += summed(logits[places, places], row).item()
    return nats / len(ids)


def _rows(ids: Tensor, length: int) -> Iterator[Tensor]:
    """All of a text in rows ``(B, T)``; the last one may be shorter."""
    whole = len(ids) // length * length
    yield from ids[:whole].view(-1, length).split(_ROWS)
    if whole < len(ids):
        yield ids[None, whole:]


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _check_two(ids: Tensor) -> None:
    if len(ids) < 2:
        raise ValueError(
            f"the text to measure has {len(ids)} tokens; it needs two or more"
        )
