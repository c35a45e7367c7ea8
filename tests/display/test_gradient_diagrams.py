"""The diagram of chapter 02 shows what the chapter's equations name."""

from __future__ import annotations

from nlp_course.display.gradient_diagrams import sigmoid_chain_diagram


def test_nothing_overlaps_and_arrows_meet_their_parts() -> None:
    assert sigmoid_chain_diagram().problems() == []


def test_every_symbol_of_the_chain_is_on_it() -> None:
    symbols = sigmoid_chain_diagram().symbols()
    forward = {f"${letter}_{d}$" for letter in "uw" for d in (1, 2, 3)}
    assert forward | {"σ", "$y$"} <= symbols


def test_every_factor_of_the_first_gradient_is_on_it() -> None:
    symbols = sigmoid_chain_diagram().symbols()
    slopes = {f"· σ′$_{d}$" for d in (1, 2, 3)}
    weights = {"$\\cdot\\,w_2$", "$\\cdot\\,w_3$", "$\\cdot\\,u_1$"}
    assert slopes | weights <= symbols
    assert "$\\cdot\\,w_1$" not in symbols  # not a factor of dL/dw_1


def test_the_way_back_runs_from_the_loss_to_the_first_weight() -> None:
    diagram = sigmoid_chain_diagram()
    after = {arrow.start: arrow.end for arrow in diagram.arrows}
    place, way = "dy", []
    while place in after:
        place = after[place]
        way.append(place)
    assert way == [
        "slope3", "factor3", "slope2", "factor2", "slope1", "factor1", "dw1",
    ]  # fmt: skip


def test_it_fits_a_page_and_a_phone() -> None:
    bounds = sigmoid_chain_diagram().bounds()
    assert bounds.width * 0.5 < 6  # inches
