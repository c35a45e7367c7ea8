"""The diagram of chapter 08 shows what the chapter's equations name."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram
from nlp_course.display.seq2seq_diagrams import encoder_decoder_diagram


def test_nothing_overlaps_and_it_fits_a_phone() -> None:
    diagram = encoder_decoder_diagram()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_every_symbol_of_the_equations_is_there() -> None:
    wanted = {
        "$x_1$", "$x_2$", "$x_N$", "$E_x$", "$h_1$", "$h_2$", "$h_N$",
        "<s>", "$w_1$", "$w_2$", "$E_w$", "$s_1$", "$s_2$", "$s_3$",
        "$W_y, b_y$", "$p_1$", "$p_2$", "$p_3$", "LSTM",
    }  # fmt: skip
    assert encoder_decoder_diagram().symbols() == wanted


def reached(diagram: Diagram, start: str) -> set[str]:
    """Every part that can be reached along the arrows."""
    found, todo = set(), [start]
    while todo:
        part = todo.pop()
        ways = [a.end for a in diagram.arrows if a.start == part]
        todo += [end for end in ways if end not in found]
        found.update(ways)
    return found


def test_one_line_joins_the_halves() -> None:
    diagram = encoder_decoder_diagram()
    bridges = [
        arrow
        for arrow in diagram.arrows
        if arrow.start.startswith("encoder")
        and not arrow.end.startswith("encoder")
    ]
    assert [(b.start, b.end) for b in bridges] == [
        ("encoder state 2", "decoder 0")
    ]


def test_every_output_hears_of_every_source_word() -> None:
    diagram = encoder_decoder_diagram()
    for step in range(3):
        hears = reached(diagram, f"encoder word {step}")
        assert {"p 0", "p 1", "p 2"} <= hears


def test_a_word_fed_reaches_no_earlier_output() -> None:
    diagram = encoder_decoder_diagram()
    assert "p 0" not in reached(diagram, "decoder word 1")
    assert "p 1" in reached(diagram, "decoder word 1")
