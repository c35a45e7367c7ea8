"""The diagram of chapter 09 shows what the chapter's equations name."""

from __future__ import annotations

from nlp_course.display.attention_diagrams import attention_diagram
from nlp_course.display.diagrams import Diagram


def follow(diagram: Diagram, start: str) -> set[str]:
    """Every part that can be reached along the arrows."""
    reached, todo = set(), [start]
    while todo:
        part = todo.pop()
        ways = [a.end for a in diagram.arrows if a.start == part]
        todo += [end for end in ways if end not in reached]
        reached.update(ways)
    return reached


def test_nothing_overlaps_and_it_fits_a_phone() -> None:
    diagram = attention_diagram()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_it_has_every_symbol_of_the_equations() -> None:
    words = {
        symbol
        for i in (1, 2, 3)
        for symbol in (
            f"$x_{i}$", f"$h_{i}$", f"$e_{{t{i}}}$", f"$\\alpha_{{t{i}}}$"
        )
    }  # fmt: skip
    assert attention_diagram().symbols() == words | {
        "LSTM", "$s^{\\top}\\! h$", "softmax", "⊙", "Σ", "$\\bar{h}_t$",
        "$w_{t-1}$",
        "$s_{t-1}$", "$s_t$", "$W_c$, tanh", "$\\tilde{s}_t$",
        "$W_y, b_y$", "$y_t$",
    }  # fmt: skip


def test_the_state_after_the_step_asks_every_word() -> None:
    diagram = attention_diagram()
    reached = follow(diagram, "s")
    assert {"score 1", "score 2", "score 3", "join"} <= reached
    assert "decoder" not in reached  # the context is not fed back


def test_every_state_is_scored_and_summed() -> None:
    diagram = attention_diagram()
    pairs = {(a.start, a.end): a.role for a in diagram.arrows}
    for i in (1, 2, 3):
        assert pairs[f"h{i}", f"score {i}"] == "key"
        assert pairs[f"h{i}", f"weigh {i}"] == "value"
        assert pairs[f"ask {i}", f"score {i}"] == "query"
        assert pairs[f"α{i}", f"weigh {i}"] == "query"
        assert (f"weigh {i}", "sum") in pairs
    assert "y" in follow(diagram, "sum")
