"""The diagrams of chapter 13 show what the chapter's equations name."""

from __future__ import annotations

import pytest

from nlp_course.display.diagrams import Diagram
from nlp_course.display.transformer_diagrams import (
    decoder_layer_diagram,
    encoder_layer_diagram,
    transformer_diagram,
)

ALL = [encoder_layer_diagram, decoder_layer_diagram, transformer_diagram]


@pytest.mark.parametrize("make", ALL)
def test_nothing_overlaps_and_it_fits_a_phone(make: object) -> None:
    assert callable(make)
    diagram = make()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_the_layers_have_every_symbol_of_their_equations() -> None:
    encoder = encoder_layer_diagram().symbols()
    assert encoder == {
        "$x_t$", "$\\tilde{x}_t$", "$h_t$", "LN", "+", "self-attention",
        "feed-forward", "$q$", "$k$", "$v$",
    }  # fmt: skip
    decoder = decoder_layer_diagram().symbols()
    assert decoder - encoder == {
        "masked self-attention", "cross-attention", "$\\bar{x}_t$", "$s_t$",
        "$h_1 \\dots h_N$",
    }  # fmt: skip


def follow(diagram: Diagram, start: str, roles: set[str]) -> set[str]:
    """Every part that can be reached along arrows of these roles."""
    reached, todo = set(), [start]
    while todo:
        part = todo.pop()
        ways = [
            a.end
            for a in diagram.arrows
            if a.start == part and a.role in roles
        ]
        todo += [end for end in ways if end not in reached]
        reached.update(ways)
    return reached


@pytest.mark.parametrize("make", ALL[:2])
def test_a_straight_way_leads_past_every_part(make: object) -> None:
    assert callable(make)
    diagram = make()
    diagram.arrows = [a for a in diagram.arrows if "norm" not in a.end]
    assert "out" in follow(diagram, "in", {"input", "hidden"})


def roles_into(diagram: Diagram, end: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for arrow in diagram.arrows:
        if arrow.end == end:
            found.setdefault(arrow.start, set()).add(arrow.role)
    return found


def test_where_queries_keys_and_values_come_from() -> None:
    decoder = decoder_layer_diagram()
    own = {"attention norm": {"query", "key", "value"}}
    assert roles_into(decoder, "attention") == own
    assert roles_into(encoder_layer_diagram(), "attention") == own
    assert roles_into(decoder, "cross") == {
        "cross norm": {"query"}, "memory": {"key", "value"},
    }  # fmt: skip


def test_positions_are_added_once_on_each_side() -> None:
    whole = transformer_diagram()
    ends = [a.end for a in whole.arrows if a.start.endswith("places")]
    assert ends == ["encoder +", "decoder +"]
    given = roles_into(whole, "decoder layer")
    assert given["memory"] == {"key", "value"}
