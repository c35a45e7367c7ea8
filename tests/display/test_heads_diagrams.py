"""The diagram of chapter 11 shows what the chapter's equations name."""

from __future__ import annotations

import pytest

from nlp_course.display.heads_diagrams import heads_diagram


def test_nothing_overlaps_and_it_fits_a_phone() -> None:
    diagram = heads_diagram()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_it_has_every_symbol_of_its_equations() -> None:
    wanted = {"$x_t$", "$x_i$", "$W^Q$", "$W^K$", "$W^V$", "$W^O$", "$o_t$"}
    for head in (1, 2):
        up = f"^{{({head})}}$"
        wanted |= {f"$q_t{up}", f"$k_i{up}", f"$v_i{up}"}
        wanted |= {f"$\\alpha_t{up}", f"$\\bar{{v}}_t{up}"}
    assert heads_diagram().symbols() == wanted | {"Σ"}


@pytest.mark.parametrize("head", [1, 2])
def test_a_head_sees_its_own_slices_only(head: int) -> None:
    arrows = {(a.start, a.end) for a in heads_diagram().arrows}
    into = {start for start, end in arrows if end == f"α {head}"}
    assert into == {f"q {head}", f"k {head}"}
    into = {start for start, end in arrows if end == f"Σ {head}"}
    assert into == {f"α {head}", f"v {head}"}
    assert (f"Σ {head}", f"found {head}") in arrows


def test_one_product_makes_the_slices_of_all_heads() -> None:
    diagram = heads_diagram()
    arrows = {(a.start, a.end) for a in diagram.arrows}
    for letter in "QKV":
        assert (f"W{letter}", f"whole {letter}") in arrows
        frame = diagram.parts[f"whole {letter}"].box
        for head in (1, 2):
            part = diagram.parts[f"{letter.lower()} {head}"]
            assert frame.contains(part.x, part.y)
    frame = diagram.parts["joined"].box
    for head in (1, 2):
        part = diagram.parts[f"found {head}"]
        assert frame.contains(part.x, part.y)
    assert {("joined", "WO"), ("WO", "o")} <= arrows


def test_colours_are_those_of_query_key_and_value() -> None:
    parts = heads_diagram().parts
    for role, letter in (("query", "q"), ("key", "k"), ("value", "v")):
        names = [f"W{letter.upper()}", f"{letter} 1", f"{letter} 2"]
        assert {parts[name].role for name in names} == {role}
