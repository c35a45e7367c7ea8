"""The diagram of chapter 12 shows where the mask enters."""

from __future__ import annotations

import itertools

from nlp_course.display.diagrams import Diagram
from nlp_course.display.mask_diagrams import SEEN, masked_attention_diagram


def test_nothing_overlaps_and_it_fits_a_phone() -> None:
    diagram = masked_attention_diagram()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_it_has_every_symbol_of_its_equations() -> None:
    wanted = {"$q_2$", "$\\bar{v}_2$", "softmax", "·", "÷√d", "×", "+"}
    for i in (1, 2, 3):
        wanted |= {
            f"$k_{i}$", f"$v_{i}$", f"$e_{{2{i}}}$", f"$m_{{2{i}}}$"
        }  # fmt: skip
    wanted |= {"$\\alpha_{21}$", "$\\alpha_{22}$", "−∞", "0"}
    found = masked_attention_diagram().symbols()
    assert found == wanted


def ways(diagram: Diagram) -> set[tuple[str, str]]:
    return {(arrow.start, arrow.end) for arrow in diagram.arrows}


def test_the_mask_stands_between_the_score_and_the_softmax() -> None:
    diagram = masked_attention_diagram()
    for i in (1, 2, 3):
        way = [f"k{i}", f"dot{i}", f"scale{i}", f"e{i}", f"mask{i}",
               f"masked{i}", "softmax", f"a{i}", f"times{i}"]  # fmt: skip
        assert set(itertools.pairwise(way)) <= ways(diagram)
        assert (f"v{i}", f"times{i}") in ways(diagram)
        # values are not touched by the mask
        assert (f"mask{i}", f"v{i}") not in ways(diagram)


def test_the_later_word_is_hidden_and_no_other() -> None:
    parts = masked_attention_diagram().parts
    hidden = [i for i in (1, 2, 3) if parts[f"masked{i}"].label == "−∞"]
    assert hidden == [3]
    assert hidden == [i for i in (1, 2, 3) if i not in SEEN]
    assert parts["a3"].label == "0"
