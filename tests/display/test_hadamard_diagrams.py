"""The diagrams of chapter 04 show what the chapter's equations name."""

from __future__ import annotations

import pytest

from nlp_course.display.diagrams import Diagram
from nlp_course.display.hadamard_diagrams import (
    add_gate,
    carry_diagram,
    gate_diagram,
)


@pytest.mark.parametrize(
    "diagram", [gate_diagram(), gate_diagram("hidden"), carry_diagram(3)]
)
def test_nothing_overlaps_and_it_fits_a_phone(diagram: Diagram) -> None:
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_the_gate_has_every_symbol_of_its_equation() -> None:
    wanted = {"$v$", "$f$", "$f \\odot v$", "$x$", "$W,\\,b$", "σ", "⊙"}
    assert wanted <= gate_diagram().symbols()


@pytest.mark.parametrize("steps", [1, 3])
def test_the_carry_has_a_gate_for_every_step(steps: int) -> None:
    diagram = carry_diagram(steps)
    for t in range(1, steps + 1):
        assert {f"$c_{t}$", f"$f_{t}$", f"$x_{t}$"} <= diagram.symbols()
    circles = [p for p in diagram.parts.values() if p.kind == "circle"]
    assert [p.label for p in circles] == ["⊙"] * steps


@pytest.mark.parametrize("role", ["cell", "hidden"])
def test_what_is_carried_runs_straight_through(role: str) -> None:
    for diagram in (gate_diagram(role), carry_diagram(3, role)):
        carried = [a for a in diagram.arrows if a.role == role]
        heights = {y for arrow in carried for _, y in arrow.points}
        assert len(carried) >= 2
        assert len(heights) == 1


def test_a_gate_value_comes_from_a_sigmoid_box_into_a_circle() -> None:
    d = Diagram()
    add_gate(d, "forget", 2.0, 3.0, "$f_t$")
    (arrow,) = d.arrows
    assert (arrow.start, arrow.end) == ("forget σ", "forget")
    assert d.parts["forget"].kind == "circle"
    assert d.parts["forget σ"].kind == "box"
    assert {p.role for p in d.parts.values()} == {"gate"}
