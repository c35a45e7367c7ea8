"""The batch of a step follows from the seed and the step, and can be shared.

Two processes are played here by two objectives in one; real ones are in
test_distributed.py.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nlp_course.bert import BERTConfig, BERTForPreTraining
from nlp_course.gpt import GPT, GPTConfig
from nlp_course.language_model import LanguageModel
from nlp_course.losses import cross_entropy
from nlp_course.training import generator, seeded
from nlp_course.training.distributed import Group
from nlp_course.training.objectives import (
    Carried,
    Masked,
    Objective,
    Windows,
    make_gaps,
    seed_of,
)

V, B, T = 11, 4, 6
KINDS = ("windows", "carried", "masked")


def text(size: int = 300) -> Tensor:
    return torch.randint(4, V, (size,), generator=generator(1))


class Part(Group):
    """One of several processes that is alone, in truth."""

    def wrap(self, model: nn.Module) -> nn.Module:
        return model

    def total(self, part: Tensor) -> Tensor:
        return part.detach()

    def collect(self, part: Tensor, dim: int) -> Tensor:
        return part


def build(kind: str, group: Group | None = None, **other: Any) -> Objective:
    options = {"batch": B, "context": T, "seed": 3, "group": group, **other}
    ids = options.pop("ids", text())
    drop = options.pop("dropout", 0.0)
    with seeded(0):
        if kind == "carried":
            model = LanguageModel(V, 8, 8, nn.LSTM, drop).double()
            return Carried(model, ids, **options)
        if kind == "windows":
            sizes: dict[str, Any] = {"longest": T, "width": 8, "heads": 2}
            gpt = GPT(GPTConfig(V, **sizes, dropout=drop)).double()
            return Windows(gpt, ids, **options)
        bert = BERTConfig(V + 1, longest=T, width=8, heads=2, dropout=drop)
        return Masked(
            BERTForPreTraining(bert).double(), ids, vocabulary=V, **options
        )


def losses(objective: Objective, steps: range) -> list[float]:
    with seeded(9):
        return [objective(step).item() for step in steps]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_follows_from_the_seed_and_its_number(kind: str) -> None:
    """Whatever was drawn before, and with dropout."""
    whole = losses(build(kind, dropout=0.3), range(1, 7))
    again = build(kind, dropout=0.3)
    first = losses(again, range(1, 4))
    kept = again.state()
    rest = build(kind, dropout=0.3)
    rest.restore(kept)
    torch.rand(5)
    assert first + losses(rest, range(4, 7)) == whole
    other = losses(build(kind, dropout=0.3, seed=4), range(1, 7))
    assert not set(other) & set(whole)
    assert len(set(whole)) == 6, "every step has its own batch"


def test_seeds_differ_by_run_step_and_purpose() -> None:
    names = [(s, k, p) for s in (0, 1, 10) for k in (1, 11) for p in "ab"]
    seeds = {seed_of(*name) for name in names}
    assert len(seeds) == len(names)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_windows_ask_for_the_next_token() -> None:
    objective = build("windows")
    rng = objective.rng(5)
    ids = text()
    starts = torch.randint(len(ids) - T, (B, 1), generator=rng)
    rows = ids[starts + torch.arange(T + 1)]
    logits = objective.model(rows[:, :-1])
    torch.testing.assert_close(
        objective(5), cross_entropy(logits, rows[:, 1:])
    )


def test_windows_reach_the_last_token() -> None:
    """A text of exactly one window: all rows are that window."""
    ids = text(T + 1)
    objective = build("windows", ids=ids)
    logits = objective.model(ids[None, :-1])
    torch.testing.assert_close(
        objective(1), cross_entropy(logits, ids[None, 1:])
    )


def test_lanes_go_on_where_they_ended_and_begin_anew() -> None:
    objective = build("carried")
    lane = (len(text()) - 1) // B
    rows = text()[: B * lane].view(B, lane)
    targets = text()[1 : B * lane + 1].view(B, lane)
    windows = lane // T
    model, state = objective.model, None
    for step in range(1, 2 * windows + 1):
        at = slice((step - 1) % windows * T, ((step - 1) % windows + 1) * T)
        if (step - 1) % windows == 0:
            state = None
        logits, state = model(rows[:, at], state)
        wanted = cross_entropy(logits, targets[:, at])
        torch.testing.assert_close(objective(step), wanted)


def test_no_gradient_goes_back_to_the_step_before() -> None:
    objective = build("carried")
    objective(1)
    state = objective.state()
    assert state is not None
    assert not any(part.requires_grad for part in state)


def test_gaps_are_asked_and_nothing_else() -> None:
    objective = build("masked")
    rng = objective.rng(2)
    ids = text()
    starts = torch.randint(len(ids) - T + 1, (B, 1), generator=rng)
    rows = ids[starts + torch.arange(T)]
    gaps = make_gaps(rows, V, rng)
    logits = objective.model(gaps.ids).words
    wanted = cross_entropy(logits, rows, gaps.chosen)
    torch.testing.assert_close(objective(2), wanted)


def test_gaps_follow_the_rule() -> None:
    rows = torch.randint(4, V, (400, 40), generator=generator(2))
    ids, targets, chosen = make_gaps(rows, V, generator(3))
    assert torch.equal(targets, rows)
    assert torch.equal(ids[~chosen], rows[~chosen])
    assert (chosen.sum(dim=1) == 6).all()  # 15 in 100 of 40
    share = (ids[chosen] == V).double().mean()
    assert share.item() == pytest.approx(0.8, abs=0.03)
    assert ids.min() >= 4, "no mark is put in at random"
    assert set(ids.unique().tolist()) <= set(range(4, V + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_two_shares_make_the_whole(kind: str) -> None:
    """The mean of the processes' gradients is that of one, step by step."""
    parts = [build(kind, Part(rank, 2)) for rank in (0, 1)]
    whole = build(kind)
    for step in (1, 2, 3):
        found = []
        for objective in (whole, *parts):
            objective.model.zero_grad()
            objective(step).backward()
            found.append(
                [
                    w.grad.clone()
                    for w in objective.model.parameters()
                    if w.grad is not None
                ]
            )
        wanted, *shares = found
        means = [torch.stack(g).mean(dim=0) for g in zip(*shares, strict=True)]
        torch.testing.assert_close(means, wanted)
    assert any(g.abs().max() > 1e-3 for g in wanted)


