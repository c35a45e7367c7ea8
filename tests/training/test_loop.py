"""The loop does what the same five lines do when written out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.training import (
    Ensemble,
    TrainingConfig,
    TrainingLog,
    generator,
    seeded,
    train,
)
from nlp_course.training.ensemble import clip_gradients
from nlp_course.training.loop import WarmUpThenDecay


def network() -> nn.Linear:
    with seeded(0):
        return nn.Linear(3, 1, dtype=torch.float64)


def loss_for(model: nn.Module) -> Callable[[int], Tensor]:
    """A regression on data that depend on the step alone."""

    def loss_of(step: int) -> Tensor:
        x = torch.randn(8, 3, generator=generator(step), dtype=torch.float64)
        loss: Tensor = (model(x)[:, 0] - x[:, 0] + 2 * x[:, 2]).square()
        return loss.mean()

    return loss_of


def test_a_network_learns_and_the_log_tells() -> None:
    model = network()
    config = TrainingConfig(steps=150, learning_rate=0.1)
    loss = train(model, loss_for(model), config).column("loss")
    assert loss.shape == (150,)
    assert loss[-20:].mean() < 0.01 * loss[:20].mean()
    wanted = torch.tensor([[1.0, 0.0, -2.0]], dtype=torch.float64)
    assert (model.weight - wanted).abs().max() < 0.1


@pytest.mark.parametrize("clip", [None, 0.5])
def test_it_equals_the_loop_written_out(clip: float | None) -> None:
    model, twin = network(), network()
    config = TrainingConfig(steps=12, learning_rate=0.03, clip_norm=clip)
    log = train(model, loss_for(model), config)

    optimizer = torch.optim.Adam(twin.parameters(), lr=0.03)
    loss_of, losses, norms = loss_for(twin), [], []
    for step in range(1, 13):
        optimizer.zero_grad()
        loss = loss_of(step)
        loss.backward()
        limit = float("inf") if clip is None else clip
        norm = nn.utils.clip_grad_norm_(twin.parameters(), limit)
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm.item())
    # PyTorch adds 1e-6 to a norm before it divides by it
    torch.testing.assert_close(model.weight, twin.weight, rtol=1e-4, atol=1e-6)
    assert log.column("loss").tolist() == pytest.approx(losses, rel=1e-4)
    found = log.column("gradient_norm").tolist()
    assert found == pytest.approx(norms, rel=1e-4)
    assert found[0] > 0.5, "the norm before clipping, not after"


def test_every_step_is_taken_once_in_order() -> None:
    model = network()
    inner, seen = loss_for(model), []

    def loss_of(step: int) -> Tensor:
        seen.append(step)
        return inner(step)

    log = train(model, loss_of, TrainingConfig(steps=7, log_every=3))
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert log.column("step").tolist() == [3, 6, 7], "the last one always"
    assert set(log.records[0]) == {"step", "loss", "gradient_norm"}


def test_another_optimizer_may_be_given() -> None:
    model = network()
    before = copy.deepcopy(model)
    sgd = torch.optim.SGD(model.parameters(), lr=0.25)
    config = TrainingConfig(steps=1, learning_rate=99.0, clip_norm=None)
    train(model, loss_for(model), config, optimizer=sgd)
    loss_for(before)(1).backward()
    assert before.weight.grad is not None
    wanted = before.weight - 0.25 * before.weight.grad
    torch.testing.assert_close(model.weight, wanted)


def test_old_gradients_do_not_count() -> None:
    model, twin = network(), network()
    (1e6 * model.weight.sum()).backward()
    for net in (model, twin):
        train(net, loss_for(net), TrainingConfig(steps=3))
    assert torch.equal(model.weight, twin.weight)


def test_the_model_is_put_into_training_mode() -> None:
    model = network().eval()
    train(model, loss_for(model), TrainingConfig(steps=1))
    assert model.training


def test_the_defaults_are_those_of_the_config() -> None:
    model = network()
    log = train(model, loss_for(model))
    assert len(log) == TrainingConfig().steps


def test_a_frozen_weight_stays_and_the_others_learn() -> None:
    model = network()
    assert model.bias is not None
    model.bias.requires_grad_(False)
    bias, weight = model.bias.clone(), model.weight.detach().clone()
    train(model, loss_for(model), TrainingConfig(steps=2))
    assert torch.equal(model.bias, bias)
    assert not torch.equal(model.weight, weight)


def test_more_columns_may_be_recorded_after_the_update() -> None:
    model = network()
    seen: list[Tensor] = []

    def record() -> dict[str, Tensor]:
        seen.append(model.weight.detach().clone())
        return {"first": model.weight[0, 0].detach()}

    config = TrainingConfig(steps=5, log_every=2)
    log = train(model, loss_for(model), config, record=record)
    assert log.column("step").tolist() == [2, 4, 5]
    wanted = [weight[0, 0].item() for weight in seen]
    assert log.column("first").tolist() == wanted
    assert torch.equal(seen[-1], model.weight)


@pytest.mark.parametrize("size", [(1,), (8,), (2, 2)])
def test_a_network_has_one_loss(size: tuple[int, ...]) -> None:
    model = network()
    before = model.weight.detach().clone()

    def loss_of(_step: int) -> Tensor:
        return model.weight.sum() * torch.ones(size, dtype=torch.float64)

    with pytest.raises(ValueError, match="one loss for each network") as e:
        train(model, loss_of)
    assert f"shape (), not {size}" in str(e.value)
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize("size", [(), (2,), (3, 1)])
def test_an_ensemble_has_one_loss_for_each(size: tuple[int, ...]) -> None:
    """A mean over the networks would divide every gradient by their number."""
    model = Ensemble(network, [0, 1, 2])

    def loss_of(_step: int) -> Tensor:
        total = sum(p.sum() for p in model.parameters())
        return total * torch.ones(size, dtype=torch.float64)

    with pytest.raises(ValueError, match=r"shape \(3,\), not"):
        train(model, loss_of)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps must be a positive integer, not 0"),
        ({"steps": 2.5}, "steps must be a positive integer, not 2.5"),
        ({"log_every": 0}, "log_every must be a positive integer"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
        ({"learning_rate": -1.0}, "learning_rate must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate .* not nan"),
        ({"clip_norm": 0.0}, "clip_norm must be positive, or None"),
        ({"clip_norm": float("nan")}, "clip_norm .* not nan"),
    ],
)
def test_a_value_out_of_range_is_named(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        TrainingConfig(**options)


def test_a_network_that_has_diverged_shows_it() -> None:
    """NaN is logged and not hidden; the loop itself does not stop."""
    model = network()

    def loss_of(step: int) -> Tensor:
        factor = float("inf") if step == 2 else 1.0
        return (model.weight * factor).sum()

    loss = train(model, loss_of, TrainingConfig(steps=4)).column("loss")
    assert loss.isfinite().tolist() == [True, False, False, False]


def test_the_clipping_is_that_of_the_ensemble_module() -> None:
    """One step of plain descent by a clipped gradient has that length."""
    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    config = TrainingConfig(steps=1, clip_norm=1e-3)
    train(model, loss_for(model), config, optimizer=sgd)
    moved = [
        (p - q).flatten()
        for p, q in zip(model.parameters(), before, strict=True)
    ]
    assert torch.cat(moved).norm().item() == pytest.approx(1e-3)
    assert clip_gradients(model, 1.0).item() == pytest.approx(1e-3)


def test_a_schedule_sets_the_rate_of_every_step() -> None:
    model, twin = network(), network()
    factors = {1: 0.5, 2: 1.0, 3: 0.25}
    config = TrainingConfig(steps=3, learning_rate=0.1, clip_norm=None)
    train(model, loss_for(model), config, schedule=factors.__getitem__)

    optimizer = torch.optim.Adam(twin.parameters(), lr=0.1)
    loss_of = loss_for(twin)
    for step, factor in factors.items():
        optimizer.param_groups[0]["lr"] = 0.1 * factor
        optimizer.zero_grad()
        loss_of(step).backward()
        optimizer.step()
    assert torch.allclose(model.weight, twin.weight, atol=1e-12)
    assert torch.allclose(model.bias, twin.bias, atol=1e-12)


def test_each_group_of_weights_keeps_its_own_rate() -> None:
    model = network()
    groups = [
        {"params": [model.weight], "lr": 0.1},
        {"params": [model.bias], "lr": 0.02},
    ]
    optimizer = torch.optim.SGD(groups)
    config = TrainingConfig(steps=2)
    train(
        model,
        loss_for(model),
        config,
        optimizer=optimizer,
        schedule=lambda step: 1 / step,
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == pytest.approx([0.05, 0.01])


@pytest.mark.parametrize("done", [1, 3, 6])
def test_a_training_goes_on_where_it_was_left(done: int) -> None:
    """Same model and optimizer, the steps that are left, the log so far."""
    config = TrainingConfig(steps=7, log_every=2)
    factors = [0.5, 1.0, 0.25, 0.5, 0.75, 0.1, 0.3]

    def schedule(step: int) -> float:
        return factors[step - 1]

    def optimizer(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=0.1)

    whole, parts = network(), network()
    wanted = train(
        whole,
        loss_for(whole),
        config,
        optimizer=optimizer(whole),
        schedule=schedule,
    )
    adam, log = optimizer(parts), TrainingLog()
    for steps in (range(1, done + 1), range(done + 1, 8)):
        adam.param_groups[0]["lr"] = 0.1  # a schedule begins from it
        found = train(
            parts,
            loss_for(parts),
            config,
            optimizer=adam,
            schedule=schedule,
            steps=steps,
            log=log,
        )
    assert found is log
    assert log.records == wanted.records
    assert torch.equal(parts.weight, whole.weight)


def test_after_each_step_it_is_logged_already() -> None:
    model, log = network(), TrainingLog()
    seen = []

    def after(step: int) -> None:
        seen.append((step, len(log), model.weight[0, 0].item()))

    config = TrainingConfig(steps=4, log_every=2)
    train(model, loss_for(model), config, log=log, after=after)
    assert [row[:2] for row in seen] == [(1, 0), (2, 1), (3, 1), (4, 2)]
    assert seen[-1][2] == model.weight[0, 0].item()
    assert len({row[2] for row in seen}) == 4


def test_no_step_is_left() -> None:
    model = network()
    before = model.weight.detach().clone()
    assert len(train(model, loss_for(model), steps=range(8, 8))) == 0
    assert torch.equal(model.weight, before)


def test_warm_up_then_decay() -> None:
    factor = WarmUpThenDecay(steps=100, warm_up=10)
    assert factor(1) == pytest.approx(0.1)
    assert [factor(step) for step in (10, 30, 50)] == [1.0, 1.0, 1.0]
    assert factor(100) == pytest.approx(2 / 101)
    falling = [factor(step) for step in range(51, 101)]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > 0.98
    with pytest.raises(ValueError, match="warm_up must be a positive"):
        WarmUpThenDecay(steps=10, warm_up=0)
