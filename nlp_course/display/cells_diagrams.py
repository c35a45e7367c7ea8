"""Diagrams of chapter 07, ``07_recurrent_cells_compared``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram


def roads_diagram() -> Diagram:
    """What a fact must pass on its way from one step to the next.

    One row for each cell, and one for attention, which has no such way:
    :eq:`eq-rnn-cell`, :eq:`eq-lstm-update`, :eq:`eq-gru-state` and
    :eq:`eq-cells-context`.
    """
    d = Diagram()
    _add_plain(d, 9.0)
    _add_gated(d, 6.0, "LSTM", "cell", "f_t", "i_t \\odot \\tilde{c}_t")
    _add_gated(d, 3.0, "GRU", "hidden", "z_t", "(1-z_t) \\odot \\tilde{h}_t")
    _add_attention(d, -0.3)
    return d


def _title(d: Diagram, name: str, y: float) -> None:
    d.symbol(f"title {name}", 0.4, y + 0.85, name, "muted", (2.0, 0.6))


def _add_plain(d: Diagram, y: float) -> None:
    """The whole state goes through weights and tanh."""
    _title(d, "RNN", y)
    d.symbol("RNN before", 0.3, y, "$h_{t-1}$", "hidden", (1.2, 0.6))
    d.box("RNN U", 2.6, y, "$U$", "hidden", (1.0, 0.8))
    d.circle("RNN plus", 4.9, y, "+", "hidden")
    d.circle("RNN tanh", 6.7, y, "tanh", "hidden")
    d.symbol("RNN after", 9.0, y, "$h_t$", "hidden")
    d.symbol("RNN new", 4.9, y - 1.4, "$W x_t + b$", "input", (2.0, 0.6))
    d.arrow("RNN before", "RNN U", "hidden")
    d.arrow("RNN U", "RNN plus", "hidden")
    d.arrow("RNN new", "RNN plus", "input")
    d.arrow("RNN plus", "RNN tanh", "hidden")
    d.arrow("RNN tanh", "RNN after", "hidden")


def _add_gated(
    d: Diagram, y: float, name: str, role: str, gate: str, new: str
) -> None:
    """A product with a gate and a sum, no weights in the way."""
    letter = "c" if role == "cell" else "h"
    _title(d, name, y)
    before, after = f"${letter}_{{t-1}}$", f"${letter}_t$"
    d.symbol(f"{name} before", 0.3, y, before, role, (1.2, 0.6))
    d.circle(f"{name} gate", 2.6, y, "⊙", "gate")
    d.circle(f"{name} plus", 4.9, y, "+", role)
    d.symbol(f"{name} after", 9.0, y, after, role)
    d.symbol(f"{name} g", 2.6, y - 1.4, f"${gate}$", "gate", (0.8, 0.6))
    d.symbol(f"{name} new", 4.9, y - 1.4, f"${new}$", role, (3.0, 0.7))
    d.arrow(f"{name} before", f"{name} gate", role)
    d.arrow(f"{name} gate", f"{name} plus", role)
    d.arrow(f"{name} plus", f"{name} after", role)
    d.arrow(f"{name} g", f"{name} gate", "gate")
    d.arrow(f"{name} new", f"{name} plus", role)


def _add_attention(d: Diagram, y: float) -> None:
    """Every word is looked at again, at the end."""
    _title(d, "attention", y)
    d.symbol("context", 9.0, y, "$\\bar{x}$", "value", (0.9, 0.7))
    d.circle("sum", 7.2, y, "+", "value")
    for k, (x, t) in enumerate(((0.3, "1"), (2.6, "2"), (4.9, "T"))):
        d.symbol(f"x{k}", x, y - 2.9, f"$x_{t}$", "input", (0.8, 0.6))
        d.circle(f"⊙{k}", x, y - 1.5, "⊙", "query")
        label = f"$\\alpha_{t}$"
        d.symbol(f"α{k}", x + 1.1, y - 1.5, label, "query", (0.7, 0.6))
        d.arrow(f"x{k}", f"⊙{k}", "input")
        d.arrow(f"α{k}", f"⊙{k}", "query")
        d.dot(f"join{k}", x, y, "value")
        d.arrow(f"⊙{k}", f"join{k}", "value", head=False)
        if k:
            d.arrow(f"join{k - 1}", f"join{k}", "value", head=False)
    d.arrow("join2", "sum", "value")
    d.arrow("sum", "context", "value")
