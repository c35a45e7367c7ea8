"""The diagram of chapter 07 shows what its equations name."""

from __future__ import annotations

from itertools import pairwise

import pytest

from nlp_course.display.cells_diagrams import roads_diagram


def test_nothing_overlaps_and_it_fits_a_phone() -> None:
    assert roads_diagram().problems() == []
    assert roads_diagram().bounds().width * 0.5 < 5.6  # inches


def test_it_names_what_the_equations_name() -> None:
    names = ["h_{t-1}", "U", "W x_t + b", "h_t", "c_{t-1}", "f_t", "c_t"]
    names += ["i_t \\odot \\tilde{c}_t", "z_t", "\\bar{x}"]
    names += ["(1-z_t) \\odot \\tilde{h}_t", "\\alpha_T", "x_T"]
    assert {f"${name}$" for name in names} <= roads_diagram().symbols()


@pytest.mark.parametrize(
    "road",
    [
        ["RNN before", "RNN U", "RNN plus", "RNN tanh", "RNN after"],
        ["LSTM before", "LSTM gate", "LSTM plus", "LSTM after"],
        ["GRU before", "GRU gate", "GRU plus", "GRU after"],
    ],
)
def test_each_road_is_a_straight_line(road: list[str]) -> None:
    diagram = roads_diagram()
    lines = {(a.start, a.end) for a in diagram.arrows}
    assert all(pair in lines for pair in pairwise(road))
    assert len({diagram.parts[name].y for name in road}) == 1


def test_weights_stand_in_the_way_of_the_plain_cell_alone() -> None:
    boxes = [p.name for p in roads_diagram().parts.values() if p.kind == "box"]
    assert boxes == ["RNN U"]


def test_every_word_reaches_the_sum_without_passing_another() -> None:
    diagram = roads_diagram()
    for k in range(3):
        into = {a.start for a in diagram.arrows if a.end == f"⊙{k}"}
        assert into == {f"x{k}", f"α{k}"}
