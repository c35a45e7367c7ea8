"""The diagrams of chapter 05 show what the chapter's equations name."""

from __future__ import annotations

from itertools import pairwise

import pytest

from nlp_course.display.diagrams import Diagram
from nlp_course.display.lstm_diagrams import (
    conveyor_diagram,
    lstm_cell_diagram,
)


@pytest.mark.parametrize("diagram", [lstm_cell_diagram(), conveyor_diagram()])
def test_nothing_overlaps_and_it_fits_a_phone(diagram: Diagram) -> None:
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_the_cell_has_every_vector_of_its_equations() -> None:
    names = ["x_t", "h_{t-1}", "c_{t-1}", "f_t", "i_t", "\\tilde{c}_t"]
    names += ["c_t", "o_t", "h_t"]
    assert {f"${name}$" for name in names} <= lstm_cell_diagram().symbols()


def test_the_cell_has_four_layers_and_five_operations() -> None:
    parts = lstm_cell_diagram().parts.values()
    boxes = [p.label for p in parts if p.kind == "box"]
    circles = [p.label for p in parts if p.kind == "circle"]
    assert sorted(boxes) == ["tanh", "σ", "σ", "σ"]
    assert sorted(circles) == ["+", "tanh", "⊙", "⊙", "⊙"]


def test_all_four_layers_read_input_and_hidden_state() -> None:
    diagram = lstm_cell_diagram()
    fed = {"join"}
    for arrow in diagram.arrows:  # in the order in which they were drawn
        if arrow.start in fed:
            fed.add(arrow.end)
    boxes = {p.name for p in diagram.parts.values() if p.kind == "box"}
    assert boxes <= fed
    into_join = {a.start for a in diagram.arrows if a.end == "join"}
    assert into_join == {"x", "h before"}


@pytest.mark.parametrize(
    ("diagram", "path"),
    [
        (lstm_cell_diagram(), ["c before", "forget", "plus", "copy", "c"]),
        (
            conveyor_diagram(2),
            ["c0", "gate1", "plus1", "c1", "gate2", "plus2", "c2"],
        ),
    ],
)
def test_the_cell_state_runs_straight_through(
    diagram: Diagram, path: list[str]
) -> None:
    lines = {(a.start, a.end): a for a in diagram.arrows}
    for pair in pairwise(path):
        assert lines[pair].role == "cell"
    assert len({diagram.parts[name].y for name in path}) == 1


@pytest.mark.parametrize("steps", [1, 2])
def test_the_conveyor_forgets_and_writes_at_every_step(steps: int) -> None:
    diagram = conveyor_diagram(steps)
    for t in range(1, steps + 1):
        wanted = {f"$f_{t}$", f"$c_{t}$", f"$i_{t} \\odot \\tilde{{c}}_{t}$"}
        assert wanted <= diagram.symbols()
