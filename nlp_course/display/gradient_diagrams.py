"""Diagrams of chapter 02, ``02_vanishing_and_exploding_gradients``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_STEP = 3.4  # from one layer to the next
_FORWARD, _BACKWARD = 1.6, 0.0  # heights of the two rows


def sigmoid_chain_diagram() -> Diagram:
    """Three sigmoid neurons in a row, every symbol of :eq:`eq-chain`.

    Above the way forward; below the way back, with the factor that each
    part multiplies into the gradient.
    """
    d = Diagram()
    for k in (1, 2, 3):
        _layer(d, k)
    x = 0.4 + 3 * _STEP
    d.symbol("y", x, _FORWARD, "$y$", "output", (0.5, 0.6))
    d.arrow("sigma3", "y", "hidden")
    d.symbol("dy", x, _BACKWARD, "$\\dfrac{\\partial L}{\\partial y}$",
             "output", (0.75, 1.1))  # fmt: skip
    d.arrow("y", "dy", "output")
    d.arrow("dy", "slope3", "output")
    return d


def _layer(d: Diagram, k: int) -> None:
    """Layer ``k``: input, weight, sigmoid; and the two factors below."""
    x = 0.4 + (k - 1) * _STEP
    role = "input" if k == 1 else "hidden"
    d.symbol(f"u{k}", x, _FORWARD, f"$u_{k}$", role, (0.55, 0.6))
    d.box(f"w{k}", x + 1.05, _FORWARD, f"$w_{k}$", "ink", (0.75, 0.8))
    d.circle(f"sigma{k}", x + 2.25, _FORWARD, "σ")
    d.arrow(f"u{k}", f"w{k}", role)
    d.arrow(f"w{k}", f"sigma{k}")
    if k > 1:
        d.arrow(f"sigma{k - 1}", f"u{k}", "hidden")
    # the way back: through the slope, then through the weight
    d.symbol(f"slope{k}", x + 2.25, _BACKWARD, f"· σ′$_{k}$", "output",
             (0.9, 0.6))  # fmt: skip
    last = k == 1
    label = "$\\cdot\\,u_1$" if last else f"$\\cdot\\,w_{k}$"
    d.symbol(f"factor{k}", x + 1.05, _BACKWARD, label, "output", (0.7, 0.6))
    d.arrow(f"slope{k}", f"factor{k}", "output")
    if last:
        d.symbol("dw1", x, _BACKWARD,
                 "$\\dfrac{\\partial L}{\\partial w_1}$", "output",
                 (0.75, 1.1))  # fmt: skip
        d.arrow("factor1", "dw1", "output")
    else:
        d.arrow(f"factor{k}", f"slope{k - 1}", "output")
