"""Translators with attention: protocol, padding, weights, and plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nlp_course.attention.scores import AdditiveScores, BilinearScores
from nlp_course.attention_seq2seq import (
    AttentionSeq2Seq,
    BahdanauSeq2Seq,
    LuongSeq2Seq,
)
from nlp_course.data.translation import number_corpus
from nlp_course.decoding import beam_search, greedy
from nlp_course.seq2seq import translation_loss
from nlp_course.training import TrainingConfig, generator, seeded
from nlp_course.training.translators import exact_match, train_translator

KINDS: dict[str, Callable[..., AttentionSeq2Seq]] = {
    "dot": LuongSeq2Seq,
    "bilinear": partial(LuongSeq2Seq, score="bilinear"),
    "additive": partial(LuongSeq2Seq, score="additive"),
    "bahdanau": BahdanauSeq2Seq,
}
kinds = pytest.mark.parametrize("kind", KINDS)


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    kind: str
    bidirectional: bool
    B: int
    T: int
    N: int
    half: int  # of the hidden units
    seed: int

    def model(self) -> AttentionSeq2Seq:
        with seeded(self.seed):
            return KINDS[self.kind](
                9,
                8,
                embedding=3,
                hidden=2 * self.half,
                bidirectional=self.bidirectional,
            ).double()

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        rng = torch.Generator().manual_seed(self.seed)
        source = torch.randint(9, (self.B, self.N), generator=rng)
        lengths = torch.randint(1, self.N + 1, (self.B,), generator=rng)
        return (
            source,
            lengths,
            torch.randint(8, (self.B, self.T), generator=rng),
        )


sizes = st.integers(1, 4)
cases = st.builds(
    Case,
    st.sampled_from(list(KINDS)),
    st.booleans(),
    sizes,
    sizes,
    sizes,
    st.integers(1, 3),
    st.integers(0, 2**32),
)


def assert_close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


def slopes(logits: Tensor, model: nn.Module) -> tuple[Tensor, ...]:
    """Gradients of one loss that depends on every score."""
    weigh = torch.linspace(-1, 2, logits.numel(), dtype=logits.dtype)
    loss = (logits.flatten() * weigh).sum()
    return torch.autograd.grad(loss, list(model.parameters()))


# --- the equations, with loops -----------------------------------------------


def look(
    query: Tensor, memory: Tensor, score: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Weights and context of one query over real states (n, H)."""
    parts = [score(query, h).exp() for h in memory]
    alpha = torch.stack(parts) / sum(parts)
    context = sum(
        (a * h for a, h in zip(alpha, memory, strict=True)),
        torch.zeros_like(memory[0]),
    )
    return alpha, context


def score_of(model: AttentionSeq2Seq) -> Callable[[Tensor, Tensor], Tensor]:
    net = model.scores
    if isinstance(net, AdditiveScores):
        return lambda s, h: net.v_a @ torch.tanh(net.W_a @ s + net.U_a @ h)
    if isinstance(net, BilinearScores):
        return lambda s, h: s @ net.W_e @ h
    return torch.dot


