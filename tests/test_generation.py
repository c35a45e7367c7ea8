"""Choosing tokens, and writing with and without what was kept."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.generation import generate, next_probabilities, stream
from nlp_course.gpt import GPT, GPTConfig
from nlp_course.language_model import LanguageModel
from nlp_course.parity import largest_difference
from nlp_course.training import generator, seeded

DOUBLE: dict[str, Any] = {"dtype": torch.float64}


def scores(B: int = 5, V: int = 12, seed: int = 0) -> Tensor:
    rng = generator(seed)
    return 2 * torch.randn(B, V, generator=rng, dtype=torch.float64)


def slow(
    row: list[float],
    temperature: float,
    top_k: int | None,
    top_p: float | None,
) -> list[float]:
    """The definitions, one token after another; no ties."""
    highest = max(row)
    weight = [math.exp((y - highest) / temperature) for y in row]
    order = sorted(range(len(row)), key=lambda j: -row[j])
    kept = order if top_k is None else order[:top_k]
    if top_p is not None:
        whole = sum(weight[j] for j in kept)
        share, fewest = 0.0, []
        for j in kept:
            fewest.append(j)
            share += weight[j] / whole
            if share >= top_p:
                break
        kept = fewest
    whole = sum(weight[j] for j in kept)
    return [weight[j] / whole if j in kept else 0.0 for j in range(len(row))]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [None, 1, 4, 12, 50])
@pytest.mark.parametrize("top_p", [None, 0.05, 0.5, 0.9, 1.0])
def test_probabilities_are_those_of_the_definitions(
    temperature: float, top_k: int | None, top_p: float | None
) -> None:
    logits = scores()
    found = next_probabilities(
        logits, temperature=temperature, top_k=top_k, top_p=top_p
    )
    wanted = [slow(r, temperature, top_k, top_p) for r in logits.tolist()]
    assert largest_difference([(found, torch.tensor(wanted, **DOUBLE))]) < (
        1e-12
    )


@pytest.mark.parametrize("temperature", [0.4, 1.7])
@pytest.mark.parametrize("top_k", [None, 3])
@pytest.mark.parametrize("top_p", [None, 0.3, 0.8])
def test_probabilities_are_those_of_transformers(
    temperature: float, top_k: int | None, top_p: float | None
) -> None:
    kinds = pytest.importorskip("transformers.generation.logits_process")
    chain = [kinds.TemperatureLogitsWarper(temperature)]
    if top_k is not None:
        chain.append(kinds.TopKLogitsWarper(top_k))
    if top_p is not None:
        chain.append(kinds.TopPLogitsWarper(top_p))
    logits = scores(8, 40, seed=1)
    wanted = logits
    for warp in chain:
        wanted = warp(None, wanted)
    found = next_probabilities(
        logits, temperature=temperature, top_k=top_k, top_p=top_p
    )
    assert largest_difference([(found, wanted.softmax(dim=-1))]) < 1e-12


def test_top_p_keeps_the_fewest_tokens_that_reach_it() -> None:
    p = torch.tensor([[0.1, 0.5, 0.25, 0.15]], **DOUBLE)
    for top_p, kept in ((0.5, 1), (0.51, 2), (0.75, 2), (0.76, 3), (0.91, 4)):
        found = next_probabilities(p.log(), top_p=top_p)
        assert int((found > 0).sum()) == kept, top_p
        assert (p[found > 0].sum() >= top_p - 1e-12).all()
    exact = next_probabilities(p.log(), top_p=0.75)
    wanted = torch.tensor([[0, 2 / 3, 1 / 3, 0]], **DOUBLE)
    torch.testing.assert_close(exact, wanted)


def test_the_temperature_comes_before_top_p() -> None:
    p = torch.tensor([[0.6, 0.3, 0.1]], **DOUBLE)
    # p² / sum is 0.78, 0.20, 0.02: now the first alone has three quarters
    found = next_probabilities(p.log(), temperature=0.5, top_p=0.75)
    assert torch.equal(found > 0, torch.tensor([[True, False, False]]))


def test_top_p_looks_at_what_top_k_has_left() -> None:
    p = torch.tensor([[0.4, 0.3, 0.2, 0.1]], **DOUBLE)
    # of the two that are left the first has 4/7 > 0.5
    found = next_probabilities(p.log(), top_k=2, top_p=0.5)
    assert int((found > 0).sum()) == 1


def test_no_token_is_lost_at_a_top_p_of_one() -> None:
    logits = scores(2, 50_000, seed=3).float()
    assert (next_probabilities(logits, top_p=1.0) > 0).all()
    assert torch.equal(
        next_probabilities(logits, top_p=1.0), next_probabilities(logits)
    )
    # the share of the first is 1 in floating point, but the second is there
    sure = torch.tensor([[60.0, 0.0]], **DOUBLE)
    assert (next_probabilities(sure, top_p=1.0) > 0).all()


def test_of_equal_tokens_as_many_stay_as_are_asked_for() -> None:
    logits = torch.zeros(1, 10, **DOUBLE)
    assert int((next_probabilities(logits, top_k=3) > 0).sum()) == 3
    assert int((next_probabilities(logits, top_p=0.35) > 0).sum()) == 4
    assert int((next_probabilities(logits, temperature=0) > 0).sum()) == 1


@pytest.mark.parametrize("temperature", [0, 1e-300, 1e-6])
def test_a_temperature_towards_zero_is_greedy(temperature: float) -> None:
    logits = scores()
    found = next_probabilities(logits, temperature=temperature)
    wanted = nn.functional.one_hot(logits.argmax(dim=-1), 12).double()
    torch.testing.assert_close(found, wanted)
    # and float32 cannot overflow either
    single = next_probabilities(logits.float(), temperature=1e-30)
    torch.testing.assert_close(single, wanted.float())


def test_entropy_grows_with_the_temperature() -> None:
    logits = scores(20, 9)
    entropies = []
    for temperature in (0.05, 0.2, 0.5, 1.0, 2.0, 10.0):
        p = next_probabilities(logits, temperature=temperature)
        entropies.append(-(p * p.clamp(min=1e-300).log()).sum(dim=-1))
    for low, high in itertools.pairwise(entropies):
        assert (high > low).all()


def test_a_token_that_cannot_come_never_comes() -> None:
    logits = scores(3, 6)
    logits[:, 2] = -torch.inf
    kinds: list[dict[str, Any]] = [
        {},
        {"top_p": 0.99},
        {"top_k": 6},
        {"temperature": 9.0},
    ]
    for options in kinds:
        found = next_probabilities(logits, **options)
        assert torch.isfinite(found).all()
        assert (found[:, 2] == 0).all()


# ---- writing --------------------------------------------------------------


def gpt(longest: int = 12, seed: int = 0) -> GPT:
    with seeded(seed):
        return GPT(GPTConfig(9, longest, 16, 2, 2, std=0.4), **DOUBLE)


def recurrent(cell: Any) -> LanguageModel:
    with seeded(0):
        return LanguageModel(9, 4, 6, cell).double()


def prompt(B: int = 3, T: int = 4, seed: int = 1) -> Tensor:
    return torch.randint(9, (B, T), generator=generator(seed))


WRITERS = [
    pytest.param(gpt, id="gpt"),
    *(
        pytest.param(lambda cell=cell: recurrent(cell), id=cell.__name__)
        for cell in (nn.RNN, nn.LSTM, nn.GRU)
    ),
]


@pytest.mark.parametrize("build", WRITERS)
@pytest.mark.parametrize("steps", [1, 8, 40])
@pytest.mark.parametrize(
    "options", [{"temperature": 0}, {"top_k": 4}, {"top_p": 0.8}]
)
def test_the_same_tokens_with_and_without_a_cache(
    build: Any, steps: int, options: dict[str, Any]
) -> None:
    """Also beyond the longest context, 12 tokens."""
    model, ids = build(), prompt()
    with_cache, without = (
        generate(
            model, ids, steps, rng=generator(7), use_cache=kept, **options
        )
        for kept in (True, False)
    )
    assert with_cache.shape == (3, 4 + steps)
    assert torch.equal(with_cache[:, :4], ids)
    assert torch.equal(with_cache, without)


def greedily(model: GPT, ids: Tensor, steps: int) -> Tensor:
    """The slow reference: the older half goes when the context is full."""
    context = ids
    for _ in range(steps):
        if context.shape[1] > model.longest:
            context = context[:, -(model.longest // 2) :]
        best = model(context)[:, -1:].argmax(dim=-1)  # (B, 1)
        context, ids = torch.cat([context, best], 1), torch.cat([ids, best], 1)
    return ids


@pytest.mark.parametrize("length", [1, 4, 12, 13, 30])
@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_writing_takes_the_likeliest_token(
    length: int, use_cache: bool
) -> None:
    model, ids = gpt(), prompt(T=length)
    found = generate(model, ids, 30, temperature=0, use_cache=use_cache)
    assert torch.equal(found, greedily(model, ids, 30))
    assert len(set(found[0].tolist())) > 2, "not one token again and again"


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_a_tiny_context_will_do(longest: int) -> None:
    found = generate(gpt(longest), prompt(), 10, temperature=0)
    assert found.shape == (3, 14)


def test_greedy_writing_is_that_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    with seeded(2):
        reference = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=9, n_positions=30, n_embd=16, n_layer=2, n_head=2,
                initializer_range=0.4, bos_token_id=None, eos_token_id=None,
            )
        ).double().eval()  # fmt: skip
    reference.save_pretrained(tmp_path)
    ours = GPT.from_pretrained(tmp_path, dtype=torch.float64)
    ids = prompt(B=2)
    wanted = reference.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=20,
        do_sample=False,
        pad_token_id=0,
    )
    assert torch.equal(generate(ours, ids, 20, temperature=0), wanted)
    assert len(set(wanted[0].tolist())) > 2, "not one token again and again"


@pytest.mark.parametrize("build", WRITERS)
def test_chance_comes_from_the_generator_alone(build: Any) -> None:
    model, ids = build(), prompt()
    first = generate(model, ids, 12, rng=generator(3))
    torch.manual_seed(1)
    assert torch.equal(generate(model, ids, 12, rng=generator(3)), first)
    assert not torch.equal(generate(model, ids, 12, rng=generator(4)), first)
    before = torch.get_rng_state()
    generate(model, ids, 3, rng=generator(3))
    assert torch.equal(torch.get_rng_state(), before)


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    model, ids = gpt(), prompt(1).expand(4000, -1)
    drawn = generate(model, ids, 1, rng=generator(0), top_k=5)[:, -1]
    share = drawn.bincount(minlength=9) / 4000
    wanted = next_probabilities(model.extend(ids[:1])[0], top_k=5)[0]
    assert (share - wanted).abs().max() < 0.04
    assert (share[wanted == 0] == 0).all()


def test_a_stream_gives_one_token_at_a_time_and_does_not_end() -> None:
    model, ids = gpt(), prompt()
    tokens = stream(model, ids, rng=generator(0))
    first = [next(tokens) for _ in range(30)]
    assert all(token.shape == (3,) for token in first)
    wanted = generate(model, ids, 30, rng=generator(0))
    assert torch.equal(torch.stack(first, dim=1), wanted[:, 4:])


def test_the_cache_spares_reading_again() -> None:
    model, ids = gpt(), prompt()
    lengths: list[int] = []
    read = model.extend

    def watched(new: Tensor, state: Any = None) -> Any:
        lengths.append(new.shape[1])
        return read(new, state)

    model.extend = watched  # type: ignore[assignment, method-assign]
    generate(model, ids, 6)
    assert lengths == [4, 1, 1, 1, 1, 1]
    lengths.clear()
    generate(model, ids, 6, use_cache=False)
    assert lengths == [4, 5, 6, 7, 8, 9]


def test_writing_leaves_no_gradient_and_the_prompt_alone() -> None:
    model, ids = gpt(), prompt()
    before = ids.clone()
    generate(model, ids, 5)
    assert torch.equal(ids, before)
    assert all(weight.grad is None for weight in model.parameters())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"temperature": -1.0}, "temperature must be a number from 0"),
    ({"temperature": math.inf}, "temperature must be a number from 0"),
    ({"temperature": math.nan}, "temperature must be a number from 0"),
    ({"top_k": 0}, "top_k must be a positive integer"),
    ({"top_k": 2.5}, "top_k must be a positive integer"),
    ({"top_p": 0.0}, "top_p must be above 0"),
    ({"top_p": 1.01}, "top_p must be above 0"),
    ({"top_p": math.nan}, "top_p must be above 0"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_options_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        next_probabilities(scores(), **options)
    with pytest.raises(ValueError, match=message):
        stream(gpt(), prompt(), **options)  # before the first token is asked
    with pytest.raises(ValueError, match=message):
        generate(gpt(), prompt(), 2, **options)


def test_clear_errors() -> None:
    with pytest.raises(ValueError, match=r"\(batch, V\)"):
        next_probabilities(scores()[0])
    with pytest.raises(TypeError, match="logits must be"):
        next_probabilities([1.0, 2.0])  # type: ignore[arg-type]
    for wrong in (prompt()[0], prompt()[:, :0], prompt()[:0]):
        with pytest.raises(ValueError, match="at least one token to begin"):
            generate(gpt(), wrong, 3)
    for steps in (0, -1, 1.5):
        with pytest.raises(ValueError, match="steps must be a positive"):
            generate(gpt(), prompt(), steps)  # type: ignore[arg-type]
