"""Diagrams of chapter 04, ``04_hadamard_product``.

``add_gate`` draws a gate as the whole book draws it: a line that passes
through a circle ⊙, into which a gate value comes from a sigmoid box.
"""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

BELOW = 2.2  # how far the sigmoid box stands below the line


def add_gate(d: Diagram, name: str, x: float, y: float, label: str) -> None:
    """A circle ⊙ at ``(x, y)`` and the sigmoid box under it.

    Adds the parts ``name`` (the circle), ``name σ`` (the box, a learned
    layer followed by the sigmoid) and ``name value`` (the gate's symbol
    beside the line between them).  The caller leads the carried line into
    the circle and out of it, and the inputs into the box.
    """
    d.circle(name, x, y, "⊙", "gate")
    d.box(f"{name} σ", x, y - BELOW, "σ", "gate")
    d.symbol(f"{name} value", x + 0.55, y - 1.15, label, "gate", (0.8, 0.6))
    d.arrow(f"{name} σ", name, "gate")


def gate_diagram(role: str = "cell") -> Diagram:
    """One gate: every symbol of :eq:`eq-gate`.

    ``role`` is the colour of what is carried, "cell" or "hidden".
    """
    d = Diagram()
    d.symbol("v", 0.0, 2.2, "$v$", role)
    add_gate(d, "gate", 3.2, 2.2, "$f$")
    d.symbol("y", 6.4, 2.2, "$f \\odot v$", role, (1.6, 0.6))
    d.symbol("x", 0.0, 0.0, "$x$", "input")
    d.symbol("Wb", 6.4, 0.0, "$W,\\,b$", "gate", (1.4, 0.6))
    d.arrow("v", "gate", role)
    d.arrow("gate", "y", role)
    d.arrow("x", "gate σ", "input")
    d.arrow("Wb", "gate σ", "gate")
    return d


def carry_diagram(steps: int = 3, role: str = "cell") -> Diagram:
    """A state carried through one gate a step, :eq:`eq-carry`."""
    d = Diagram()
    d.symbol("c0", 0.0, 2.2, "$c_0$", role)
    last = "c0"
    for t in range(1, steps + 1):
        x = 3.0 * t - 1.4
        add_gate(d, f"gate{t}", x, 2.2, f"$f_{t}$")
        d.symbol(f"c{t}", x + 1.5, 2.2, f"$c_{t}$", role, (0.8, 0.6))
        d.symbol(f"x{t}", x, -1.4, f"$x_{t}$", "input")
        d.arrow(last, f"gate{t}", role)
        d.arrow(f"gate{t}", f"c{t}", role)
        d.arrow(f"x{t}", f"gate{t} σ", "input")
        last = f"c{t}"
    return d
