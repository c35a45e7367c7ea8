"""What a model makes of a text: each measure, computed another way."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nlp_course.bert import BERTForPreTraining
from nlp_course.data import CharTokenizer
from nlp_course.training import generator
from nlp_course.training.objectives import make_gaps
from nlp_course.training.text_evaluation import (
    MaskedScore,
    TextScore,
    masked_loss,
    next_token_loss,
    pseudo_loss,
    score_text,
    validation_loss,
)
from nlp_course.training.text_models import build_model
from tests.training.text_runs import MODELS, small

TEXT = "a cat sat on a mat, and the mat sat still.\n" * 2
TOKENIZER = CharTokenizer.train(TEXT)
V = len(TOKENIZER)


def build(model: str) -> nn.Module:
    """Weights that differ enough for the order of tokens to matter."""
    made, rng = build_model(small(model, "x"), V), generator(1)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn(weight.shape, generator=rng), alpha=0.3)
    return made.train()


def bert() -> BERTForPreTraining:
    model = build("bert")
    assert isinstance(model, BERTForPreTraining)
    return model


def ids() -> Tensor:
    return torch.tensor(TOKENIZER.encode(TEXT))


def log_p(logits: Tensor, target: Tensor) -> float:
    return logits.log_softmax(dim=-1)[target].item()


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru"])
def test_a_recurrent_model_reads_all_from_the_beginning(model: str) -> None:
    network = build(model)
    found = next_token_loss(network, ids())
    assert network.training
    network.eval()
    logits = network(ids()[None, :-1])[0][0]
    nats = [-log_p(logits[t], ids()[t + 1]) for t in range(len(logits))]
    assert found == pytest.approx(sum(nats) / len(nats), rel=1e-4)


def test_a_gpt_has_seen_half_a_context_at_least() -> None:
    network = build("gpt")
    found = next_token_loss(network, ids())
    network.eval()
    longest, nats = 12, []
    for t in range(1, len(ids())):
        # a window begins at each half of a context, the last one at the end
        begin = min(max(0, (t - 7) // 6 * 6), len(ids()) - 1 - longest)
        begin = 0 if t <= longest else begin
        seen = ids()[None, begin:t]
        assert seen.shape[1] <= longest
        nats.append(-log_p(network(seen)[0, -1], ids()[t]))
    assert found == pytest.approx(sum(nats) / len(nats), rel=1e-4)


def test_a_bert_names_masked_tokens() -> None:
    network = bert()
    loss, accuracy = masked_loss(network, ids(), V)
    network.eval()
    rng, nats, right = generator(0), [], []
    whole = len(ids()) // 12 * 12
    rows = [ids()[:whole].view(-1, 12), ids()[None, whole:]]
    for part in rows:
        gaps = make_gaps(part, V, rng)
        logits = network(gaps.ids).words
        for b, t in gaps.chosen.nonzero().tolist():
            nats.append(-log_p(logits[b, t], part[b, t]))
            right.append(int(logits[b, t].argmax()) == int(part[b, t]))
    assert loss == pytest.approx(sum(nats) / len(nats), rel=1e-4)
    assert accuracy == pytest.approx(sum(right) / len(right))
    assert masked_loss(network, ids(), V) == (loss, accuracy)


def test_pseudo_perplexity_hides_each_token_in_turn() -> None:
    network = bert()
    found = pseudo_loss(network, ids(), V)
    network.eval()
    nats = []
    for place in range(len(ids())):
        begin = place // 12 * 12
        row = ids()[begin : begin + 12].clone()
        hidden = place - begin
        target, row[hidden] = row[hidden].clone(), V
        nats.append(-log_p(network(row[None]).words[0, hidden], target))
    assert found == pytest.approx(sum(nats) / len(nats), rel=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_that_knows_nothing_is_told_so(model: str) -> None:
    network = build(model)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    choices = V + 1 if model == "bert" else V
    score = score_text(network, TOKENIZER, TEXT)
    assert score.loss == pytest.approx(math.log(choices), rel=1e-5)
    assert (score.tokens, score.characters, score.unknown) == (86, 86, 0)
    each = f"{math.log2(choices):.4f}"
    if model == "bert":
        assert isinstance(score, MaskedScore)
        table = score.table()
        assert table["bits per masked token"] == each
        assert table["pseudo-perplexity"] == f"{choices:.4g}"
        assert "perplexity" not in table
    else:
        assert isinstance(score, TextScore)
        table = score.table()
        assert table["bits per token"] == table["bits per character"] == each
        assert table["perplexity"] == f"{choices:.4g}"


def test_a_character_is_measured_where_tokens_are_longer() -> None:
    score = TextScore(math.log(8), tokens=10, characters=40, unknown=1)
    assert score.table()["bits per token"] == "3.0000"
    assert score.table()["bits per character"] == "0.7500"


def test_what_a_run_watches_is_what_it_is_measured_by() -> None:
    for model in ("gru", "gpt"):
        network = build(model)
        found = validation_loss(network, ids(), V)
        assert found == score_text(network, TOKENIZER, TEXT).loss
    network = bert()
    assert (
        validation_loss(network, ids(), V) == masked_loss(network, ids(), V)[0]
    )


def test_unknown_tokens_are_counted() -> None:
    assert score_text(build("rnn"), TOKENIZER, "a cat? no: ZZ").unknown == 4


def test_a_text_must_have_two_tokens() -> None:
    for text in ("", "a"):
        with pytest.raises(ValueError, match="it needs two or more"):
            score_text(build("gpt"), TOKENIZER, text)
        with pytest.raises(ValueError, match="it needs two or more"):
            validation_loss(build("gpt"), ids()[: len(text)], V)