def by_loops(
    model: AttentionSeq2Seq, ids: Tensor, words: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores (T, V) and weights (T, n) of one sentence without padding."""
    n = torch.tensor([len(ids)])
    h, c, states, _ = model.encode(ids[None], n)
    memory, score = states[0], score_of(model)
    logits, weights = [], []
    for word in words:
        if isinstance(model, BahdanauSeq2Seq):
            alpha, context = look(h[0], memory, score)
            read = torch.cat([model.embed(word), context])
            h, c = model.cell(read[None], (h, c))
            readout = model.readout
        else:
            assert isinstance(model, LuongSeq2Seq)
            embedded = model.decoder.embed(word)[None, None]
            _, (h_new, c_new) = model.decoder.lstm(
                embedded, (h[None], c[None])
            )
            h, c = h_new[0], c_new[0]
            alpha, context = look(h[0], memory, score)
            readout = model.decoder.readout
        W_c = model.join.weight
        joined = torch.tanh(W_c @ torch.cat([context, h[0]]))
        logits.append(readout(joined))
        weights.append(alpha)
    return torch.stack(logits), torch.stack(weights)


@settings(max_examples=40)
@given(case=cases)
def test_scores_weights_and_gradients_are_those_of_the_loops(
    case: Case,
) -> None:
    model = case.model()
    source, lengths, words = case.batch()
    output = model.attention(source, lengths, words)
    rows = []
    for b, n in enumerate(lengths.tolist()):
        logits, weights = by_loops(model, source[b, :n], words[b])
        rows.append(logits)
        assert_close(output.weights[b, :, :n], weights)
        assert (output.weights[b, :, n:] == 0).all()
    wanted = torch.stack(rows)
    assert_close(output.logits, wanted)
    for one, two in zip(
        slopes(output.logits, model), slopes(wanted, model), strict=True
    ):
        assert_close(one, two)


# --- the protocol ------------------------------------------------------------


@settings(max_examples=40)
@given(case=cases)
def test_all_steps_at_once_are_step_by_step(case: Case) -> None:
    model = case.model()
    source, lengths, words = case.batch()
    forced = model(source, lengths, words)
    state, rows = model.encode(source, lengths), []
    for last in words.unbind(dim=1):
        logits, state = model.step(last, state)
        rows.append(logits)
    stepped = torch.stack(rows, dim=1)
    assert_close(stepped, forced)
    for one, two in zip(
        slopes(stepped, model), slopes(forced, model), strict=True
    ):
        assert_close(one, two)


@settings(max_examples=30)
@given(case=cases)
def test_padding_is_never_attended_to_and_has_no_influence(case: Case) -> None:
    model = case.model()
    source, lengths, words = case.batch()
    real = torch.arange(case.N) < lengths[:, None]
    output = model.attention(source, lengths, words)
    other = torch.where(real, source, (source + 1) % 9)
    changed = model.attention(other, lengths, words)
    assert torch.equal(changed.logits, output.logits)
    wider = torch.nn.functional.pad(source, (0, 3), value=5)
    longer = model.attention(wider, lengths, words)
    assert_close(longer.logits, output.logits)
    assert (longer.weights[..., case.N :] == 0).all()
    assert_close(longer.weights[..., : case.N], output.weights)
    alone = model.attention(source[:1, : lengths[0]], lengths[:1], words[:1])
    assert_close(alone.logits[0], output.logits[0])


@settings(max_examples=30)
@given(case=cases)
def test_weights_are_one_row_for_each_word(case: Case) -> None:
    output = case.model().attention(*case.batch())
    assert output.weights.shape == (case.B, case.T, case.N)
    assert output.logits.shape == (case.B, case.T, 8)
    assert (output.weights >= 0).all()
    sums = output.weights.sum(dim=-1)
    assert_close(sums, torch.ones_like(sums))


@settings(max_examples=30)
@given(case=cases)
def test_a_word_has_no_influence_on_those_before_it(case: Case) -> None:
    model = case.model()
    source, lengths, words = case.batch()
    output = model.attention(source, lengths, words)
    other = words.clone()
    other[:, -1] = (other[:, -1] + 1) % 8
    changed = model.attention(source, lengths, other)
    assert torch.equal(changed.logits[:, :-1], output.logits[:, :-1])


def test_luong_asks_after_the_word_and_bahdanau_before_it() -> None:
    """The last word moves the weights of its own step, or does not."""
    for kind, moves in (
        ("dot", True),
        ("additive", True),
        ("bahdanau", False),
    ):
        case = Case(kind, True, 2, 3, 4, 3, seed=1)
        model = case.model()
        source, _, words = case.batch()
        lengths = torch.tensor([4, 3])
        before = model.attention(source, lengths, words).weights
        words[:, -1] = (words[:, -1] + 1) % 8
        after = model.attention(source, lengths, words).weights
        assert torch.equal(after[:, :-1], before[:, :-1])
        assert bool((after - before).abs().max() > 1e-6) == moves


@kinds
def test_the_order_of_the_memory_does_not_matter(kind: str) -> None:
    case = Case(kind, False, 2, 3, 4, 2, seed=3)
    model = case.model()
    source, lengths, words = case.batch()
    state = model.encode(source, lengths)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = state._replace(
        states=state.states[:, order], mask=state.mask[:, order]
    )
    straight, _ = model.run(words, state)
    other, _ = model.run(words, shuffled)
    assert_close(other.logits, straight.logits)
    assert_close(other.weights, straight.weights[..., order])


@kinds
def test_greedy_and_beam_search_work_unchanged(kind: str) -> None:
    case = Case(kind, True, 4, 1, 4, 3, seed=5)
    model = case.model()
    source, lengths, _ = case.batch()
    found = greedy(model, source, lengths, 6)
    one = beam_search(model, source, lengths, 6, beams=1)
    assert torch.equal(found.ids, one.ids)
    assert_close(found.log_probs, one.log_probs)
    three = beam_search(model, source, lengths, 6, beams=3)
    for row in range(4):  # each sentence keeps its own source
        alone = beam_search(
            model, source[row : row + 1], lengths[row : row + 1], 6, beams=3
        )
        T = alone.ids.shape[1]
        assert torch.equal(alone.ids[0], three.ids[row, :T])
        assert_close(alone.log_probs[0], three.log_probs[row])
    # the sum of the log probabilities is that of teacher forcing
    words = torch.cat([torch.full((4, 1), 2), found.ids[:, :-1]], dim=1)
    logits = model(source, lengths, words)
    log_p = logits.log_softmax(dim=-1).gather(-1, found.ids[..., None])
    real = torch.arange(found.ids.shape[1]) < found.lengths[:, None]
    total = (log_p[..., 0] * real).sum(dim=1)
    assert_close(found.log_probs, total)


# --- sizes and errors --------------------------------------------------------


def test_the_weights_are_those_of_the_equations() -> None:
    model = LuongSeq2Seq(9, 8, embedding=3, hidden=4)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes["join.weight"] == (4, 8)  # W_c (H, 2H)
    assert "join.bias" not in shapes
    assert not [name for name in shapes if name.startswith("scores")]
    other = BahdanauSeq2Seq(9, 8, embedding=3, hidden=4)
    assert other.cell.weight_ih.shape == (16, 7)  # reads E + H numbers
    plain = sum(p.numel() for p in model.parameters())
    bilinear = LuongSeq2Seq(9, 8, embedding=3, hidden=4, score="bilinear")
    assert sum(p.numel() for p in bilinear.parameters()) == plain + 16


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="additive\", not 'cosine'"):
        LuongSeq2Seq(9, 8, score="cosine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hidden must be even"):
        BahdanauSeq2Seq(9, 8, hidden=3, bidirectional=True)
    with pytest.raises(ValueError, match="must be a positive integer"):
        LuongSeq2Seq(9, 0)


@kinds
def test_wrong_sentences_are_refused(kind: str) -> None:
    case = Case(kind, False, 2, 3, 4, 2, seed=0)
    model = case.model()
    source, lengths, words = case.batch()
    with pytest.raises(ValueError, match="source is empty"):
        model(source[:, :0], lengths, words)
    with pytest.raises(ValueError, match="lengths run from"):
        model(source, lengths + 4, words)
    with pytest.raises(ValueError, match="target_in"):
        model(source, lengths, words[:, :0])
    with pytest.raises(ValueError, match="vocabulary"):
        model(source, lengths, words + 8)
    with pytest.raises(TypeError, match="int64 ids"):
        model(source, lengths, words.double())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dot", "bahdanau"])
def test_it_learns_to_translate_short_numbers(kind: str) -> None:
    corpus = number_corpus("fr", generator(0), train=2_000, most_digits=3)
    build = partial(KINDS[kind], len(corpus.source), len(corpus.target))
    model, log = train_translator(
        build, corpus, 0, TrainingConfig(steps=150, learning_rate=8e-3),
        batch=32,
    )  # fmt: skip
    loss = log.column("loss")
    assert loss[-10:].mean() < 0.15 * loss[:10].mean()
    assert exact_match(model, corpus, corpus.test).float().mean() > 0.6
    batch = corpus.batch(corpus.test)
    logits = model(batch.source, batch.source_lengths, batch.target_in)
    held_out = translation_loss(logits, batch.target, batch.target_lengths)
    assert held_out < 0.3 * math.log(len(corpus.target))
