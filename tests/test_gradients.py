"""Gradients by hand equal autograd; the bound holds; logs are read right."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nlp_course.gradients import (
    DeepNet,
    chain_bound,
    chain_gradients,
    chain_inputs,
    gradient_by_layer,
    growth_rate,
    jacobian_product_norms,
    sigmoid_slope,
    state_jacobian,
)
from nlp_course.parity import largest_difference, numerical_gradient
from nlp_course.rnn import RNN
from nlp_course.training import (
    Ensemble,
    LayerRecord,
    Thresholds,
    TrainingConfig,
    TrainingLog,
    diagnose,
    generator,
    log_of_network,
    seeded,
    train,
)

DOUBLE = torch.float64


def chains(
    count: int, layers: int, spread: float, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    rng = generator(seed)
    w = torch.randn(count, layers, generator=rng, dtype=DOUBLE) * spread
    x = torch.randn(count, generator=rng, dtype=DOUBLE)
    target = torch.rand(count, generator=rng, dtype=DOUBLE)
    return w, x, target


def loss_of(w: Tensor, x: Tensor, target: Tensor) -> Tensor:
    """Written out here once more, so that no package function is trusted."""
    u = x
    for d in range(w.shape[-1]):
        u = 1 / (1 + torch.exp(-w[..., d] * u))
    return (u - target) ** 2


chain_cases = st.tuples(
    st.integers(1, 8),
    st.integers(1, 25),
    st.sampled_from([0.5, 1.0, 4.0, 10.0]),
    st.integers(0, 2**32 - 1),
)


class TestSlope:
    """The slope of the sigmoid."""

    @given(st.floats(-700, 700))
    def test_it_is_between_zero_and_a_quarter(self, a: float) -> None:
        slope = sigmoid_slope(torch.tensor(a, dtype=DOUBLE)).item()
        assert 0 < slope <= 0.25 * (1 + 1e-15)
        assert slope <= math.exp(-abs(a)) * (1 + 1e-12)

    def test_it_is_the_derivative(self) -> None:
        a = torch.linspace(-20, 20, 401, dtype=DOUBLE, requires_grad=True)
        (wanted,) = torch.autograd.grad(torch.sigmoid(a).sum(), a)
        gap = largest_difference([(sigmoid_slope(a.detach()), wanted)])
        assert gap < 1e-15

    def test_a_quarter_is_reached_at_zero_only(self) -> None:
        assert sigmoid_slope(torch.zeros(())).item() == 0.25
        assert sigmoid_slope(torch.tensor(0.01)).item() < 0.25

    @pytest.mark.parametrize("wrong", [torch.tensor(1), 0.5, None])
    def test_other_things_are_refused(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match="a must"):
            sigmoid_slope(wrong)


class TestChain:
    """The chain of sigmoid neurons and its bound."""

    @given(chain_cases)
    def test_gradients_are_those_of_autograd(
        self, case: tuple[int, int, float, int]
    ) -> None:
        w, x, target = chains(*case)
        leaf = w.clone().requires_grad_()
        (wanted,) = torch.autograd.grad(loss_of(leaf, x, target).sum(), leaf)
        found = chain_gradients(w, x, target)
        # autograd computes 1 - sigma, which loses digits in saturation
        off = (found - wanted).abs() / chain_bound(w, x, target)
        assert off.max() < 1e-12

    def test_gradients_are_finite_differences(self) -> None:
        w, x, target = (t[0] for t in chains(1, 6, 3.0, 0))
        wanted = numerical_gradient(lambda: loss_of(w, x, target), w)
        found = chain_gradients(w, x, target)
        assert largest_difference([(found, wanted)]) < 1e-9

    @given(chain_cases)
    def test_the_bound_is_never_broken(
        self, case: tuple[int, int, float, int]
    ) -> None:
        w, x, target = chains(*case)
        found, bound = chain_gradients(w, x, target), chain_bound(w, x, target)
        assert (found.abs() <= bound * (1 + 1e-12)).all()

    def test_the_bound_is_the_formula(self) -> None:
        w, x, target = (t[0] for t in chains(1, 4, 3.0, 1))
        u = chain_inputs(w, x)
        bound = chain_bound(w, x, target)
        for d in range(4):
            wanted = 2 * abs(u[-1] - target) * 0.25 ** (4 - d) * abs(u[d])
            for above in w[d + 1 :]:
                wanted = wanted * abs(above)
            assert abs(bound[d] - wanted) < 1e-15

    def test_it_is_reached_where_all_slopes_are_a_quarter(self) -> None:
        w = torch.full((3,), 1e-9, dtype=DOUBLE)
        x, target = torch.tensor(0.5, dtype=DOUBLE), torch.tensor(2.0).double()
        ratio = chain_gradients(w, x, target).abs() / chain_bound(w, x, target)
        assert (ratio - 1).abs().max() < 1e-9

    def test_inputs_start_with_x_and_end_with_the_output(self) -> None:
        w, x, target = chains(3, 5, 2.0, 2)
        u = chain_inputs(w, x)
        assert u.shape == (3, 6)
        assert torch.equal(u[:, 0], x)
        gap = (u[:, -1] - target) ** 2 - loss_of(w, x, target)
        assert gap.abs().max() < 1e-15
        assert ((u[:, 1:] > 0) & (u[:, 1:] < 1)).all()

    def test_wrong_arguments_are_named(self) -> None:
        w, x, target = chains(3, 5, 2.0, 2)
        with pytest.raises(ValueError, match="at least one"):
            chain_gradients(w[:, :0], x, target)
        with pytest.raises(ValueError, match=r"x must have shape \(3,\)"):
            chain_inputs(w, x[:2])
        with pytest.raises(ValueError, match="target must have shape"):
            chain_bound(w, x, target[0])
        with pytest.raises(TypeError, match="x has dtype"):
            chain_gradients(w, x.float(), target)
        with pytest.raises(TypeError, match="w must hold floats"):
            chain_inputs(torch.ones(3, dtype=torch.int64), x[0])


class TestJacobians:
    """Products over time."""

    @given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10**6))
    def test_the_product_is_the_derivative(
        self, steps: int, hidden: int, seed: int
    ) -> None:
        with seeded(seed):
            rnn = RNN(2, hidden, dtype=DOUBLE)
            x = torch.randn(1, steps, 2, dtype=DOUBLE)
        jacobians = state_jacobian(rnn(x).states[0], rnn.U).detach()

        def last(h: Tensor) -> Tensor:
            state: Tensor = rnn(x, h).last[0]
            return state

        start = torch.zeros(1, hidden, dtype=DOUBLE)
        exact = torch.autograd.functional.jacobian(last, start)[:, 0]
        product = torch.eye(hidden, dtype=DOUBLE)
        for J in jacobians:
            product = J @ product
        assert largest_difference([(product, exact)]) < 1e-12
        norm = torch.linalg.matrix_norm(exact, 2)
        found = jacobian_product_norms(jacobians)[-1]
        assert abs(found.exp() - norm) < 1e-12

    def test_norms_of_every_prefix(self) -> None:
        with seeded(0):
            jacobians = torch.randn(5, 3, 3, dtype=DOUBLE)
        product = torch.eye(3, dtype=DOUBLE)
        for J, found in zip(
            jacobians, jacobian_product_norms(jacobians), strict=True
        ):
            product = J @ product
            wanted = torch.linalg.matrix_norm(product, 2).log()
            assert abs(found - wanted) < 1e-12

    @pytest.mark.parametrize("rho", [0.1, 3.0])
    def test_thousands_of_steps_stay_finite(self, rho: float) -> None:
        with seeded(0):
            Q = torch.linalg.qr(torch.randn(4, 4, dtype=DOUBLE)).Q
        logs = jacobian_product_norms((rho * Q).expand(2000, 4, 4))
        assert abs(logs[-1] - 2000 * math.log(rho)) < 1e-6
        assert abs(growth_rate(logs) - math.log(rho)) < 1e-9

    def test_a_product_that_becomes_zero(self) -> None:
        nilpotent = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).expand(6, 2, 2)
        logs = jacobian_product_norms(nilpotent)
        assert logs[0] == 0
        assert torch.isneginf(logs[1:]).all()
        assert growth_rate(logs) == -math.inf

    def test_the_first_half_does_not_count(self) -> None:
        logs = torch.cat([torch.full((10,), 50.0), torch.arange(10.0)])
        assert abs(growth_rate(logs) - 1) < 1e-12

    def test_wrong_arguments_are_named(self) -> None:
        U = torch.eye(3)
        with pytest.raises(ValueError, match="U must be square"):
            state_jacobian(torch.zeros(3), torch.zeros(3, 2))
        with pytest.raises(ValueError, match="h must have 3 entries"):
            state_jacobian(torch.zeros(5, 2), U)
        with pytest.raises(TypeError, match="h has dtype"):
            state_jacobian(torch.zeros(3, dtype=DOUBLE), U)
        for wrong in (U, U.expand(0, 3, 3), torch.zeros(4, 3, 2)):
            with pytest.raises(ValueError, match="jacobians must have shape"):
                jacobian_product_norms(wrong)
        with pytest.raises(ValueError, match="at least 4 steps"):
            growth_rate(torch.zeros(3))


class TestDeepNet:
    """The network on which remedies are tried."""

    @pytest.mark.parametrize("norm", [None, "layer", "batch"])
    @pytest.mark.parametrize("residual", [False, True])
    def test_it_computes_what_it_says(self, norm: Any, residual: bool) -> None:
        with seeded(0):
            net = DeepNet(
                3, 4, norm=norm, residual=residual, outputs=2, dtype=DOUBLE
            )
            x = torch.randn(5, 4, dtype=DOUBLE)
        h = x
        for W in net.layers:
            a = nn.functional.linear(h, W)
            if norm == "layer":
                a = nn.functional.layer_norm(a, (4,))
            if norm == "batch":
                a = nn.functional.batch_norm(a, None, None, training=True)
            h = torch.sigmoid(a) + (h if residual else 0)
        pair = (net(x).detach(), net.readout(h).detach())
        assert largest_difference([pair]) < 1e-12

    def test_the_gain_scales_the_start(self) -> None:
        with seeded(0):
            one = DeepNet(1, 200)
        with seeded(0):
            three = DeepNet(1, 200, gain=3)
        assert torch.allclose(three.layers[0], 3 * one.layers[0])
        assert abs(one.layers[0].std() * 200**0.5 - 1) < 0.02

    def test_wrong_arguments_are_named(self) -> None:
        with pytest.raises(ValueError, match="depth must be a positive"):
            DeepNet(0)
        with pytest.raises(ValueError, match="gain must be positive"):
            DeepNet(2, gain=-1.0)
        wrong: Any = "group"
        with pytest.raises(ValueError, match="norm must be one of"):
            DeepNet(2, norm=wrong)
        for shape in ((3, 5), (4,), (0, 4)):
            with pytest.raises(ValueError, match="x must have shape"):
                DeepNet(2, 4)(torch.zeros(shape))

    def test_gradients_by_layer(self) -> None:
        net = DeepNet(3, 4)
        with pytest.raises(ValueError, match=r"call loss\.backward"):
            gradient_by_layer(net)
        net(torch.ones(2, 4)).sum().backward()
        wanted = [p.grad.norm() for p in net.parameters() if p.dim() == 2]  # type: ignore[union-attr]
        assert torch.equal(gradient_by_layer(net), torch.stack(wanted))
        with pytest.raises(ValueError, match="no weight matrix"):
            gradient_by_layer(nn.LayerNorm(3))


def log_with(rows: Any = 20, **columns: Any) -> TrainingLog:
    """A healthy log, but for the columns given: one value for each row."""
    log = TrainingLog()
    for t in range(rows):
        row: dict[str, Any] = {
            "step": 10 * (t + 1),
            "loss": 1 / (t + 1),
            "gradient_norm": 0.5,
            "layer_gradients": [0.2, 0.3, 0.4],
            "layer_norms": [1.0, 1.1, 1.2],
            "layer_changes": [0.1, 0.2, 0.3],
        }
        log.append(**{**row, **{k: v[t] for k, v in columns.items()}})
    return log


def with_last(value: Any, before: Any, rows: int = 20) -> list[Any]:
    return [before] * (rows - 1) + [value]


EXPLODING = {
    "large gradient norm": {"gradient_norm": with_last(1e6, 0.5)},
    "gradient not finite": {"gradient_norm": with_last(math.nan, 0.5)},
    "high loss": {"loss": with_last(500.0, 99.0)},
    "loss jumps": {"loss": with_last(30.0, 1.0)},
    "loss not finite": {"loss": with_last(math.inf, 1.0)},
    "weights grow": {"layer_norms": with_last([1.0, 50.0, 1.0], [1.0] * 3)},
    "weights not finite": {
        "layer_norms": with_last([1.0, math.nan, 1.0], [1.0] * 3)
    },
}
VANISHING = {
    "early layers get no gradient": {
        "layer_gradients": [[1e-6, 0.1, 0.3]] * 20
    },
    "early layers stand still": {"layer_changes": [[1e-6, 0.1, 0.3]] * 20},
}


class TestDiagnosis:
    """What is read from a log."""

    def test_a_healthy_log(self) -> None:
        found = diagnose(log_with())
        assert (found.verdict, found.signs) == ("healthy", ())
        assert str(found) == "healthy"

    @pytest.mark.parametrize("name", EXPLODING)
    def test_each_sign_of_explosion(self, name: str) -> None:
        found = diagnose(log_with(**EXPLODING[name]))
        assert found.verdict == "exploding"
        assert name in found.names
        sign = next(s for s in found.signs if s.name == name)
        assert sign.step == 200
        assert f"{name} (step 200" in str(found)

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_number_that_is_none(self, value: float) -> None:
        three = [1.0, value, 1.0]
        for name, column, last, before in (
            ("loss not finite", "loss", value, 0.5),
            ("gradient not finite", "gradient_norm", value, 0.5),
            ("weights not finite", "layer_norms", three, [1.0] * 3),
        ):
            columns: dict[str, Any] = {column: with_last(last, before)}
            assert name in diagnose(log_with(**columns)).names

    @pytest.mark.parametrize("name", VANISHING)
    def test_each_sign_of_vanishing(self, name: str) -> None:
        found = diagnose(log_with(**VANISHING[name]))
        assert found.verdict == "vanishing"
        assert found.names == {name}
        assert found.signs[0].step == 10

    def test_weights_that_grew_before_the_first_row(self) -> None:
        log = log_with(layer_norms=[[60.0, 1.0, 1.0]] * 20)
        assert diagnose(log).names == {"weights grow"}

    def test_nan_from_the_first_row_on(self) -> None:
        nan = [math.nan] * 20
        log = log_with(loss=nan, gradient_norm=nan)
        assert diagnose(log).verdict == "exploding"

    def test_a_loss_that_stalls_does_not_decide(self) -> None:
        found = diagnose(log_with(loss=[0.7] * 20))
        assert found.verdict == "healthy"
        assert found.names == {"loss stalls"}

    def test_a_network_without_any_gradient(self) -> None:
        zeros = [[0.0, 0.0, 0.0]] * 20
        log = log_with(layer_gradients=zeros, layer_changes=zeros)
        assert diagnose(log).verdict == "vanishing"

    def test_explosion_comes_before_vanishing(self) -> None:
        columns = {**VANISHING["early layers stand still"]}
        columns |= EXPLODING["large gradient norm"]
        assert diagnose(log_with(**columns)).verdict == "exploding"

    def test_thresholds_can_be_changed(self) -> None:
        log = log_with()
        strict = Thresholds(gradient=0.1)
        assert diagnose(log, strict).verdict == "exploding"

    def test_a_saved_log_gives_the_same(self, tmp_path: Path) -> None:
        for columns in (*EXPLODING.values(), *VANISHING.values(), {}):
            log = log_with(**columns)
            log.save(tmp_path / "log.jsonl")
            again = TrainingLog.load(tmp_path / "log.jsonl")
            assert diagnose(again) == diagnose(log)

    def test_what_is_missing_is_named(self) -> None:
        log = TrainingLog([{"step": 1, "loss": 1.0}] * 3)
        with pytest.raises(ValueError, match="lacks gradient_norm, layer_gr"):
            diagnose(log)
        with pytest.raises(ValueError, match="record=LayerRecord"):
            diagnose(log)

    @pytest.mark.parametrize("rows", [0, 1])
    def test_a_short_log(self, rows: int) -> None:
        with pytest.raises(ValueError, match=f"{rows} rows is too short"):
            diagnose(log_with(rows))


def trained(networks: int | None, depth: int = 2) -> TrainingLog:
    """A few steps of a real run, of one network or of several."""

    def build() -> DeepNet:
        return DeepNet(depth, 4, activation=torch.tanh)

    with seeded(0):
        model = Ensemble(build, range(networks)) if networks else build()
        shape = (networks, 8, 4) if networks else (8, 4)
        x = torch.randn(shape)

    def loss(_step: int) -> Tensor:
        squares: Tensor = ((model(x) - 1) ** 2).squeeze(-1).mean(dim=-1)
        return squares

    return train(
        model,
        loss,
        TrainingConfig(steps=3, clip_norm=None),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        record=LayerRecord(model),
    )


class TestRecord:
    """What is written into a log."""

    def test_one_network(self) -> None:
        log = trained(None)
        assert log.column("layer_norms").shape == (3, 3)
        assert diagnose(log).verdict == "healthy"
        with pytest.raises(ValueError, match="one network already"):
            log_of_network(log, 0)

    def test_several_networks(self) -> None:
        log = trained(4)
        assert log.column("layer_changes").shape == (3, 4, 3)
        with pytest.raises(ValueError, match="holds 4 networks"):
            diagnose(log)
        for k in range(4):
            alone = log_of_network(log, k)
            for name in ("loss", "layer_gradients", "layer_changes"):
                assert torch.equal(alone.column(name), log.column(name)[:, k])
            assert diagnose(alone).verdict == "healthy"
        for wrong in (-1, 4):
            with pytest.raises(IndexError, match="of 4"):
                log_of_network(log, wrong)

    def test_the_numbers(self) -> None:
        with seeded(0):
            net = DeepNet(1, 3)
        record = LayerRecord(net)
        assert record()["layer_changes"].tolist() == [0, 0]
        assert record()["layer_gradients"].tolist() == [0, 0]
        with torch.no_grad():
            net.layers[0] *= 3
        net(torch.ones(1, 3)).sum().backward()
        row = record()
        assert torch.allclose(row["layer_norms"], torch.tensor([3.0, 1.0]))
        assert torch.allclose(row["layer_changes"], torch.tensor([2.0, 0.0]))
        assert torch.equal(row["layer_gradients"], gradient_by_layer(net))

    def test_a_network_without_matrices(self) -> None:
        with pytest.raises(ValueError, match="no weight matrix"):
            LayerRecord(nn.LayerNorm(3))

    def test_a_run_without_record_has_the_old_columns(self) -> None:
        net = DeepNet(1, 3)
        log = train(
            net, lambda _: net(torch.ones(1, 3)).sum(), TrainingConfig(steps=2)
        )
        assert set(log.records[0]) == {"step", "loss", "gradient_norm"}
