"""The diagrams of chapter 16 show what the chapter's equations name."""

from __future__ import annotations

import itertools

import pytest
import torch

from nlp_course.display.diagrams import Diagram
from nlp_course.display.language_models_diagrams import (
    LAYERS,
    SEGMENTS,
    STEPS,
    relative_attention_diagram,
    seen_by,
    segments_diagram,
)
from nlp_course.training.seeds import seeded
from nlp_course.transformer_xl import TransformerXL, TransformerXLConfig

ALL = [segments_diagram, relative_attention_diagram]


@pytest.mark.parametrize("make", ALL)
def test_nothing_overlaps_and_it_fits_a_phone(make: object) -> None:
    assert callable(make)
    diagram = make()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_it_has_every_symbol_of_its_equations() -> None:
    assert relative_attention_diagram().symbols() == {
        "x′", "$x$", "[x′; x]", "sg", "$P_{t-i}$",
        "$W^Q$", "$W^K$", "$W^V$", "$W^R$",
        "$q_t$", "$k_i$", "$v_i$", "$r_{t-i}$", "$u$", "$v$",
        "·", "+", "÷√d", "$m_{ti}$", "softmax", "$\\alpha_{ti}$", "×", "Σ",
        "$\\bar{v}_t$",
    }  # fmt: skip


def ways(diagram: Diagram) -> set[tuple[str, str]]:
    return {(arrow.start, arrow.end) for arrow in diagram.arrows}


def test_queries_come_from_the_segment_alone() -> None:
    found = ways(relative_attention_diagram())
    for way in (
        ["x", "copy", "make q", "q", "ask"],
        ["memory", "stop", "join", "both", "make k", "k", "content"],
        ["copy", "join", "both", "make v", "v", "times"],
    ):
        assert set(itertools.pairwise(way)) <= found
    assert not found & {("join", "make q"), ("both", "make q")}


def test_u_goes_with_the_key_and_v_with_the_distance() -> None:
    diagram = relative_attention_diagram()
    found = ways(diagram)
    for letter, name, product, with_it in (
        ("$u$", "u", "content", "k"),
        ("$v$", "bias", "distance", "r"),
    ):
        assert diagram.parts[name].label == letter
        assert {(name, f"+{name}"), ("ask", f"+{name}")} <= found
        assert {(f"+{name}", product), (with_it, product)} <= found
        assert (product, "sum") in found


def test_the_lines_are_what_the_model_depends_on() -> None:
    """A line for every word that counts for the last one, and no other."""
    words = SEGMENTS * STEPS
    config = TransformerXLConfig(words, memory=STEPS, width=4, heads=1,
                                 layers=LAYERS)  # fmt: skip
    with seeded(0):
        model = TransformerXL(config, dtype=torch.float64)
        for weight in model.parameters():
            torch.nn.init.normal_(weight)

    def last(ids: torch.Tensor) -> torch.Tensor:
        memory = None
        for segment in ids[None].split(STEPS, dim=1):
            logits, memory = model(segment, memory)
        found: torch.Tensor = logits[0, -1]
        return found.detach()

    ids = torch.arange(words)
    lowest = {
        int(a.start.split(",")[1])
        for a in segments_diagram().arrows
        if a.start.startswith("0,")
    }
    for word in range(words):
        changed = ids.clone()
        changed[word] = ids[word - 1]
        counts = bool((last(changed) != last(ids)).any())
        assert counts == (word + 1 in lowest)


def test_lines_out_of_the_memory_have_a_colour_of_their_own() -> None:
    diagram = segments_diagram()
    for arrow in diagram.arrows:
        i, t = (int(name.split(",")[1]) for name in (arrow.start, arrow.end))
        crosses = (i - 1) // STEPS != (t - 1) // STEPS
        assert arrow.role == ("gate" if crosses else "value")
        assert i in seen_by(t)
    assert seen_by(5) == [1, 2, 3, 4, 5]
