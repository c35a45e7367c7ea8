"""Sizes, weights and PyTorch's twin for the tests of recurrent networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from nlp_course.gru import GRU
from nlp_course.lstm import LSTM
from nlp_course.rnn import RNN
from nlp_course.training import seeded

# Sums of at most a few dozen terms a step, added up in another order and
# carried through up to three layers: some hundred roundings, and room.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4}


@dataclass(frozen=True)
class Case:
    """Sizes and a seed from which everything else is drawn."""

    B: int
    T: int
    D: int
    H: int
    L: int
    seed: int
    dtype: torch.dtype = torch.float64

    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def draw(self, *shape: int, rng: torch.Generator) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=self.dtype)

    def lengths(self) -> Tensor:
        return torch.randint(1, self.T + 1, (self.B,), generator=self.rng())


def cases(*dtypes: torch.dtype, layers: int = 3) -> st.SearchStrategy[Case]:
    size = st.integers(1, 5)
    seed = st.integers(0, 2**32 - 1)
    dtype = st.sampled_from(dtypes or (torch.float64,))
    return st.builds(
        Case, size, size, size, size, st.integers(1, layers), seed, dtype
    )


def leaves(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.detach().clone().requires_grad_() for t in tensors)


def gradient(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    assert tensor.grad is not None
    return tensor.grad


def real(lengths: Tensor, time: int) -> Tensor:
    """True on real steps, written as a loop: (B, T, 1)."""
    rows = [[t < int(n) for t in range(time)] for n in lengths]
    return torch.tensor(rows).unsqueeze(-1)


def assert_close(found: Tensor, wanted: Tensor, case: Case) -> None:
    tolerance = TOLERANCE[case.dtype]
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@dataclass(frozen=True)
class Form:
    """One of our networks, and its twin in PyTorch."""

    name: str
    ours: Any
    theirs: Any
    states: int = 1  # states that are carried along
    is_torch: bool = True

    def fitted(self, case: Case) -> Case:
        """Our simple network has one layer only."""
        return replace(case, L=1) if self.ours is RNN else case

    def network(self, case: Case, vocabulary: int | None = None) -> Any:
        layers = () if self.ours is RNN else (case.L,)
        with seeded(case.seed):
            return self.ours(
                vocabulary or case.D, case.H, *layers, dtype=case.dtype
            )

    def pair(self, case: Case) -> tuple[Any, Any]:
        """PyTorch's network and ours, with the same weights."""
        theirs = self.theirs(
            case.D, case.H, case.L, batch_first=True, dtype=case.dtype
        )
        rng = case.rng()
        with torch.no_grad():
            for weight in theirs.parameters():
                weight.copy_(case.draw(*weight.shape, rng=rng))
        return theirs, self.ours.from_torch(theirs)

    def arguments(self, starts: Tensor | None) -> tuple[Tensor | None, ...]:
        """``starts (states, L, B, H)`` as the network takes them."""
        if starts is None:
            return (None,) * self.states
        return (starts[0, 0],) if self.ours is RNN else tuple(starts)

    def run(
        self,
        net: Any,
        x: Tensor,
        starts: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """States (B, T, H) and the last ones (states, L, B, H)."""
        out = net(x, *self.arguments(starts), lengths)
        if self.ours is RNN:
            return out.states, out.last[None, None]
        last = [out.h_n] if self.states == 1 else [out.h_n, out.c_n]
        assert torch.equal(out.last, out.h_n[-1])
        return out.states, torch.stack(last)

    def weight_gradients(
        self, theirs: Any, ours: Any
    ) -> list[tuple[Tensor, Tensor]]:
        """Pairs of gradients; PyTorch has two biases for each of ours."""
        named = {k: gradient(v) for k, v in theirs.named_parameters()}
        layers, H = getattr(ours, "layers", [ours]), ours.hidden_size
        pairs = []
        for k, layer in enumerate(layers):
            b, beside_U = gradient(layer.b), named[f"bias_hh_l{k}"]
            pairs += [
                (gradient(layer.W), named[f"weight_ih_l{k}"]),
                (gradient(layer.U), named[f"weight_hh_l{k}"]),
                (b, named[f"bias_ih_l{k}"]),
            ]
            if self.ours is GRU:
                pairs.append((b[: 2 * H], beside_U[: 2 * H]))
                pairs.append((gradient(layer.b_U), beside_U[2 * H :]))
            else:
                pairs.append((b, beside_U))
        return pairs


FORMS = {
    "RNN": Form("RNN", RNN, nn.RNN),
    "LSTM": Form("LSTM", LSTM, nn.LSTM, states=2),
    "GRU": Form("GRU", GRU, nn.GRU),
    "GRU-before": Form(
        "GRU", partial(GRU, reset="before"), nn.GRU, is_torch=False
    ),
}
