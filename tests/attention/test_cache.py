"""Keys and values are kept as they were given, however they arrive."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from nlp_course.attention.cache import KeyValueCache
from nlp_course.training import generator

B, A, d = 2, 3, 4


def words(T: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    rng = generator(seed)
    return torch.randn(B, A, T, d, generator=rng).to(dtype)


@pytest.mark.parametrize("room", [1, 3, 64])
@pytest.mark.parametrize(
    "pieces", [[1] * 20, [5, 1, 1, 9, 4], [20], [19, 1], [2, 18]]
)
def test_what_was_given_comes_back_in_order(
    room: int, pieces: list[int]
) -> None:
    k, v = words(sum(pieces), 1), words(sum(pieces), 2)
    cache, read = KeyValueCache(room), 0
    assert len(cache) == 0
    for T in pieces:
        new = slice(read, read + T)
        read += T
        all_k, all_v = cache.append(k[..., new, :], v[..., new, :])
        assert len(cache) == read
        assert torch.equal(all_k, k[..., :read, :])
        assert torch.equal(all_v, v[..., :read, :])
        assert torch.equal(cache.keys, all_k)
        assert torch.equal(cache.values, all_v)


def test_what_is_returned_is_a_view_and_not_a_copy() -> None:
    cache = KeyValueCache(room=8)
    first, _ = cache.append(words(2), words(2))
    second, _ = cache.append(words(3), words(3))
    assert first.data_ptr() == second.data_ptr() == cache.keys.data_ptr()


def test_room_is_doubled_so_that_growing_stays_cheap() -> None:
    cache, places = KeyValueCache(room=4), []
    for _ in range(64):
        k, _ = cache.append(words(1), words(1))
        places.append(k.data_ptr())
    moves = sum(a != b for a, b in itertools.pairwise(places))
    assert moves <= 4  # at 4, 8, 16 and 32 words


def test_what_is_kept_does_not_change_with_what_was_given() -> None:
    k = words(3)
    cache = KeyValueCache()
    cache.append(k, k)
    before = k.clone()
    k.zero_()
    assert torch.equal(cache.keys, before)


def test_dtype_is_that_of_the_words() -> None:
    k = words(2, dtype=torch.float64)
    cache = KeyValueCache()
    assert cache.append(k, k)[0].dtype == torch.float64
    with pytest.raises(TypeError, match=r"holds torch.float64, not torch.f"):
        cache.append(words(1), words(1))
    with pytest.raises(TypeError, match="give one dtype"):
        KeyValueCache().append(k, words(2))


def test_a_cache_is_filled_without_gradients() -> None:
    k = words(2).requires_grad_()
    cache = KeyValueCache()
    for pair in ((k, words(2)), (words(2), k)):
        with pytest.raises(RuntimeError, match=r"torch\.no_grad"):
            cache.append(*pair)
    assert len(cache) == 0
    with torch.no_grad():
        assert not cache.append(k, k)[0].requires_grad


def test_clear_errors() -> None:
    for room in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="room must be a positive"):
            KeyValueCache(room)  # type: ignore[arg-type]
    cache = KeyValueCache()
    with pytest.raises(ValueError, match="nothing was appended"):
        _ = cache.keys
    with pytest.raises(ValueError, match="nothing was appended"):
        _ = cache.values
    for k, v in ((words(2), words(3)), (words(2)[0], words(2)[0])):
        with pytest.raises(ValueError, match="must both have shape"):
            cache.append(k, v)
    with pytest.raises(TypeError, match="k must be a"):
        cache.append([1.0], words(1))  # type: ignore[arg-type]
    cache.append(words(2), words(2))
    for wrong in (words(1)[:1], words(1)[:, :1], words(1)[..., :1]):
        with pytest.raises(ValueError, match="do not continue it"):
            cache.append(wrong, wrong)
    assert len(cache) == 2, "a refused word leaves the cache as it was"
