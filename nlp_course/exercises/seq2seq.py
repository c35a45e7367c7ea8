"""Checks of the exercises of chapter 08, ``08_seq2seq``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nlp_course.decoding import END, greedy
from nlp_course.exercises.grading import (
    WrongAnswer,
    exercise,
    expect_number,
    expect_several,
    expect_tensor,
)
from nlp_course.seq2seq import Seq2Seq, translation_loss
from nlp_course.training.seeds import generator, seeded


@exercise("08-predict")
def predict(answer: Any) -> str:
    """Probabilities of what greedy decoding and two beams write."""
    expect_several(
        answer, 2, say="give two probabilities: (greedy, two beams)"
    )
    expect_number(
        answer[0], 0.2, hint="greedy: multiply the likeliest word of each step"
    )
    expect_number(
        answer[1], 0.36, hint="two beams: follow both first words to the end"
    )
    return (
        "right: the likeliest first word leads into a place where nothing is "
        "likely; a second beam is enough to see it"
    )


@exercise("08-derive")
def derive(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """The gradient of the loss with respect to the scores."""
    for seed, lengths in enumerate(([3, 1, 4], [2], [5, 5])):
        with seeded(seed):
            B, T, V = len(lengths), max(lengths) + 1, 6
            logits = torch.randn(B, T, V, dtype=torch.float64)
            target = torch.randint(0, V, (B, T))
        counts = torch.tensor(lengths)
        leaf = logits.clone().requires_grad_()
        loss = translation_loss(leaf, target, counts)
        (wanted,) = torch.autograd.grad(loss, leaf)
        found = answer(logits, target, counts)
        _explain_gradient(found, wanted, counts)
        expect_tensor(found, wanted, what="the gradient")
    return (
        "right: probability minus one-hot vector at every real word, nothing "
        "at padding, all divided by the number of real words"
    )


def _explain_gradient(found: Any, wanted: Tensor, counts: Tensor) -> None:
    """Name the usual mistakes: padding counted, or not divided."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return
    found = found.double()
    if torch.allclose(found, wanted * counts.sum()):
        raise WrongAnswer("the loss is divided by the number of real words")
    real = torch.arange(wanted.shape[1]) < counts[:, None]
    if found[~real].any():
        raise WrongAnswer("padding has no part in the loss: 0 there")


@exercise("08-build")
def build(answer: Callable[[Seq2Seq, Tensor, Tensor, int], Any]) -> str:
    """Greedy decoding of one sentence, from ``encode`` and ``step`` alone."""
    endings = set()
    for seed in range(12):
        with seeded(seed):
            model = Seq2Seq(7, 8, embedding=4, hidden=5)
            for weight in model.parameters():
                torch.nn.init.normal_(weight, std=1.5)
            # marks that no trained model would write
            model.decoder.readout.bias.data[[0, 2]] = -50.0
        x = torch.randint(4, 7, (1, 3), generator=generator(seed))
        n, most = torch.tensor([3]), 2 + seed % 5
        wanted = greedy(model, x, n, most).ids[0].tolist()
        _expect_words(answer(model, x, n, most), wanted, most)
        endings.add(wanted[-1] == END)
    assert endings == {True, False}  # both kinds of end were asked for
    return "right: its own words, up to the end mark or the last step"


def _expect_words(found: Any, wanted: list[int], most: int) -> None:
    if isinstance(found, Tensor):
        found = found.flatten().tolist()
    if found is None or found is ...:
        raise WrongAnswer("not answered yet: the function returned nothing")
    if not isinstance(found, list) or not all(
        isinstance(word, int) for word in found
    ):
        raise WrongAnswer(f"give a list of ids, not {found!r}")
    if len(found) > most:
        raise WrongAnswer(f"{len(found)} words, but max_steps is {most}")
    if found[: len(wanted)] == wanted and len(found) > len(wanted):
        raise WrongAnswer("it goes on after the end mark")
    if [*found, END] == wanted:
        raise WrongAnswer("keep the end mark: it is a word of the target")
    if found != wanted:
        raise WrongAnswer(
            f"{found} is not it; start from <s>, and feed back the word "
            "that was written"
        )
