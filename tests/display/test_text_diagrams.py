"""The diagram of chapter 00 shows what the chapter's equations name."""

from __future__ import annotations

import pytest

from nlp_course.display.text_diagrams import text_to_tensor


def test_nothing_overlaps_and_arrows_meet_their_parts() -> None:
    assert text_to_tensor().problems() == []


@pytest.mark.parametrize("symbol", ["u", "x"])
def test_every_step_has_its_vectors(symbol: str) -> None:
    wanted = {f"${symbol}_{t}$" for t in (1, 2, 3)}
    assert wanted <= text_to_tensor().symbols()


def test_ids_mask_and_embedding_are_named() -> None:
    symbols = text_to_tensor().symbols()
    assert {"$w_1 = 4$", "$w_2 = 7$", "$w_3 = 9$", "$E$"} <= symbols
    assert {"$m_1 = 1$", "$m_2 = 1$", "$m_3 = 0$", "pad"} <= symbols


def test_shapes_of_all_tensors_are_named() -> None:
    shapes = {"(B, T)", "(B, T, V)", "(V, D)", "(B, T, D)"}
    assert shapes <= text_to_tensor().symbols()


def test_a_token_goes_straight_down_to_its_row() -> None:
    diagram = text_to_tensor()
    for arrow in diagram.arrows:
        assert len({x for x, _ in arrow.points}) == 1, arrow


def test_it_fits_a_page_and_a_phone() -> None:
    bounds = text_to_tensor().bounds()
    assert bounds.width * 0.5 < 5.6  # inches
