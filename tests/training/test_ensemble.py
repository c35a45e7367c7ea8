"""Networks side by side are the same networks one after another."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.func import vmap

from nlp_course.losses import cross_entropy
from nlp_course.rnn import RNN
from nlp_course.training import (
    BagReader,
    Ensemble,
    Reader,
    TrainingConfig,
    seeded,
    train,
)
from nlp_course.training.ensemble import clip_gradients, gradient_norms

SEEDS = [3, 1, 4]
V, H, C, B, T = 5, 4, 3, 6, 7
Build = Callable[[], nn.Module]


def reader() -> nn.Module:
    return Reader(V, H, C).double()


def bag_reader() -> nn.Module:
    return BagReader(V, H, C).double()


def alone(build: Build, seed: int) -> nn.Module:
    with seeded(seed):
        return build()


def batch(step: int) -> tuple[Tensor, Tensor]:
    """Ids and answers, different for every network and step."""
    rng = torch.Generator().manual_seed(step)
    shape = (len(SEEDS), B, T)
    ids = torch.randint(V, shape, generator=rng)
    return ids, torch.randint(C, shape, generator=rng)


def losses_of(model: Ensemble, step: int) -> Tensor:
    ids, y = batch(step)
    losses: Tensor = vmap(cross_entropy)(model(ids), y)
    return losses


def loss_alone(model: nn.Module, step: int, k: int) -> Tensor:
    ids, y = batch(step)
    return cross_entropy(model(ids[k]), y[k])


def of_member(model: Ensemble, k: int) -> list[Tensor]:
    return [stack[k] for stack in model.parameters()]


def assert_same(
    found: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float = 1e-12
) -> None:
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def gradients(model: nn.Module) -> list[Tensor]:
    found = [p.grad for p in model.parameters()]
    return [g for g in found if g is not None]


# --- the same as alone ------------------------------------------------------


def test_each_network_starts_as_its_seed_says() -> None:
    model = Ensemble(reader, SEEDS)
    assert len(model) == 3
    assert model.seeds == (3, 1, 4)
    for k, seed in enumerate(SEEDS):
        wanted = list(alone(reader, seed).parameters())
        assert_same(of_member(model, k), wanted, 0.0)


def test_making_an_ensemble_uses_no_random_numbers_of_others() -> None:
    state = torch.get_rng_state()
    Ensemble(reader, SEEDS)
    assert torch.equal(torch.get_rng_state(), state)


def test_outputs_losses_and_gradients_are_those_of_each_alone() -> None:
    model = Ensemble(reader, SEEDS)
    losses = losses_of(model, step=0)
    losses.sum().backward()
    norms = gradient_norms(model)
    for k, seed in enumerate(SEEDS):
        single = alone(reader, seed)
        ids, _ = batch(0)
        assert_same([model(ids)[k]], [single(ids[k])])
        loss = loss_alone(single, 0, k)
        loss.backward()
        assert_same([losses[k], norms[k]], [loss, gradient_norms(single)])
        found = [g[k] for g in gradients(model)]
        assert_same(found, gradients(single))


@pytest.mark.parametrize("clip", [None, 0.2])
def test_a_whole_training_is_that_of_each_alone(clip: float | None) -> None:
    """Clipping at 0.2 acts on some of the networks and not on others."""
    config = TrainingConfig(steps=25, learning_rate=0.02, clip_norm=clip)
    model = Ensemble(reader, SEEDS)
    log = train(model, lambda step: losses_of(model, step), config)
    norms = log.column("gradient_norm")
    assert (norms > 0.2).any(dim=0).all()
    assert (norms < 0.2).any()
    for k, seed in enumerate(SEEDS):
        single = alone(reader, seed)

        def loss_of(
            step: int, k: int = k, single: nn.Module = single
        ) -> Tensor:
            return loss_alone(single, step, k)

        wanted = train(single, loss_of, config)
        assert_same(of_member(model, k), list(single.parameters()), 1e-9)
        for name in ("loss", "gradient_norm"):
            found = log.column(name)[:, k]
            assert_same([found], [wanted.column(name)], 1e-9)


def test_networks_do_not_influence_each_other() -> None:
    model, twin = Ensemble(reader, SEEDS), Ensemble(reader, SEEDS)
    with torch.no_grad():
        for stack in twin.parameters():
            stack[1] *= 50
    config = TrainingConfig(steps=3, clip_norm=0.1)
    train(model, lambda step: losses_of(model, step), config)
    train(twin, lambda step: losses_of(twin, step), config)
    for k in (0, 2):
        assert_same(of_member(model, k), of_member(twin, k), 0.0)


def test_options_go_to_all_networks_alike() -> None:
    model = Ensemble(lambda: RNN(V, H), SEEDS)
    lengths = torch.tensor([1, 7, 3, 7, 2, 5])
    ids, _ = batch(1)
    last = model(ids, lengths=lengths).last
    for k, seed in enumerate(SEEDS):
        single = alone(lambda: RNN(V, H), seed)
        wanted = single(ids[k], lengths=lengths).last
        torch.testing.assert_close(last[k], wanted)


def test_networks_of_other_kinds_can_be_stacked() -> None:
    model = Ensemble(bag_reader, SEEDS)
    bags = torch.rand(3, B, V, dtype=torch.float64)
    for k, seed in enumerate(SEEDS):
        assert_same([model(bags)[k]], [alone(bag_reader, seed)(bags[k])])


# --- weights that are special -----------------------------------------------


class Tied(nn.Module):
    """One weight in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(torch.tanh(self.first(x)))
        return y


