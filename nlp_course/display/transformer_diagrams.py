"""Diagrams of chapter 13, ``13_transformer``; all are read upwards."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_WIDE = (3.2, 0.8)  # a part that needs a whole word for its label
_SMALL = (0.34, 0.5)  # the letter beside an arrow
_PAST = -2.3  # where the residual path runs


def encoder_layer_diagram() -> Diagram:
    """One encoder layer, norms first, :eq:`eq-tr-encoder`."""
    d = Diagram()
    d.symbol("in", 0.0, 0.0, "$x_t$", "input", (0.9, 0.6))
    top = _add_part(d, "attention", 0.9, "in", "self-attention", "ink")
    _add_letters(d, "attention", 0.9)
    d.symbol(
        "middle", 0.75, top + 0.72, "$\\tilde{x}_t$", "hidden", (0.6, 0.6)
    )
    end = _add_part(
        d, "feed-forward", top + 0.95, "attention +", "feed-forward", "ink"
    )
    d.symbol("out", 0.0, end + 1.1, "$h_t$", "hidden", (0.9, 0.6))
    d.arrow("feed-forward +", "out", "hidden")
    return d


def decoder_layer_diagram() -> Diagram:
    """One decoder layer, norms first, :eq:`eq-tr-decoder`."""
    d = Diagram()
    d.symbol("in", 0.0, 0.0, "$x_t$", "input", (0.9, 0.6))
    own = _add_part(d, "attention", 0.9, "in", "masked self-attention", "ink")
    _add_letters(d, "attention", 0.9)
    d.symbol(
        "after own", 0.75, own + 0.72, "$\\tilde{x}_t$", "hidden", (0.6, 0.6)
    )
    low = own + 0.95
    cross = _add_part(d, "cross", low, "attention +", "cross-attention", "ink")
    _add_memory(d, low)
    d.symbol(
        "after cross", 0.75, cross + 0.72, "$\\bar{x}_t$", "hidden", (0.6, 0.6)
    )
    end = _add_part(
        d, "feed-forward", cross + 0.95, "cross +", "feed-forward", "ink"
    )
    d.symbol("out", 0.0, end + 1.1, "$s_t$", "hidden", (0.9, 0.6))
    d.arrow("feed-forward +", "out", "hidden")
    return d


def _add_part(
    d: Diagram, name: str, y: float, below: str, label: str, role: str
) -> float:
    """Copy, norm, part and sum from ``y`` upwards; the height of the sum."""
    wide = 4.4 if len(label) > 16 else _WIDE[0]
    d.dot(f"{name} copy", 0.0, y, "hidden")
    d.box(f"{name} norm", 0.0, y + 0.85, "LN", "hidden", (1.5, 0.8))
    d.box(name, 0.0, y + 2.35, label, role, (wide, 0.8))
    top = y + 3.45
    d.circle(f"{name} +", 0.0, top, "+", "hidden")
    start = "input" if below == "in" else "hidden"
    d.arrow(below, f"{name} copy", start, head=False)
    d.arrow(f"{name} copy", f"{name} norm", "hidden")
    if name == "feed-forward":
        d.arrow(f"{name} norm", name, "hidden")
    d.arrow(name, f"{name} +", "hidden")
    side = min(_PAST, -wide / 2 - 0.35)
    d.arrow(
        f"{name} copy", f"{name} +", "hidden", via=((side, y), (side, top))
    )
    return top


def _add_letters(d: Diagram, name: str, y: float) -> None:
    """Query, key and value, all three made of what the norm returns."""
    for letter, role, x, beside in (
        ("q", "query", -0.5, -0.8),
        ("k", "key", 0.0, 0.25),
        ("v", "value", 0.5, 0.8),
    ):
        d.symbol(
            f"{name} {letter}", beside, y + 1.6, f"${letter}$", role, _SMALL
        )
        d.arrow(f"{name} norm", name, role, via=((x, y + 1.6),))


def _add_memory(d: Diagram, y: float) -> None:
    """The query from below, keys and values from the encoder."""
    d.arrow("cross norm", "cross", "query", via=((-0.5, y + 1.6),))
    d.symbol("cross q", -0.8, y + 1.6, "$q$", "query", _SMALL)
    d.symbol("memory", 3.4, y + 0.6, "$h_1 \\dots h_N$", "hidden", (2.0, 0.6))
    for letter, role, x, dy in (
        ("k", "key", 2.9, -0.2),
        ("v", "value", 3.7, 0.2),
    ):
        d.symbol(
            f"cross {letter}", x + 0.3, y + 1.5, f"${letter}$", role, _SMALL
        )
        d.arrow("memory", "cross", role, via=((x, y + 2.35 + dy),))


def transformer_diagram() -> Diagram:
    """The whole model: encoder to the left, decoder to the right."""
    d = Diagram()
    _add_words(d, "encoder", 0.0, "$x_1 \\dots x_N$", "$E_x$", "input")
    _add_words(d, "decoder", 5.4, "$w_0 \\dots w_{T-1}$", "$E_w$", "output")
    for name, x in (("encoder", 0.0), ("decoder", 5.4)):
        d.frame(f"{name} stack", x, 4.6, (3.4, 2.0), "layers")
        d.box(f"{name} layer", x, 4.3, f"{name} layer", "ink", (2.9, 0.8))
        d.box(f"{name} norm", x, 6.5, "LN", "hidden", (1.5, 0.8))
        d.arrow(f"{name} +", f"{name} layer", "hidden")
        d.arrow(f"{name} layer", f"{name} norm", "hidden")
    d.symbol("memory", 0.0, 7.9, "$h_1 \\dots h_N$", "hidden", (2.0, 0.6))
    d.arrow("encoder norm", "memory", "hidden")
    turn = 2.75
    d.arrow(
        "memory",
        "decoder layer",
        "key",
        via=((turn - 0.15, 7.9), (turn - 0.15, 4.15)),
    )
    d.arrow(
        "memory",
        "decoder layer",
        "value",
        via=((turn + 0.15, 8.05), (turn + 0.15, 4.45)),
    )
    d.symbol("k", turn - 0.5, 5.5, "$k$", "key", _SMALL)
    d.symbol("v", turn + 0.5, 6.3, "$v$", "value", _SMALL)
    d.box("readout", 5.4, 7.9, "$W_y, b_y$", "output", (1.9, 0.8))
    d.symbol("p", 5.4, 9.2, "$p_1 \\dots p_T$", "output", (2.0, 0.6))
    d.arrow("decoder norm", "readout", "hidden")
    d.arrow("readout", "p", "output")
    return d


def _add_words(
    d: Diagram, name: str, x: float, words: str, table: str, role: str
) -> None:
    """Words, embedding, and the positions that are added once."""
    d.symbol(f"{name} words", x, 0.0, words, role, (2.3, 0.6))
    d.box(f"{name} embed", x, 1.2, table, role, (1.5, 0.8))
    d.circle(f"{name} +", x, 2.6, "+", "hidden")
    d.symbol(f"{name} places", x + 1.75, 2.6, "$P_t$", "muted", (0.9, 0.6))
    d.arrow(f"{name} words", f"{name} embed", role)
    d.arrow(f"{name} embed", f"{name} +", role)
    d.arrow(f"{name} places", f"{name} +", "muted")
