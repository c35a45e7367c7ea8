"""Two words of a sentence belong together, and nothing else does."""

from __future__ import annotations

import pytest
import torch

from nlp_course.data.animals import AnimalSentences
from nlp_course.training.seeds import generator

LANGUAGE = AnimalSentences()


def test_every_word_comes_from_its_slot() -> None:
    ids = LANGUAGE.sample(2, 300, rng=generator(0))
    assert ids.shape == (2, 300, LANGUAGE.length)
    assert (ids[..., 0] == LANGUAGE.start_id).all()
    for row in ids[0, :20]:
        words = LANGUAGE.text(row).split()
        assert len(words) == len(LANGUAGE.SLOTS)
        for word, slot in zip(words, LANGUAGE.SLOTS, strict=True):
            assert word in slot
    for place, slot in enumerate(LANGUAGE.SLOTS, start=1):
        assert len(ids[..., place].unique()) == len(slot)


def test_ids_name_every_word_once() -> None:
    assert len(set(LANGUAGE.words)) == len(LANGUAGE.words)
    assert len(LANGUAGE) == len(LANGUAGE.words) + 2
    assert LANGUAGE.mask_id == len(LANGUAGE.words)
    animals = [LANGUAGE.words[k] for k in LANGUAGE.animal_ids.tolist()]
    assert tuple(animals) == LANGUAGE.ANIMALS


def test_each_animal_has_its_sound() -> None:
    ids = LANGUAGE.sample(500, rng=generator(1))
    assert LANGUAGE.true(ids).all()
    pairs = dict(zip(LANGUAGE.ANIMALS, LANGUAGE.SOUNDS, strict=True))
    assert pairs["cow"] == "moos"
    for row in ids[:50]:
        words = LANGUAGE.text(row).split()
        sound = words[LANGUAGE.sound - 1]
        assert pairs[words[LANGUAGE.animal - 1]] == sound
    assert LANGUAGE.words[LANGUAGE.sound_of(LANGUAGE.animal_ids)[2]] == "moos"


def test_nothing_else_belongs_together() -> None:
    """Animals are as frequent after each word as anywhere."""
    ids = LANGUAGE.sample(20_000, rng=generator(2))
    animal = ids[:, LANGUAGE.animal]
    for place in (1, 3, 5, 7, 9):
        for word in ids[:, place].unique():
            after = animal[ids[:, place] == word]
            counts = torch.bincount(after - LANGUAGE.animal_ids[0])
            share = counts / len(after)
            assert (share - 1 / 16).abs().max() < 0.03


def test_a_wrong_sound_is_well_formed_and_not_true() -> None:
    ids = LANGUAGE.sample(1, rng=generator(3))
    wrong = ids.clone()
    cat, cow = LANGUAGE.animal_ids[0], LANGUAGE.animal_ids[2]
    wrong[..., LANGUAGE.animal] = cat
    wrong[..., LANGUAGE.sound] = LANGUAGE.sound_of(cow)
    assert LANGUAGE.well_formed(wrong).all()
    assert not LANGUAGE.true(wrong).any()
    for place in (0, 3, LANGUAGE.sound):
        other = ids.clone()
        other[..., place] = LANGUAGE.mask_id
        assert not LANGUAGE.well_formed(other).any()
        assert not LANGUAGE.true(other).any()
    assert "[MASK]" in LANGUAGE.text(other[0])


def test_what_is_no_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match="11 tokens"):
        LANGUAGE.well_formed(torch.zeros(3, 10, dtype=torch.int64))
    with pytest.raises(ValueError, match="positive"):
        LANGUAGE.sample(0, rng=generator(0))
    with pytest.raises(TypeError, match="ids"):
        LANGUAGE.well_formed([1])  # type: ignore[arg-type]
