"""The diagram of chapter 10 shows what the chapter's equations name."""

from __future__ import annotations

import pytest

from nlp_course.display.diagrams import Diagram
from nlp_course.display.self_attention_diagrams import self_attention_diagram


@pytest.fixture(scope="module")
def diagram() -> Diagram:
    return self_attention_diagram()


def follow(diagram: Diagram, start: str) -> set[str]:
    """Every part that can be reached along the arrows."""
    reached, todo = set(), [start]
    while todo:
        part = todo.pop()
        ways = [a.end for a in diagram.arrows if a.start == part]
        todo += [end for end in ways if end not in reached]
        reached.update(ways)
    return reached


def test_nothing_overlaps_and_it_fits_a_phone(diagram: Diagram) -> None:
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_it_has_every_symbol_of_its_equations(diagram: Diagram) -> None:
    wanted = {
        "$W^Q$", "$W^K$", "$W^V$", "$q_1$", "$\\bar{v}_1$",
        "softmax", "·", "÷√d", "×", "+",
    }  # fmt: skip
    for i in (1, 2, 3):
        wanted |= {f"$x_{i}$", f"$k_{i}$", f"$v_{i}$"}
        wanted |= {f"$e_{{1{i}}}$", f"$\\alpha_{{1{i}}}$"}
    assert diagram.symbols() == wanted


def test_query_key_and_value_have_their_colours(diagram: Diagram) -> None:
    for name, role in (("Q", "query"), ("K", "key"), ("V", "value")):
        assert diagram.parts[f"W_{name}"].role == role
        assert diagram.parts[f"W_{name}"].kind == "box"
    assert diagram.parts["q"].role == "query"
    for i in (1, 2, 3):
        assert diagram.parts[f"k{i}"].role == "key"
        assert diagram.parts[f"v{i}"].role == "value"
    boxes = [p for p in diagram.parts.values() if p.kind == "box"]
    assert len(boxes) == 3, "nothing else is learned"


def test_every_word_is_asked_the_word_itself_included(
    diagram: Diagram,
) -> None:
    asked = follow(diagram, "q")
    for i in (1, 2, 3):
        assert f"dot{i}" in asked
        assert {"W_K", "W_V"} <= follow(diagram, f"x{i}")
        assert f"e{i}" in follow(diagram, f"k{i}")
        assert "softmax" not in follow(diagram, f"v{i}")
        assert "out" in follow(diagram, f"v{i}")
        assert f"times{i}" in follow(diagram, f"a{i}")
    assert "W_Q" in follow(diagram, "x1")
    assert "W_Q" not in follow(diagram, "x2") | follow(diagram, "x3")


def test_the_division_comes_before_the_softmax(diagram: Diagram) -> None:
    for i in (1, 2, 3):
        assert f"scale{i}" in follow(diagram, f"dot{i}")
        assert "softmax" in follow(diagram, f"scale{i}")
        assert f"scale{i}" not in follow(diagram, "softmax")
