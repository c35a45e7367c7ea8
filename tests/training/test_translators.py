"""Translators are trained and judged as the chapters say."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from nlp_course.data.pairs import PairCorpus
from nlp_course.data.translation import number_corpus
from nlp_course.seq2seq import Seq2Seq
from nlp_course.training import TrainingConfig, TrainingLog, generator
from nlp_course.training.translators import (
    exact_match,
    share_by_size,
    train_translator,
    translate,
)


@cache
def corpus() -> PairCorpus:
    return number_corpus("fr", generator(0), train=900, test=20, most_digits=3)


def build() -> Seq2Seq:
    return Seq2Seq(len(corpus().source), len(corpus().target), hidden=48)


@cache
def trained() -> tuple[Seq2Seq, TrainingLog]:
    config = TrainingConfig(steps=250, learning_rate=1e-2)
    return train_translator(build, corpus(), 1, config, batch=32)


def test_a_small_task_is_learnt() -> None:
    model, log = trained()
    assert log.column("loss")[-20:].mean() < 0.25
    assert (
        exact_match(model, corpus(), corpus().train[:200]).float().mean() > 0.8
    )
    assert not model.training


def test_a_match_needs_every_word_and_the_end() -> None:
    model, _ = trained()
    pairs = corpus().train[:100]
    right = exact_match(model, corpus(), pairs)
    found = translate(model, corpus(), pairs)
    assert right.sum() > 0
    for k, pair in enumerate(pairs):
        words = corpus().target.encode(pair.target, eos=True)
        same = found.ids[k, : found.lengths[k]].tolist() == words
        assert bool(right[k]) == same


def test_a_translation_cut_off_is_no_match() -> None:
    """A model that never ends is wrong however its words begin."""
    model, _ = trained()
    right = exact_match(model, corpus(), corpus().train[:50])
    endless = Seq2Seq(len(corpus().source), len(corpus().target), hidden=48)
    endless.load_state_dict(model.state_dict())
    with torch.no_grad():
        endless.decoder.readout.bias[3] = -100.0
    assert right.any()
    assert not exact_match(endless, corpus(), corpus().train[:50]).any()


def test_more_beams_are_never_less_likely_here() -> None:
    model, _ = trained()
    one = translate(model, corpus(), corpus().test)
    four = translate(model, corpus(), corpus().test, beams=4)
    assert (four.log_probs > one.log_probs - 1e-4).float().mean() > 0.9
    assert exact_match(model, corpus(), corpus().test, beams=4).shape == (20,)


def test_a_seed_fixes_everything() -> None:
    config = TrainingConfig(steps=3)
    logs = [
        train_translator(build, corpus(), seed, config)[1].column("loss")
        for seed in (4, 4, 5)
    ]
    assert torch.equal(logs[0], logs[1])
    assert not torch.equal(logs[0], logs[2])


def test_shares_are_told_by_size() -> None:
    pairs = [corpus().train[0]._replace(size=size) for size in (4, 3, 4, 4)]
    right = torch.tensor([True, False, True, False])
    assert share_by_size(right, pairs) == pytest.approx({3: 0.0, 4: 2 / 3})