def test_a_shared_weight_stays_shared() -> None:
    model = Ensemble(Tied, SEEDS)
    x = torch.randn(3, 4, 3)
    for k, seed in enumerate(SEEDS):
        for single in (alone(Tied, seed), model.member(k)):
            torch.testing.assert_close(model(x)[k], single(x[k]))
            assert len(list(single.parameters())) == 1


class Scaled(nn.Module):
    """A frozen layer and a weight without axes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2).requires_grad_(False)
        self.scale = nn.Parameter(torch.rand(()))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.scale * self.layer(x)
        return y


def test_a_frozen_weight_stays_frozen_and_a_scalar_is_clipped() -> None:
    model = Ensemble(Scaled, SEEDS)
    wants = {p.shape: p.requires_grad for p in model.parameters()}
    assert wants == {(3, 2, 2): False, (3, 2): False, (3,): True}
    model(torch.ones(3, 4, 2)).sum().backward()
    before = gradients(model)[0].clone()
    norms = clip_gradients(model, 1e-3)
    torch.testing.assert_close(norms, before.abs())
    torch.testing.assert_close(gradients(model)[0], before.sign().mul(1e-3))


# --- one of them ------------------------------------------------------------


def test_a_member_is_a_copy_that_works_alone() -> None:
    model = Ensemble(reader, SEEDS)
    ids, _ = batch(2)
    wanted = model(ids).detach().clone()
    for k in (0, 1, 2, -1):
        single = model.member(k)
        assert isinstance(single, Reader)
        assert_same([single(ids[k])], [wanted[k]])
        assert all(p.requires_grad for p in single.parameters())
        with torch.no_grad():
            for p in single.parameters():
                p.zero_()
        assert torch.equal(model(ids), wanted), "a copy, not a view"
    with pytest.raises(IndexError):
        model.member(3)


def test_a_member_can_be_saved_and_trained_on() -> None:
    single = Ensemble(reader, SEEDS).member(1)
    fresh = reader()
    fresh.load_state_dict(single.state_dict())
    loss_alone(single, 0, 1).backward()
    assert len(gradients(single)) == len(list(single.parameters()))


def test_a_member_has_the_dtype_and_device_of_the_ensemble() -> None:
    model = Ensemble(reader, SEEDS)
    for p in model.float().member(0).parameters():
        assert p.dtype == torch.float32
    for p in model.to("meta").member(0).parameters():
        assert p.is_meta


def test_training_mode_reaches_the_networks() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.noise = nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.noise(self.layer(x))
            return y

    model = Ensemble(Noisy, SEEDS).eval()
    x = torch.ones(3, 20, 2)
    assert not model.member(0).training
    torch.testing.assert_close(model(x)[1], model.member(1)(x[1]))
    assert model.train().member(0).training


# --- gradients --------------------------------------------------------------


def test_the_norm_is_that_of_torch() -> None:
    model = reader()
    loss_alone(model, 0, 0).backward()
    wanted = nn.utils.clip_grad_norm_(model.parameters(), math.inf)
    assert_same([gradient_norms(model)], [wanted])


def test_without_gradients_the_norm_is_zero() -> None:
    assert torch.equal(gradient_norms(reader()), torch.tensor(0.0))
    model = Ensemble(reader, SEEDS)
    assert torch.equal(gradient_norms(model), torch.zeros(3))
    assert torch.equal(clip_gradients(model, 1.0), torch.zeros(3))


def with_gradients(*sizes: float) -> Ensemble:
    """An ensemble whose networks have gradients of these norms."""
    model = Ensemble(lambda: nn.Linear(1, 2), list(range(len(sizes))))
    for stack in model.parameters():
        shape = [len(sizes), *[1] * (stack.dim() - 1)]
        stack.grad = torch.tensor(sizes).view(shape).expand_as(stack) / 2
    return model


def test_each_network_is_clipped_by_its_own_norm() -> None:
    model = with_gradients(100.0, 2.0, 0.5, 1.0)
    norms = clip_gradients(model, 1.0)
    torch.testing.assert_close(norms, torch.tensor([100.0, 2.0, 0.5, 1.0]))
    wanted = torch.tensor([1.0, 1.0, 0.5, 1.0])
    torch.testing.assert_close(gradient_norms(model), wanted)


def test_a_gradient_of_zero_stays_zero() -> None:
    model = with_gradients(0.0, 3.0)
    norms = clip_gradients(model, 1.0)
    torch.testing.assert_close(norms, torch.tensor([0.0, 3.0]))
    for g in gradients(model):
        assert (g[0] == 0).all()
        torch.testing.assert_close(g[1], torch.full_like(g[1], 0.5))


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_one_network_that_fails_leaves_the_others_alone(bad: float) -> None:
    model = with_gradients(3.0, bad, 0.5)
    norms = clip_gradients(model, 1.0)
    torch.testing.assert_close(norms[[0, 2]], torch.tensor([3.0, 0.5]))
    assert not norms[1].isfinite()
    for g in gradients(model):
        assert g[1].isnan().all(), "to be seen, not hidden"
        torch.testing.assert_close(g[0], torch.full_like(g[0], 0.5))
        torch.testing.assert_close(g[2], torch.full_like(g[2], 0.25))


def test_clipping_works_in_half_precision() -> None:
    model = nn.Linear(2, 2, dtype=torch.float16)
    for p in model.parameters():
        p.grad = torch.full_like(p, 300.0)  # its square is no half number
    assert clip_gradients(model, 1.0).item() == pytest.approx(735, abs=1)
    assert gradient_norms(model).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan])
def test_a_threshold_must_be_positive(threshold: float) -> None:
    model = with_gradients(1.0)
    with pytest.raises(ValueError, match="threshold must be positive"):
        clip_gradients(model, threshold)


# --- errors -----------------------------------------------------------------


def test_what_cannot_be_stacked_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        Ensemble(reader, [])
    shared = reader()
    with pytest.raises(ValueError, match="a new network at every call"):
        Ensemble(lambda: shared, SEEDS)
    with pytest.raises(ValueError, match=r"buffers .*running_mean"):
        Ensemble(lambda: nn.BatchNorm1d(2), SEEDS)


def test_a_copy_of_an_ensemble_is_another_one() -> None:
    model = Ensemble(reader, SEEDS)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for p in twin.parameters():
            p.zero_()
    ids, _ = batch(3)
    assert model(ids).abs().max() > 0
    assert twin(ids).abs().max() == 0
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(ids), model(ids))
