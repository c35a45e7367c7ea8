"""Muon for the matrices inside, AdamW for the rest, one optimizer."""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlp_course.bert import BERTConfig, BERTForPreTraining
from nlp_course.gpt import GPT, GPTConfig
from nlp_course.training import (
    TrainingConfig,
    generator,
    seeded,
    train,
)
from nlp_course.training.optimizers import (
    Together,
    inner_matrices,
    muon_with_adamw,
)

CONFIG = BERTConfig(13, longest=8, width=8, heads=2, layers=2, std=0.2)


def build(seed: int = 0) -> BERTForPreTraining:
    with seeded(seed):
        return BERTForPreTraining(CONFIG)


def loss_of(model: Any, step: int) -> Tensor:
    ids = torch.randint(13, (4, 8), generator=generator(step))
    words, pair = model(ids)
    loss = F.cross_entropy(words.flatten(0, 1), ids.flatten())
    return loss + F.cross_entropy(pair, ids[:, 0] % 2)


def steps(model: Any, optimizer: Together, numbers: range) -> None:
    for step in numbers:
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()


def weights_of(part: torch.optim.Optimizer) -> list[Tensor]:
    return [w for group in part.param_groups for w in group["params"]]


@pytest.mark.parametrize(
    "model",
    [build(), GPT(GPTConfig(13, longest=8, width=8, heads=2, layers=2))],
    ids=["bert", "gpt"],
)
def test_every_weight_has_one_optimizer(model: nn.Module) -> None:
    muon, adamw = muon_with_adamw(model).parts
    assert isinstance(muon, torch.optim.Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    names = {id(w): name for name, w in model.named_parameters()}
    inner = [names[id(w)] for w in weights_of(muon)]
    rest = [names[id(w)] for w in weights_of(adamw)]
    assert sorted(inner + rest) == sorted(names.values())
    assert len(inner) == 2 * 6, "Q, K, V, O and two of the feed-forward"
    for name, weight in model.named_parameters():
        inside = ".layers." in name and weight.dim() == 2
        assert (name in inner) == inside, name


def test_rates_and_decay() -> None:
    optimizer = muon_with_adamw(
        build(), muon_rate=0.3, adamw_rate=0.2, weight_decay=0.1
    )
    groups = optimizer.param_groups
    assert [group["lr"] for group in groups] == [0.3, 0.2]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.1]
    groups[0]["lr"] = 0.0
    assert optimizer.parts[0].param_groups[0]["lr"] == 0.0


def test_both_parts_move_their_weights() -> None:
    model = build()
    before = copy.deepcopy(model.state_dict())
    optimizer = muon_with_adamw(model)
    steps(model, optimizer, range(1))
    for name, weight in model.state_dict().items():
        assert not torch.equal(weight, before[name]), name
    optimizer.zero_grad()
    assert all(w.grad is None for w in model.parameters())


def test_a_step_of_muon_is_nearly_orthogonal() -> None:
    model = build()
    inner = inner_matrices(model)
    before = [w.detach().clone() for w in inner]
    steps(model, muon_with_adamw(model, muon_rate=0.01), range(1))
    for old, weight in zip(before, inner, strict=True):
        assert weight.grad is not None
        m, n = weight.shape
        scale = 0.01 * 0.2 * math.sqrt(max(m, n))
        change = (weight.detach() - old) / scale
        values = torch.linalg.svdvals(change)
        # a direction without any gradient stays without
        assert values.median() > 0.6
        assert values.max() < 1.5
        U, _, V = torch.linalg.svd(weight.grad, full_matrices=False)
        alike = F.cosine_similarity(
            change.flatten(), -(U @ V).flatten(), dim=0
        )
        assert alike > 0.8


def test_it_is_the_two_optimizers_side_by_side() -> None:
    together, apart = build(), build()
    optimizer = muon_with_adamw(together)
    inner = inner_matrices(apart)
    known = {id(w) for w in inner}
    rest = [w for w in apart.parameters() if id(w) not in known]
    parts = (
        torch.optim.Muon(
            inner, lr=2e-2, weight_decay=0, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, lr=4e-3, weight_decay=0, fused=True),
    )
    steps(together, optimizer, range(4))
    for step in range(4):
        apart.zero_grad()
        loss_of(apart, step).backward()
        for part in parts:
            part.step()  # type: ignore[no-untyped-call]
    for a, b in zip(together.parameters(), apart.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_kept_state_goes_on_bit_by_bit() -> None:
    whole = build()
    optimizer = muon_with_adamw(whole)
    steps(whole, optimizer, range(3))
    file = io.BytesIO()
    torch.save([whole.state_dict(), optimizer.state_dict()], file)
    steps(whole, optimizer, range(3, 7))

    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    again = build(seed=9)
    again.load_state_dict(weights)
    other = muon_with_adamw(again, muon_rate=1.0, adamw_rate=1.0)
    other.load_state_dict(state)
    steps(again, other, range(3, 7))
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)

    # and the state matters: without it the weights part
    forgetful = build(seed=9)
    forgetful.load_state_dict(weights)
    steps(forgetful, muon_with_adamw(forgetful), range(3, 7))
    parted = [
        not torch.equal(a, b)
        for a, b in zip(
            whole.parameters(), forgetful.parameters(), strict=True
        )
    ]
    assert all(parted)


def test_training_with_it_and_with_a_schedule() -> None:
    model = build()
    optimizer = muon_with_adamw(model, muon_rate=0.02, adamw_rate=0.01)
    seen = []

    def schedule(step: int) -> float:
        return 1 / step

    log = train(
        model,
        lambda step: loss_of(model, 0),
        TrainingConfig(steps=30),
        optimizer=optimizer,
        schedule=schedule,
        after=lambda step: seen.append(
            [group["lr"] for group in optimizer.param_groups]
        ),
    )
    losses = log.column("loss")
    assert losses[-1] < 0.85 * losses[0]
    assert seen[3] == [pytest.approx(0.02 / 4), pytest.approx(0.01 / 4)]


def test_errors() -> None:
    with pytest.raises(ValueError, match="Linear has no matrix inside a l"):
        muon_with_adamw(nn.Linear(3, 4))
    for name in ("muon_rate", "adamw_rate"):
        for value in (0.0, -1.0, float("nan")):
            rates = {name: value}
            with pytest.raises(ValueError, match=f"{name} must be positive"):
                muon_with_adamw(build(), **rates)
    optimizer = muon_with_adamw(build())
    with pytest.raises(ValueError, match="closure would be run once"):
        optimizer.step(lambda: 0.0)
    with pytest.raises(ValueError, match="that of 1 optimizers, here are 2"):
        optimizer.load_state_dict({"parts": [{}]})
