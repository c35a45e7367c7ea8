"""Training and judging translators, the same way in chapters 08, 09, 13."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from nlp_course.data.pairs import Pair, PairCorpus
from nlp_course.decoding import Decoded, Translator, beam_search, greedy
from nlp_course.seq2seq import translation_loss
from nlp_course.training.log import TrainingLog
from nlp_course.training.loop import TrainingConfig, WarmUpThenDecay, train
from nlp_course.training.seeds import generator, seeded

Model = TypeVar("Model", bound=nn.Module)

# what the translators of the course are trained with
TRANSLATOR = TrainingConfig(steps=400, learning_rate=4e-3)


def train_translator(
    build: Callable[[], Model],
    corpus: PairCorpus,
    seed: int,
    config: TrainingConfig = TRANSLATOR,
    *,
    batch: int = 64,
    description: str = "translator",
) -> tuple[Model, TrainingLog]:
    """Build a translator from a seed and train it by teacher forcing.

    ``build()`` makes a model that is called as ``model(source, lengths,
    target_in)``.  The learning rate warms up for 50 steps and falls to 0
    from half way on.  Returns the model, in evaluation mode, and the log.
    """
    with seeded(seed):
        model = build()
    batches = corpus.batches(batch, generator(seed))

    def loss_of(_step: int) -> Tensor:
        drawn = next(batches)
        logits = model(drawn.source, drawn.source_lengths, drawn.target_in)
        return translation_loss(logits, drawn.target, drawn.target_lengths)

    log = train(
        model,
        loss_of,
        config,
        description=description,
        schedule=WarmUpThenDecay(config.steps),
    )
    return model.eval(), log


def translate(
    model: Translator,
    corpus: PairCorpus,
    pairs: Sequence[Pair],
    *,
    beams: int = 1,
    length_power: float = 0.0,
) -> Decoded:
    """The model's translations of the sources, greedy or by beam search.

    It may write five words more than the longest true translation has.
    """
    batch = corpus.batch(pairs)
    source, lengths = batch.source, batch.source_lengths
    most = batch.target.shape[1] + 5
    if beams == 1:
        return greedy(model, source, lengths, most)
    return beam_search(
        model, source, lengths, most, beams, length_power=length_power
    )


def exact_match(
    model: Translator,
    corpus: PairCorpus,
    pairs: Sequence[Pair],
    *,
    beams: int = 1,
) -> Bool[Tensor, " pairs"]:
    """Whether each translation is right: every word, and the end."""
    found = translate(model, corpus, pairs, beams=beams).ids
    target = corpus.batch(pairs).target
    width = max(found.shape[1], target.shape[1])
    pad = torch.nn.functional.pad
    found = pad(found, (0, width - found.shape[1]))
    target = pad(target, (0, width - target.shape[1]))
    return (found == target).all(dim=1)


def share_by_size(
    right: Bool[Tensor, " pairs"], pairs: Sequence[Pair]
) -> dict[int, float]:
    """Share of right translations for each ``size`` of a pair."""
    sizes = torch.tensor([pair.size for pair in pairs])
    return {
        int(size): right[sizes == size].float().mean().item()
        for size in sizes.unique()
    }
