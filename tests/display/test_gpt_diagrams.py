"""The diagrams of chapter 15 show what the chapter's equations name."""

from __future__ import annotations

import pytest

from nlp_course.display.diagrams import Diagram
from nlp_course.display.gpt_diagrams import (
    cache_diagram,
    gpt_diagram,
    induction_diagram,
)

ALL = [gpt_diagram, cache_diagram, induction_diagram]


@pytest.mark.parametrize("make", ALL)
def test_nothing_overlaps_and_it_fits_a_phone(make: object) -> None:
    assert callable(make)
    diagram = make()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def roles_into(diagram: Diagram, end: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for arrow in diagram.arrows:
        if arrow.end == end:
            found.setdefault(arrow.start, set()).add(arrow.role)
    return found


def test_the_model_has_every_symbol_of_its_equations() -> None:
    assert gpt_diagram().symbols() == {
        "$w_1 \\dots w_T$", "$E$", "+", "$P_t$", "LN",
        "masked self-attention", "feed-forward", "layers", "$s_t$",
        "$p_1 \\dots p_T$",
    }  # fmt: skip


def test_the_same_matrix_reads_and_writes() -> None:
    diagram = gpt_diagram()
    boxes = [p.name for p in diagram.parts.values() if p.label == "$E$"]
    assert boxes == ["embed", "readout"]
    assert roles_into(diagram, "readout") == {"norm": {"hidden"}}


def test_nothing_comes_from_an_encoder() -> None:
    labels = " ".join(gpt_diagram().symbols())
    assert "cross" not in labels
    assert "h_1" not in labels


def test_a_straight_way_leads_past_every_part() -> None:
    diagram = gpt_diagram()
    reached, todo = set(), ["words"]
    while todo:
        part = todo.pop()
        ends = [
            a.end
            for a in diagram.arrows
            if a.start == part
            and a.end not in ("attention norm", "feed-forward norm")
        ]
        todo += [end for end in ends if end not in reached]
        reached.update(ends)
    assert {"readout", "p"} <= reached
    assert not {"attention", "feed-forward"} & reached


def test_the_new_word_alone_is_projected_and_all_keys_are_kept() -> None:
    diagram = cache_diagram()
    assert roles_into(diagram, "keys") == {"W K": {"key"}}
    assert roles_into(diagram, "values") == {"W V": {"value"}}
    assert roles_into(diagram, "attention") == {
        "q": {"query"}, "keys": {"key"}, "values": {"value"},
    }  # fmt: skip
    frame = diagram.parts["kept"].box
    for name in ("keys", "values"):
        assert frame.containsx(diagram.parts[name].x)
        assert frame.containsy(diagram.parts[name].y)
    assert not frame.containsx(diagram.parts["q"].x)


def test_the_first_layer_looks_one_back_and_the_second_finds_it() -> None:
    diagram = induction_diagram()
    words = [diagram.parts[f"word {k}"].label for k in range(4)]
    answer = diagram.parts["next"].label
    for k in range(3):
        came = roles_into(diagram, f"first {k + 1}")
        assert came[f"word {k}"] == {"key"}
    [found] = [
        a.start for a in diagram.arrows if a.end == "second 3"
        and a.role == "value"
    ]  # fmt: skip
    place = int(found.split()[1])
    assert words[place] == answer
    assert words[place - 1] == words[3], "what stood before is the same"
