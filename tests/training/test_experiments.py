"""An experiment: several networks, fresh sentences, one measurement."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from nlp_course.data import Examples, OrderTask, PronounTask, RecallTask
from nlp_course.training import Ensemble, Reader, TrainingConfig
from nlp_course.training import experiments as lab

SEEDS = [1, 2, 3]


class Echo(nn.Module):
    """Scores that name the last word, right for every second network."""

    def __init__(self) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.rand(()).round() * 2 - 1)

    def forward(self, ids: Tensor) -> Tensor:
        return self.sign * nn.functional.one_hot(ids, 4).float()


class LastWord:
    """A task: which of four words comes last?"""

    def __init__(self) -> None:
        self.drawn: list[tuple[int, ...]] = []

    def sample(self, *shape: int, rng: Generator) -> Examples:
        self.drawn.append(shape)
        x = torch.randint(4, (*shape, 5), generator=rng)
        return Examples(x, x[..., -1])


def test_a_scale_chooses_a_size() -> None:
    assert lab.at_scale("quick", quick=3, full=9) == 3
    assert lab.at_scale("full", quick=3, full=9) == 9
    with pytest.raises(ValueError, match=r"scale must be .*not 'Quick'"):
        lab.at_scale("Quick", quick=3, full=9)


def test_the_scores_that_are_asked_for() -> None:
    scores = torch.randn(2, 3, 5, 4)
    every = torch.zeros(2, 3, 5)
    assert torch.equal(lab.answers(scores, every), scores)
    assert torch.equal(lab.answers(scores, every[..., 0]), scores[:, :, -1])
    bag = scores[:, :, 0]
    assert torch.equal(lab.answers(bag, every[..., 0]), bag)


def test_accuracy_is_the_share_of_each_network() -> None:
    model = Ensemble(Echo, range(6))
    (signs,) = (p.detach() for p in model.parameters())
    assert len(set(signs.tolist())) == 2
    found = lab.accuracy(model, LastWord(), seed=1)
    assert found.tolist() == [float(s > 0) for s in signs]
    assert torch.equal(found, lab.accuracy(model, LastWord(), seed=1))
    assert not found.requires_grad


@pytest.mark.parametrize(
    "task", [RecallTask(1), PronounTask(4, nouns=0.4)], ids=str
)
def test_networks_learn_a_task_and_repeat_it(task: Any) -> None:
    config = TrainingConfig(steps=60, learning_rate=0.03)

    def build() -> nn.Module:
        return Reader(task.vocabulary, 12, task.classes)

    model = lab.train_on(task, build, SEEDS, config)
    found = lab.accuracy(model, task, seed=0, sentences=200)
    assert found.shape == (3,)
    assert (found > 0.9).all()
    again = lab.train_on(task, build, SEEDS, config)
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_view_is_what_the_network_sees() -> None:
    task = OrderTask(4)
    seen: list[tuple[int, ...]] = []

    def view(x: Tensor) -> Tensor:
        seen.append(tuple(x.shape))
        return task.bag(x)

    def build() -> nn.Module:
        return nn.Linear(task.vocabulary, 2)

    config = TrainingConfig(steps=2)
    model = lab.train_on(task, build, SEEDS, config, batch=7, view=view)
    lab.accuracy(model, task, seed=0, sentences=9, view=view)
    assert seen == [(3, 7, 4), (3, 7, 4), (3, 9, 4)]


def test_every_network_sees_other_sentences() -> None:
    task = LastWord()
    batches: list[Tensor] = []

    def view(x: Tensor) -> Tensor:
        batches.append(x)
        return x

    config = TrainingConfig(steps=2)
    lab.train_on(task, Echo, SEEDS, config, batch=6, view=view)
    assert task.drawn == [(3, 6), (3, 6)]
    first, second = batches
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_the_fastest_of_several_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    watch = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr(lab, "time", watch)
    calls: list[int] = []
    assert lab.fastest(lambda: calls.append(1), repeats=3) == 2.0
    assert len(calls) == 4, "once to warm up"
