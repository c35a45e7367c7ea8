"""The 15 % / 80-10-10 rule, counted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlp_course.data.masking import Masked, mask_tokens
from nlp_course.training import generator

MASK, FIRST, V = 3, 4, 54
WORDS = torch.arange(FIRST, V)


def rows(count: int, words: int = 40, seed: int = 0) -> Tensor:
    """[CLS] words [SEP] and padding of three places."""
    ids = torch.randint(FIRST, V, (count, words), generator=generator(seed))
    ends = torch.tensor([1, 2, 0, 0, 0]).expand(count, 5)
    return torch.cat([ends[:, :1], ids, ends[:, 1:]], dim=1)


def mask(ids: Tensor, seed: int = 1, **options: Any) -> Masked:
    return mask_tokens(
        ids, ids >= FIRST, WORDS, generator(seed), mask_id=MASK, **options
    )


def test_shares_of_the_published_rule() -> None:
    ids = rows(5000)
    read, chosen = mask(ids)
    assert read.shape == chosen.shape == ids.shape
    assert chosen.dtype == torch.bool
    assert (chosen.sum(dim=1) == 6).all()  # 15 in 100 of 40
    n = int(chosen.sum())
    hidden = (read == MASK)[chosen].sum() / n
    same = (read == ids)[chosen].sum() / n
    assert abs(hidden - 0.8) < 0.01
    assert abs(same - (0.1 + 0.1 / len(WORDS))) < 0.007
    other = read[chosen & (read != MASK) & (read != ids)]
    assert abs(len(other) / n - 0.1 * (1 - 1 / len(WORDS))) < 0.007
    counts = other.bincount(minlength=V)
    assert (counts[:FIRST] == 0).all(), "no mark is drawn"
    assert counts[FIRST:].min() > 0.5 * len(other) / len(WORDS)


def test_every_word_is_chosen_equally_often() -> None:
    ids = rows(20_000, words=10)
    _, chosen = mask(ids)
    shares = chosen[:, 1:11].float().mean(dim=0)
    assert (shares - 0.2).abs().max() < 0.015  # 1.5 of 10: two
    together = (chosen[:, 1] & chosen[:, 2]).float().mean()
    assert abs(together - 2 * 1 / (10 * 9)) < 0.005


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    words=st.integers(1, 30),
    share=st.sampled_from([0.01, 0.15, 0.5, 1.0]),
    masked=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
)
def test_marks_and_unchosen_words_stay(
    seed: int, words: int, share: float, masked: float
) -> None:
    ids = rows(8, words, seed)
    before = ids.clone()
    random = (1 - masked) / 2
    read, chosen = mask(ids, seed, share=share, masked=masked, random=random)
    assert torch.equal(ids, before), "the given ids are not changed"
    assert not chosen[ids < FIRST].any()
    assert torch.equal(read[~chosen], ids[~chosen])
    wanted = max(1, round(share * words))
    assert (chosen.sum(dim=1) == wanted).all()
    if masked == 1.0:
        assert (read[chosen] == MASK).all()
    if masked == 0.0:
        assert (read != MASK).all()


@pytest.mark.parametrize(
    ("masked", "random", "hidden", "same"),
    [(1.0, 0.0, 1.0, 0.0), (0.8, 0.0, 0.8, 0.2), (0.0, 0.0, 0.0, 1.0)],
)
def test_other_shares(
    masked: float, random: float, hidden: float, same: float
) -> None:
    ids = rows(3000)
    read, chosen = mask(ids, masked=masked, random=random)
    assert abs((read == MASK)[chosen].float().mean() - hidden) < 0.01
    assert abs((read == ids)[chosen].float().mean() - same) < 0.01


def test_rows_of_different_lengths() -> None:
    ids = torch.zeros(3, 21, dtype=torch.long)
    for row, n in enumerate((1, 10, 20)):
        ids[row, :n] = WORDS[:n]
    for seed in range(20):
        _, chosen = mask(ids, seed)
        assert chosen.sum(dim=1).tolist() == [1, 2, 3]


def test_the_generator_decides_and_nothing_else() -> None:
    ids = rows(50)
    first = mask(ids, 1)
    torch.manual_seed(99)
    again, other = mask(ids, 1), mask(ids, 2)
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.chosen, other.chosen)


def test_only_candidates_are_put_in() -> None:
    ids = rows(200)
    read, chosen = mask_tokens(
        ids, ids >= FIRST, torch.tensor([7, 9]), generator(0),
        mask_id=MASK, masked=0.0, random=1.0,
    )  # fmt: skip
    assert set(read[chosen].tolist()) == {7, 9}


def test_errors() -> None:
    ids = rows(2)
    good: dict[str, Any] = {"mask_id": MASK}
    rng = generator(0)

    def call(
        ids: Any = ids, maskable: Any = ids >= FIRST, words: Any = WORDS,
        **options: Any,
    ) -> Masked:  # fmt: skip
        return mask_tokens(ids, maskable, words, rng, **{**good, **options})

    with pytest.raises(TypeError, match=r"ids must be a torch\.Tensor"):
        call([[1]])
    with pytest.raises(ValueError, match=r"must both have shape \(batch"):
        call(ids[0], ids[0] >= FIRST)
    with pytest.raises(ValueError, match=r"not \(2, 45\) and \(2, 44\)"):
        call(maskable=ids[:, 1:] >= FIRST)
    with pytest.raises(TypeError, match=r"must hold booleans, not torch\.int"):
        call(maskable=(ids >= FIRST).long())
    for wrong in (
        {"share": 0.0}, {"share": 1.1}, {"masked": -0.1},
        {"random": -0.1}, {"masked": 0.8, "random": 0.3},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="share must be above 0"):
            call(**wrong)
    ids[1] = 0
    with pytest.raises(ValueError, match=r"may be masked: \[1\]"):
        call(ids, ids >= FIRST)
    with pytest.raises(ValueError, match="candidates must hold"):
        call(rows(2), rows(2) >= FIRST, WORDS[:0])
