"""The encoder-decoder equals a loop over single cells, and padding is mute."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nlp_course.lstm import lstm_cell
from nlp_course.parity import largest_difference
from nlp_course.seq2seq import (
    Decoder,
    Encoder,
    Seq2Seq,
    State,
    sentence_losses,
    translation_loss,
)
from nlp_course.training import generator, seeded

TOLERANCE = 1e-12
SOURCE, TARGET = 9, 8  # sizes of the vocabularies
directions = pytest.mark.parametrize("bidirectional", [False, True])


@dataclass(frozen=True)
class Case:
    """A model in float64 and sentences of different lengths."""

    seed: int = 0
    lengths: tuple[int, ...] = (4, 1, 3)
    written: tuple[int, ...] = (2, 5, 1)
    bidirectional: bool = False

    @property
    def model(self) -> Seq2Seq:
        with seeded(self.seed):
            model = Seq2Seq(
                SOURCE,
                TARGET,
                embedding=3,
                hidden=4,
                bidirectional=self.bidirectional,
            )
        return model.double()

    def draw(
        self, lengths: tuple[int, ...], ids: int
    ) -> tuple[Tensor, Tensor]:
        rng = generator(self.seed + len(lengths) + ids)
        words = torch.randint(
            4, ids, (len(lengths), max(lengths)), generator=rng
        )
        counts = torch.tensor(lengths)
        real = torch.arange(max(lengths)) < counts[:, None]
        return torch.where(real, words, 0), counts

    @property
    def source(self) -> tuple[Tensor, Tensor]:
        return self.draw(self.lengths, SOURCE)

    @property
    def target(self) -> tuple[Tensor, Tensor, Tensor]:
        """What is fed, what is asked for, and how much of it is real."""
        words, counts = self.draw(self.written, TARGET)
        words[torch.arange(len(counts)), counts - 1] = 3  # </s>
        fed = torch.cat([torch.full_like(words[:, :1], 2), words[:, :-1]], 1)
        fed[fed == 3] = 0  # past the end
        return fed, words, counts


cases = st.builds(
    lambda seed, sizes, both: Case(
        seed, tuple(n for n, _ in sizes), tuple(t for _, t in sizes), both
    ),
    st.integers(0, 999),
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4
    ),
    st.booleans(),
)


def read(lstm: nn.LSTM, words: Tensor, start: State, suffix: str) -> Tensor:
    """Our cell over one sentence ``(N, E)``: states h and c, ``(N, 2, H)``."""
    weights = dict(lstm.named_parameters())
    W, U = weights[f"weight_ih_l0{suffix}"], weights[f"weight_hh_l0{suffix}"]
    b = weights[f"bias_ih_l0{suffix}"] + weights[f"bias_hh_l0{suffix}"]
    (h, c), states = start, []
    for x in words:
        h, c = lstm_cell(W @ x, h, c, U, b)
        states.append(torch.stack([h, c]))
    return torch.stack(states)


def encode_by_loop(encoder: Encoder, words: Tensor) -> tuple[Tensor, State]:
    """States and last states of one sentence without padding."""
    x = encoder.embed.weight[words]
    H = encoder.lstm.hidden_size
    zero = State(x.new_zeros(H), x.new_zeros(H))
    forward = read(encoder.lstm, x, zero, "")
    if not encoder.lstm.bidirectional:
        return forward[:, 0], State(*forward[-1])
    back = read(encoder.lstm, x.flip(0), zero, "_reverse").flip(0)
    last = torch.cat([forward[-1], back[0]], dim=-1)
    return torch.cat([forward[:, 0], back[:, 0]], dim=-1), State(*last)


def logits_by_loop(model: Seq2Seq, words: Tensor, fed: Tensor) -> Tensor:
    """Scores for one pair, word by word: ``(T, V)``."""
    _, last = encode_by_loop(model.encoder, words)
    decoder = model.decoder
    states = read(decoder.lstm, decoder.embed.weight[fed], last, "")
    return states[:, 0] @ decoder.readout.weight.T + decoder.readout.bias


@settings(max_examples=40, deadline=None)
@given(case=cases)
def test_it_equals_a_loop_over_cells(case: Case) -> None:
    model = case.model
    (x, n), (fed, w, t) = case.source, case.target
    found = translation_loss(model(x, n, fed), w, t)
    total = torch.zeros((), dtype=torch.float64)
    for row in range(len(n)):
        logits = logits_by_loop(model, x[row, : n[row]], fed[row, : t[row]])
        log_p = logits.log_softmax(dim=-1)
        for step in range(int(t[row])):
            total = total - log_p[step, w[row, step]]
    wanted = total / int(t.sum())
    weights = list(model.parameters())
    pairs = zip(
        [found.detach(), *torch.autograd.grad(found, weights)],
        [wanted.detach(), *torch.autograd.grad(wanted, weights)],
        strict=True,
    )
    assert largest_difference(pairs) < TOLERANCE


@settings(max_examples=30, deadline=None)
@given(case=cases)
@torch.no_grad()
def test_encoder_states_equal_those_of_the_loop(case: Case) -> None:
    encoder = case.model.encoder
    x, n = case.source
    encoded = encoder(x, n)
    for row, length in enumerate(n.tolist()):
        states, last = encode_by_loop(encoder, x[row, :length])
        pairs = [(encoded.states[row, :length], states)]
        pairs += [(a[row], b) for a, b in zip(encoded.last, last, strict=True)]
        assert largest_difference(pairs) < TOLERANCE
        assert not encoded.states[row, length:].any()
        assert encoded.mask[row].sum() == length


@settings(max_examples=30, deadline=None)
@given(case=cases)
@torch.no_grad()
def test_word_by_word_equals_all_at_once(case: Case) -> None:
    """`step` fed with the true words is teacher forcing."""
    model = case.model
    (x, n), (fed, _, _) = case.source, case.target
    wanted = model(x, n, fed)
    state, found = model.encode(x, n), []
    for last in fed.unbind(dim=1):
        logits, state = model.step(last, state)
        found.append(logits)
    pairs = [(torch.stack(found, dim=1), wanted)]
    assert largest_difference(pairs) < TOLERANCE


@directions
def test_padding_has_no_influence(bidirectional: bool) -> None:
    case = Case(bidirectional=bidirectional)
    model = case.model
    (x, n), (fed, w, t) = case.source, case.target
    real = torch.arange(w.shape[1]) < t[:, None]

    def results(x: Tensor, fed: Tensor, w: Tensor) -> list[Tensor]:
        logits = model(x, n, fed)
        loss = translation_loss(logits, w, t)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        kept = logits.detach()[:, : real.shape[1]][real]
        return [kept, loss.detach(), *gradients]

    def longer(ids: Tensor, lengths: Tensor, fill: int) -> Tensor:
        wide = torch.cat([ids, torch.zeros_like(ids)], dim=1)
        steps = torch.arange(wide.shape[1])
        return torch.where(steps < lengths[:, None], wide, fill)

    changed = results(longer(x, n, 5), longer(fed, t, 6), longer(w, t, 7))
    pairs = zip(changed, results(x, fed, w), strict=True)
    assert largest_difference(pairs) < TOLERANCE


def test_no_gradient_comes_out_of_padding() -> None:
    case = Case()
    model = case.model
    (x, n), (fed, w, t) = case.source, case.target
    logits = model(x, n, fed)
    logits.retain_grad()
    translation_loss(logits, w, t).backward()
    assert logits.grad is not None
    real = torch.arange(w.shape[1]) < t[:, None]
    assert not logits.grad[~real].any()
    assert logits.grad[real].abs().sum(dim=-1).all()


def test_the_loss_is_the_sum_by_hand() -> None:
    logits = torch.tensor(
        [[[0.0, 1.0], [2.0, 0.0], [9.0, -9.0]], [[0.0, 0.0]] * 3]
    )
    target, lengths = (
        torch.tensor([[1, 0, 1], [0, 1, 0]]),
        torch.tensor([2, 3]),
    )
    first = torch.tensor(1.0).exp().add(1).log() - 1
    second = torch.tensor(2.0).exp().add(1).log() - 2
    wanted = torch.stack([first + second, 3 * torch.tensor(2.0).log()])
    found = sentence_losses(logits, target, lengths)
    assert torch.allclose(found, wanted)
    whole = translation_loss(logits, target, lengths)
    assert torch.allclose(whole, wanted.sum() / 5)


def test_scores_that_are_infinite_on_padding_do_no_harm() -> None:
    logits = torch.zeros(1, 2, 3)
    logits[0, 1] = torch.tensor([torch.inf, -torch.inf, torch.nan])
    logits.requires_grad_()
    loss = translation_loss(logits, torch.tensor([[1, 2]]), torch.tensor([1]))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert torch.allclose(loss, torch.tensor(3.0).log())
    assert torch.isfinite(gradient).all()


def test_the_decoder_is_told_by_its_start_alone() -> None:
    """Swap the states of two sentences: the translations swap, exactly."""
    case = Case(lengths=(4, 2), written=(3, 3))
    model = case.model
    (x, n), (fed, _, _) = case.source, case.target
    fed = fed[:1].expand(2, -1)  # the same words are fed to both
    h, c = model.encode(x, n)
    own, _ = model.decoder(fed, State(h, c))
    swapped, _ = model.decoder(fed, State(h.flip(0), c.flip(0)))
    assert torch.equal(swapped, own.flip(0))
    assert not torch.allclose(own[0], own[1])


def test_two_directions_keep_the_shapes() -> None:
    case = Case(bidirectional=True)
    x, n = case.source
    encoded = case.model.encoder(x, n)
    assert encoded.states.shape == (3, 4, 4)
    assert [tuple(s.shape) for s in encoded.last] == [(3, 4), (3, 4)]


def words(*shape: int) -> Tensor:
    return torch.full(shape, 4)


@pytest.mark.parametrize(
    ("source", "lengths", "message"),
    [
        (words(2, 0), words(2), "source is empty: shape"),
        (words(0, 3), words(0), "source is empty: shape"),
        (words(3), words(3), r"source must have shape \(batch, words\)"),
        (words(2, 3) + 9, words(2) - 1, "source holds ids from 13 to 13"),
        (words(2, 3), words(3) - 1, r"lengths must have shape \(2,\)"),
        (words(2, 3), words(2), "lengths run from 4 to 4"),
        (words(2, 3), words(2) - 4, "lengths run from 0 to 0"),
    ],
)
def test_a_bad_source_is_refused(
    source: Tensor, lengths: Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Case().model.encode(source, lengths)


def test_a_source_of_fractions_is_refused() -> None:
    with pytest.raises(TypeError, match="source must hold int64 ids"):
        Case().model.encode(torch.zeros(2, 3), words(2) - 1)


def test_a_start_that_does_not_fit_is_refused() -> None:
    decoder = Decoder(TARGET, 3, 4)
    good, bad = torch.zeros(2, 4), torch.zeros(1, 4)
    for name, start in (("h", State(bad, good)), ("c", State(good, bad))):
        with pytest.raises(ValueError, match=rf"start.{name} must have shape"):
            decoder(words(2, 3), start)
    with pytest.raises(ValueError, match="target_in is empty"):
        decoder(words(2, 0), State(good, good))


@pytest.mark.parametrize(
    ("logits", "target", "lengths", "message"),
    [
        ((2, 3, 5), words(2, 2), words(2), "logits .* must have the shape"),
        ((2, 3), words(2, 3), words(2), "logits .* must have the shape"),
        ((2, 3, 4), words(2, 3), words(2) - 1, "target holds ids from 4"),
        ((2, 3, 5), words(2, 3), words(2), "lengths run from 4 to 4"),
    ],
)
def test_a_loss_of_things_that_do_not_fit_is_refused(
    logits: tuple[int, ...], target: Tensor, lengths: Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        translation_loss(torch.zeros(logits), target, lengths)


@pytest.mark.parametrize("sizes", [(0, 3, 4), (9, 0, 4), (9, 3, 0)])
def test_sizes_below_one_are_refused(sizes: tuple[int, int, int]) -> None:
    for kind in (Encoder, Decoder):
        with pytest.raises(ValueError, match="must be a positive integer"):
            kind(*sizes)


def test_an_odd_width_has_no_two_halves() -> None:
    with pytest.raises(ValueError, match="hidden must be even"):
        Encoder(9, 3, 5, bidirectional=True)
