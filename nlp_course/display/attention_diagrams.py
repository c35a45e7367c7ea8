"""Diagrams of chapter 09, ``09_attention``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_COLUMNS = (0.5, 2.3, 4.1)  # the source words
_DECODER = 7.6


def attention_diagram() -> Diagram:
    """One step of the decoder: :eq:`eq-attention-dot` to the scores.

    Three source words in columns on the left, from the bottom upwards: word,
    encoder, state, score, weight, product.  The decoder stands on the right.
    """
    d = Diagram()
    for i, x in enumerate(_COLUMNS, start=1):
        _add_word(d, i, x)
    d.frame("one softmax", 2.3, 5.75, (4.7, 2.2))
    d.symbol("softmax", 5.85, 5.75, "softmax", "query", (1.8, 0.6))
    _add_decoder(d)
    _add_look_up(d)
    _add_answer(d)
    return d


def _add_word(d: Diagram, i: int, x: float) -> None:
    """One source word: what the encoder keeps of it."""
    d.symbol(f"x{i}", x, 0.0, f"$x_{i}$", "input", (0.8, 0.6))
    d.box(f"encoder {i}", x, 1.1, "LSTM", "hidden", (1.2, 0.8))
    d.symbol(f"h{i}", x, 2.3, f"$h_{i}$", "hidden", (0.7, 0.6))
    d.arrow(f"x{i}", f"encoder {i}", "input")
    d.arrow(f"encoder {i}", f"h{i}", "hidden")
    if i > 1:
        d.arrow(f"encoder {i - 1}", f"encoder {i}", "hidden")


def _add_decoder(d: Diagram) -> None:
    """The state of the decoder, as in chapter 08."""
    d.symbol("w", _DECODER, 0.0, "$w_{t-1}$", "input", (1.1, 0.6))
    d.symbol("s before", 5.8, 1.1, "$s_{t-1}$", "hidden", (1.0, 0.6))
    d.box("decoder", _DECODER, 1.1, "LSTM", "hidden", (1.2, 0.8))
    d.symbol("s", _DECODER, 2.3, "$s_t$", "hidden", (0.7, 0.6))
    d.dot("copy", _DECODER, 3.2, "query")
    d.arrow("w", "decoder", "input")
    d.arrow("s before", "decoder", "hidden")
    d.arrow("decoder", "s", "hidden")
    d.arrow("s", "copy", "query", head=False)
    last = "copy"
    for i in (3, 2, 1):
        x = _COLUMNS[i - 1] - 0.6
        d.dot(f"ask {i}", x, 3.2, "query")
        d.arrow(last, f"ask {i}", "query", head=False)
        last = f"ask {i}"


def _add_look_up(d: Diagram) -> None:
    """Scores, weights, and the weighted sum."""
    d.circle("sum", 2.3, 9.4, "Σ", "value")
    for i, x in enumerate(_COLUMNS, start=1):
        d.circle(f"score {i}", x, 3.9, "$s^{\\top}\\! h$", "key")
        d.symbol(f"e{i}", x, 5.1, f"$e_{{t{i}}}$", "query", (0.9, 0.6))
        d.symbol(f"α{i}", x, 6.4, f"$\\alpha_{{t{i}}}$", "query", (0.9, 0.6))
        d.circle(f"weigh {i}", x, 7.8, "⊙", "value")
        d.arrow(f"ask {i}", f"score {i}", "query", via=((x - 0.6, 3.9),))
        d.arrow(f"h{i}", f"score {i}", "key")
        d.arrow(f"score {i}", f"e{i}", "query")
        d.arrow(f"e{i}", f"α{i}", "query")
        d.arrow(f"α{i}", f"weigh {i}", "query")
        around = ((x + 0.75, 2.3), (x + 0.75, 7.8))
        d.arrow(f"h{i}", f"weigh {i}", "value", via=around)
        d.arrow(f"weigh {i}", "sum", "value")


def _add_answer(d: Diagram) -> None:
    """Context and state joined; the scores of the words."""
    d.symbol("context", 5.0, 9.4, "$\\bar{h}_t$", "value", (0.8, 0.7))
    d.dot("join", _DECODER, 9.4)
    d.box("join layer", _DECODER, 10.6, "$W_c$, tanh", "hidden", (1.7, 0.8))
    d.symbol("joined", 9.5, 10.6, "$\\tilde{s}_t$", "hidden", (0.8, 0.7))
    d.box("readout", 9.5, 9.2, "$W_y, b_y$", "output", (1.5, 0.8))
    d.symbol("y", 9.5, 7.9, "$y_t$", "output", (0.8, 0.6))
    d.arrow("sum", "context", "value")
    d.arrow("context", "join", "value", head=False)
    d.arrow("copy", "join", "hidden", head=False)
    d.arrow("join", "join layer")
    d.arrow("join layer", "joined", "hidden")
    d.arrow("joined", "readout", "hidden")
    d.arrow("readout", "y", "output")
