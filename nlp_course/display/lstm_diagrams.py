"""Diagrams of chapter 05, ``05_lstm_gates``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram
from nlp_course.display.hadamard_diagrams import add_gate


def lstm_cell_diagram() -> Diagram:
    """The whole cell: every vector of :eq:`eq-lstm-forget` and onwards.

    The cell state runs along the top, what the four layers read along the
    bottom; each box has weights and a bias of its own.
    """
    d = Diagram()
    d.symbol("c before", -0.1, 6.4, "$c_{t-1}$", "cell", (1.1, 0.6))
    add_gate(d, "forget", 1.7, 6.4, "$f_t$")
    d.circle("plus", 4.3, 6.4, "+", "cell")
    d.dot("copy", 8.0, 6.4, "cell")
    d.symbol("c", 9.6, 6.4, "$c_t$", "cell")
    add_gate(d, "input", 4.3, 3.9, "$i_t$")
    d.box("candidate", 6.1, 1.7, "tanh", "cell")
    d.symbol("c new", 6.6, 2.75, "$\\tilde{c}_t$", "cell", (0.8, 0.6))
    add_gate(d, "output", 8.0, 3.9, "$o_t$")
    d.circle("tanh", 8.0, 5.25, "tanh", "cell")
    d.symbol("h", 9.6, 3.9, "$h_t$", "hidden")
    d.symbol("h before", -0.1, 0.4, "$h_{t-1}$", "hidden", (1.1, 0.6))
    d.symbol("x", 0.9, -0.7, "$x_t$", "input")
    d.dot("join", 0.9, 0.4)
    for arrow in (
        ("c before", "forget"),
        ("forget", "plus"),
        ("input", "plus"),
        ("copy", "c"),
        ("copy", "tanh"),
        ("tanh", "output"),
    ):
        d.arrow(*arrow, "cell")
    d.arrow("plus", "copy", "cell", head=False)
    d.arrow("candidate", "input", "cell", via=((6.1, 3.9),))
    d.arrow("output", "h", "hidden")
    _feed(d)
    return d


def _feed(d: Diagram) -> None:
    """Input and hidden state, joined and led into all four layers."""
    d.arrow("h before", "join", "hidden", head=False)
    d.arrow("x", "join", "input", head=False)
    last = "join"
    for box in ("forget σ", "input σ", "candidate"):
        x = d.parts[box].x
        d.dot(f"to {box}", x, 0.4)
        d.arrow(last, f"to {box}", head=False)
        d.arrow(f"to {box}", box)
        last = f"to {box}"
    d.arrow(last, "output σ", via=((d.parts["output σ"].x, 0.4),))


def conveyor_diagram(steps: int = 2) -> Diagram:
    """The cell state alone, over some steps: :eq:`eq-lstm-update`."""
    d = Diagram()
    d.symbol("c0", 0.0, 2.2, "$c_0$", "cell", (0.8, 0.6))
    last = "c0"
    for t in range(1, steps + 1):
        x = 4.8 * t - 3.3
        add_gate(d, f"gate{t}", x, 2.2, f"$f_{t}$")
        d.circle(f"plus{t}", x + 1.7, 2.2, "+", "cell")
        new = f"$i_{t} \\odot \\tilde{{c}}_{t}$"
        d.symbol(f"new{t}", x + 1.7, 0.0, new, "cell", (1.5, 0.6))
        d.symbol(f"c{t}", x + 3.3, 2.2, f"$c_{t}$", "cell", (0.8, 0.6))
        d.arrow(last, f"gate{t}", "cell")
        d.arrow(f"gate{t}", f"plus{t}", "cell")
        d.arrow(f"new{t}", f"plus{t}", "cell")
        d.arrow(f"plus{t}", f"c{t}", "cell")
        last = f"c{t}"
    return d
