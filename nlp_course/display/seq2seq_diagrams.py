"""Diagram of chapter 08, ``08_seq2seq``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_PITCH = 2.7  # from one step to the next


def encoder_decoder_diagram() -> Diagram:
    """Encoder below, decoder above, :eq:`eq-s2s-encoder` and onwards.

    Three steps of each; between them the one line that joins them.  With
    every state h or s goes a cell state, which is not drawn.
    """
    d = Diagram()
    _add_row(d, "encoder", 0.0, ("$x_1$", "$x_2$", "$x_N$"), "$E_x$", "input")
    _add_states(d, "encoder", ("$h_1$", "$h_2$", "$h_N$"))
    _add_row(d, "decoder", 4.3, ("<s>", "$w_1$", "$w_2$"), "$E_w$", "output")
    _add_states(d, "decoder", ("$s_1$", "$s_2$", "$s_3$"))
    for step, name in enumerate(("$p_1$", "$p_2$", "$p_3$")):
        x = step * _PITCH
        d.box(f"readout {step}", x, 7.95, "$W_y, b_y$", "output", (1.5, 0.8))
        d.symbol(f"p {step}", x, 9.15, name, "output", (0.8, 0.6))
        d.arrow(f"decoder {step}", f"readout {step}", "hidden")
        d.arrow(f"readout {step}", f"p {step}", "output")
    # all that the decoder is told about the source
    right, left = 2 * _PITCH + 1.45, -1.3
    d.arrow(
        "encoder state 2",
        "decoder 0",
        "hidden",
        via=((right, 3.55), (left, 3.55), (left, 6.7)),
    )
    return d


def _add_row(
    d: Diagram,
    part: str,
    y: float,
    words: tuple[str, str, str],
    embedding: str,
    role: str,
) -> None:
    """Words, embeddings and LSTM of three steps, from below."""
    for step, word in enumerate(words):
        x = step * _PITCH
        d.symbol(f"{part} word {step}", x, y, word, role, (0.8, 0.6))
        d.box(f"{part} embed {step}", x, y + 1.2, embedding, role)
        d.box(f"{part} {step}", x, y + 2.4, "LSTM", "hidden")
        d.arrow(f"{part} word {step}", f"{part} embed {step}", role)
        d.arrow(f"{part} embed {step}", f"{part} {step}", role)


def _add_states(d: Diagram, part: str, names: tuple[str, str, str]) -> None:
    """The state from each step to the next."""
    lstm = d.parts[f"{part} 0"]
    for step, name in enumerate(names):
        x = step * _PITCH + 1.45
        state = f"{part} state {step}"
        d.symbol(state, x, lstm.y, name, "hidden", (0.7, 0.6))
        d.arrow(f"{part} {step}", state, "hidden")
        if step < 2:
            d.arrow(state, f"{part} {step + 1}", "hidden")
