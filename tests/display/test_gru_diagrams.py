"""The diagrams of chapter 06 show what the chapter's equations name."""

from __future__ import annotations

import itertools

import pytest

from nlp_course.display.diagrams import Diagram
from nlp_course.display.gru_diagrams import (
    gru_cell_diagram,
    gru_forms_diagram,
)


@pytest.mark.parametrize("diagram", [gru_cell_diagram(), gru_forms_diagram()])
def test_nothing_overlaps_and_it_fits_a_phone(diagram: Diagram) -> None:
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_the_cell_has_every_symbol_of_its_equations() -> None:
    wanted = {
        "$x_t$", "$h_{t-1}$", "$h_t$", "$z_t$", "$r_t$", "$\\tilde{h}_t$",
        "$W_z, U_z, b_z$", "$W_r, U_r, b_r$", "$W_n, b_n$", "$U_n, b_U$",
        "σ", "tanh", "⊙", "+", "1−",
    }  # fmt: skip
    assert gru_cell_diagram().symbols() == wanted


def follow(diagram: Diagram, start: str) -> set[str]:
    """Every part that can be reached along the arrows."""
    reached, todo = set(), [start]
    while todo:
        part = todo.pop()
        ways = [a.end for a in diagram.arrows if a.start == part]
        todo += [end for end in ways if end not in reached]
        reached.update(ways)
    return reached


def test_the_state_runs_straight_through_the_update_gate() -> None:
    diagram = gru_cell_diagram()
    way = ["previous", "copy", "z", "mix", "h"]
    pairs = list(itertools.pairwise(way))
    found = [a for a in diagram.arrows if (a.start, a.end) in pairs]
    assert len(found) == len(pairs)
    assert {y for a in found for _, y in a.points} == {7.0}
    assert {a.role for a in found} == {"hidden"}


def test_the_reset_gate_reaches_the_state_through_the_candidate_only() -> None:
    diagram = gru_cell_diagram()
    reached = follow(diagram, "r σ")
    assert "candidate" in reached
    assert "z" not in reached
    diagram.arrows = [a for a in diagram.arrows if a.start != "candidate"]
    assert "h" not in follow(diagram, "r σ")


def test_every_layer_reads_the_word_and_the_state() -> None:
    diagram = gru_cell_diagram()
    word, state = follow(diagram, "x"), follow(diagram, "previous")
    assert {"Wn", "r σ", "z σ"} <= word
    assert {"Un", "r σ", "z σ"} <= state
    gates = [p for p in diagram.parts.values() if p.name.endswith("σ")]
    assert {p.role for p in gates} == {"gate"}
    assert {p.kind for p in gates} == {"box"}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("after", ["h", "U", "⊙", "out"]),
        ("before", ["h", "⊙", "U", "out"]),
    ],
)
def test_the_forms_differ_in_the_order(name: str, way: list[str]) -> None:
    arrows = {(a.start, a.end) for a in gru_forms_diagram().arrows}
    for start, end in itertools.pairwise(way):
        assert (f"{start} {name}", f"{end} {name}") in arrows