def test_the_carried_state_of_all_is_dealt_out() -> None:
    whole = build("carried")
    whole(1)
    parts = [build("carried", Part(rank, 2)) for rank in (0, 1)]
    for part in parts:
        part.restore(whole.state())
    wanted = whole(2).item()
    values = [part.sum_of(2)[0].item() / (B * T) for part in parts]
    assert sum(values) == pytest.approx(wanted)
    states = [part.state() for part in parts]
    joined = [torch.cat(s, dim=1) for s in zip(*states, strict=True)]
    torch.testing.assert_close(tuple(joined), whole.state())


def test_dropout_differs_between_processes() -> None:
    """Else two shares with equal rows would drop the same features."""
    parts = [build("windows", Part(r, 2), dropout=0.5) for r in (0, 1)]
    ids = text(T + 1)  # all rows are equal
    for part in parts:
        part.ids = ids
    one, other = (part.sum_of for part in parts)
    values = []
    for rank, sum_of in enumerate((one, other)):
        torch.manual_seed(seed_of(3, 1, f"dropout {rank}"))
        values.append(sum_of(1)[0].item())
    assert values[0] != values[1]
    shares = [p(1).item() for p in parts]
    assert shares[0] != shares[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_context_longer_than_the_text_is_refused(kind: str) -> None:
    words = f"has {T - 1} tokens, but this context needs at least"
    with pytest.raises(ValueError, match=words):
        build(kind, ids=text(T - 1))
    exact = T if kind == "masked" else T + 1
    batch = 1 if kind == "carried" else B
    build(kind, ids=text(exact), batch=batch)(1)


def test_rows_that_cannot_be_shared_are_refused() -> None:
    with pytest.raises(ValueError, match="take a multiple of 3"):
        build("windows", Part(0, 3))


def test_the_loss_is_in_nats_a_token() -> None:
    objective = build("windows")
    for weight in objective.model.parameters():
        nn.init.zeros_(weight)
    assert objective(1).item() == pytest.approx(math.log(V))
