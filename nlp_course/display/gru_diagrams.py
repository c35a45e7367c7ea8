"""Diagrams of chapter 06, ``06_gru``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram
from nlp_course.display.hadamard_diagrams import add_gate


def gru_cell_diagram() -> Diagram:
    """The cell, every symbol of :eq:`eq-gru-update` to :eq:`eq-gru-state`."""
    d = Diagram()
    d.symbol("previous", 0.0, 7.0, "$h_{t-1}$", "hidden", (1.0, 0.6))
    d.dot("copy", 1.0, 7.0, "hidden")
    d.dot("copy z", 1.0, 4.8, "hidden")
    d.dot("copy r", 1.0, 3.7, "hidden")
    d.dot("copy x", 4.4, 0.4, "input")
    d.symbol("x", 4.4, -0.9, "$x_t$", "input", (0.8, 0.6))
    d.arrow("previous", "copy", "hidden", head=False)
    d.arrow("copy", "copy z", "hidden", head=False)
    d.arrow("copy z", "copy r", "hidden", head=False)
    d.arrow("x", "copy x", "input", head=False)
    _add_candidate(d)
    _add_mixture(d)
    return d


def _add_candidate(d: Diagram) -> None:
    """The lower half: the candidate, with the reset gate inside."""
    d.box("Un", 1.0, 2.6, "$U_n, b_U$", "hidden", (1.5, 0.8))
    add_gate(d, "r", 2.7, 2.6, "$r_t$")
    d.symbol("Wr", 2.7, -0.9, "$W_r, U_r, b_r$", "gate", (1.9, 0.6))
    d.circle("plus", 4.4, 2.6, "+")
    d.circle("tanh", 5.6, 2.6, "tanh")
    d.symbol("candidate", 7.25, 2.6, "$\\tilde{h}_t$", "hidden", (0.8, 0.7))
    d.box("Wn", 4.4, 1.4, "$W_n, b_n$", "input", (1.4, 0.8))
    d.arrow("copy r", "Un", "hidden")
    d.arrow("copy r", "r σ", "hidden", via=((-0.2, 3.7), (-0.2, 0.4)))
    d.arrow("Un", "r", "hidden")
    d.arrow("r", "plus", "hidden")
    d.arrow("Wr", "r σ", "gate")
    d.arrow("copy x", "r σ", "input")
    d.arrow("copy x", "Wn", "input")
    d.arrow("Wn", "plus", "input")
    d.arrow("plus", "tanh")
    d.arrow("tanh", "candidate", "hidden")


def _add_mixture(d: Diagram) -> None:
    """The upper half: the update gate mixes old state and candidate."""
    add_gate(d, "z", 6.55, 7.0, "$z_t$")
    d.symbol("Wz", 4.7, 5.8, "$W_z, U_z, b_z$", "gate", (1.9, 0.6))
    d.circle("rest", 7.75, 4.8, "1−", "gate")
    d.circle("enter", 8.85, 4.8, "⊙", "gate")
    d.circle("mix", 8.85, 7.0, "+", "hidden")
    d.symbol("h", 9.95, 7.0, "$h_t$", "hidden", (0.8, 0.6))
    # the old state runs straight through
    d.arrow("copy", "z", "hidden")
    d.arrow("z", "mix", "hidden")
    d.arrow("mix", "h", "hidden")
    d.arrow("copy z", "z σ", "hidden")
    d.arrow("Wz", "z σ", "gate", via=((6.2, 5.8),))
    d.arrow("copy x", "z σ", "input", via=((6.55, 0.4),))
    d.arrow("z σ", "rest", "gate")
    d.arrow("rest", "enter", "gate")
    d.arrow("candidate", "enter", "hidden", via=((8.85, 2.6),))
    d.arrow("enter", "mix", "hidden")


def gru_forms_diagram() -> Diagram:
    """Where the reset gate acts: after ``U``, or before it."""
    d = Diagram()
    for y, name in ((3.2, "after"), (0.0, "before")):
        gate_x, layer_x = (5.0, 2.9) if name == "after" else (2.9, 5.0)
        title = {"after": "after U", "before": "before U"}[name]
        result = {
            "after": "$r_t \\odot (U_n h_{t-1} + b_U)$",
            "before": "$U_n (r_t \\odot h_{t-1})$",
        }[name]
        label = {"after": "$U_n, b_U$", "before": "$U_n$"}[name]
        d.symbol(f"h {name}", 0.6, y, "$h_{t-1}$", "hidden", (1.2, 0.6))
        d.symbol(f"title {name}", 0.6, y + 0.8, title, "muted", (1.9, 0.6))
        d.box(f"U {name}", layer_x, y, label, "hidden", (1.5, 0.8))
        d.circle(f"⊙ {name}", gate_x, y, "⊙", "gate")
        d.symbol(f"r {name}", gate_x, y - 1.4, "$r_t$", "gate", (0.8, 0.6))
        d.symbol(f"out {name}", 8.3, y, result, "hidden", (4.0, 0.6))
        order = [f"U {name}", f"⊙ {name}"]
        if name == "before":
            order.reverse()
        d.arrow(f"h {name}", order[0], "hidden")
        d.arrow(order[0], order[1], "hidden")
        d.arrow(order[1], f"out {name}", "hidden")
        d.arrow(f"r {name}", f"⊙ {name}", "gate")
    return d
