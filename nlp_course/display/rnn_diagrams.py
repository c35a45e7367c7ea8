"""Diagrams of chapter 01, ``01_rnn_unrolling``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram


def rnn_cell_diagram() -> Diagram:
    """The cell with its feedback, every symbol of :eq:`eq-rnn-cell`."""
    d = Diagram()
    d.symbol("x", 2.6, 0.0, "$x_t$", "input")
    d.box("W", 2.6, 1.4, "$W$", "input")
    d.box("U", 0.8, 3.0, "$U$", "hidden")
    d.circle("plus", 2.6, 3.0, "+")
    d.symbol("b", 4.2, 1.4, "$b$")
    d.circle("tanh", 4.2, 3.0, "tanh")
    d.dot("copy", 5.4, 3.0, "hidden")
    d.symbol("h", 6.5, 3.0, "$h_t$", "hidden")
    d.box("Wy", 8.2, 3.0, "$W_y$", "output")
    d.symbol("by", 9.7, 1.4, "$b_y$")
    d.circle("plus_y", 9.7, 3.0, "+")
    d.symbol("y", 11.2, 3.0, "$y_t$", "output")
    d.symbol("delay", 3.7, 4.5, "one step later", "muted", (2.6, 0.6))
    d.symbol("previous", 0.8, 4.5, "$h_{t-1}$", "hidden", (1.2, 0.6))
    d.arrow("x", "W", "input")
    d.arrow("W", "plus", "input")
    d.arrow("U", "plus", "hidden")
    d.arrow("b", "plus")
    d.arrow("plus", "tanh")
    d.arrow("tanh", "copy", "hidden", head=False)
    d.arrow("copy", "h", "hidden")
    d.arrow("h", "Wy", "hidden")
    d.arrow("Wy", "plus_y", "output")
    d.arrow("by", "plus_y")
    d.arrow("plus_y", "y", "output")
    d.arrow("copy", "delay", "hidden", via=((5.4, 4.5),))
    d.arrow("delay", "previous", "hidden")
    d.arrow("previous", "U", "hidden")
    return d


def rnn_unrolled_diagram(steps: int = 3) -> Diagram:
    """The cell copied along the time axis; all copies share W, U, b."""
    d = Diagram()
    d.symbol("h0", 0.0, 1.8, "$h_0$", "hidden")
    last = "h0"
    for t in range(1, steps + 1):
        x = 3.5 * t - 1.8
        d.symbol(f"x{t}", x, 0.2, f"$x_{t}$", "input")
        d.box(f"cell{t}", x, 1.8, "$W,\\,U,\\,b$", "ink", (1.7, 0.9))
        d.symbol(f"h{t}", x + 1.75, 1.8, f"$h_{t}$", "hidden", (0.8, 0.6))
        d.box(f"Wy{t}", x + 1.75, 3.2, "$W_y,\\,b_y$", "output", (1.5, 0.8))
        d.symbol(f"y{t}", x + 1.75, 4.6, f"$y_{t}$", "output")
        d.arrow(f"x{t}", f"cell{t}", "input")
        d.arrow(last, f"cell{t}", "hidden")
        d.arrow(f"cell{t}", f"h{t}", "hidden")
        d.arrow(f"h{t}", f"Wy{t}", "hidden")
        d.arrow(f"Wy{t}", f"y{t}", "output")
        last = f"h{t}"
    return d
