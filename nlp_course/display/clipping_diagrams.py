"""Diagrams of chapter 03, ``03_gradient_clipping``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram


def clipping_diagram() -> Diagram:
    """One training step with every symbol of :eq:`eq-clip`."""
    d = Diagram()
    d.symbol("loss", 0.5, 3.0, "$L$", "output", (0.7, 0.6))
    weights = (("W", 4.4, "input"), ("U", 3.0, "hidden"), ("b", 1.6, "ink"))
    for name, y, role in weights:
        d.symbol(name, 2.3, y, f"$g_{name}$", role)
    d.dot("g", 3.9, 3.0)
    d.symbol("whole", 4.6, 3.5, "$g$", size=(0.6, 0.6))
    d.circle("times", 7.0, 3.0, "×")
    d.symbol("step", 8.8, 3.0, "step", size=(1.1, 0.6))
    d.symbol("theta", 10.4, 3.0, "$\\theta$", size=(0.7, 0.6))
    d.circle("norm", 3.9, 0.4, "$\\Vert g \\Vert$")
    d.symbol(
        "factor", 7.0, 0.4, "$\\min(1,\\, \\tau / \\Vert g \\Vert)$", "gate",
        (2.6, 0.8),
    )  # fmt: skip
    d.symbol("threshold", 9.8, 0.4, "$\\tau$", "gate", (0.6, 0.6))
    for name, _, role in weights:
        d.arrow("loss", name, role)
        d.arrow(name, "g", role, head=False)
    d.arrow("g", "times")
    d.arrow("times", "step")
    d.arrow("step", "theta")
    d.arrow("g", "norm")
    d.arrow("norm", "factor")
    d.arrow("threshold", "factor", "gate")
    d.arrow("factor", "times", "gate")
    return d
