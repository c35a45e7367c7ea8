"""Diagrams of chapter 15, ``15_gpt``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_WIDE = (4.4, 0.8)  # a part that needs a whole word for its label


def gpt_diagram() -> Diagram:
    """The whole model, read upwards, :eq:`eq-gpt-readout`."""
    d = Diagram()
    d.symbol("words", 0.0, 0.0, "$w_1 \\dots w_T$", "input", (2.0, 0.6))
    d.box("embed", 0.0, 1.2, "$E$", "input", (1.5, 0.8))
    d.circle("+", 0.0, 2.5, "+", "hidden")
    d.symbol("places", 1.9, 2.5, "$P_t$", "muted", (0.9, 0.6))
    d.arrow("words", "embed", "input")
    d.arrow("embed", "+", "input")
    d.arrow("places", "+", "muted")
    top = _add_part(d, "attention", 3.9, "masked self-attention")
    top = _add_part(d, "feed-forward", top + 1.0, "feed-forward")
    middle = (3.6 + top + 0.6) / 2
    d.frame("layer", -0.2, middle, (6.1, top + 1.2 - 3.1), "layers")
    d.arrow("+", "attention copy", "hidden", head=False)
    d.arrow("attention +", "feed-forward copy", "hidden", head=False)
    d.box("norm", 0.0, top + 1.75, "LN", "hidden", (1.5, 0.8))
    d.symbol("state", 2.1, top + 2.45, "$s_t$", "hidden", (0.9, 0.6))
    d.box("readout", 0.0, top + 3.2, "$E$", "output", (1.5, 0.8))
    d.symbol("p", 0.0, top + 4.5, "$p_1 \\dots p_T$", "output", (2.0, 0.6))
    d.arrow("feed-forward +", "norm", "hidden")
    d.arrow("norm", "readout", "hidden")
    d.arrow("norm", "state", "hidden", via=((0.0, top + 2.45),), head=False)
    d.arrow("readout", "p", "output")
    return d


def _add_part(d: Diagram, name: str, y: float, label: str) -> float:
    """Copy, norm, part and sum from ``y`` upwards; the height of the sum."""
    d.dot(f"{name} copy", 0.0, y, "hidden")
    d.box(f"{name} norm", 0.0, y + 0.8, "LN", "hidden", (1.5, 0.8))
    d.box(name, 0.0, y + 2.0, label, "ink", _WIDE)
    top = y + 3.1
    d.circle(f"{name} +", 0.0, top, "+", "hidden")
    d.arrow(f"{name} copy", f"{name} norm", "hidden")
    d.arrow(f"{name} norm", name, "hidden")
    d.arrow(name, f"{name} +", "hidden")
    side = -_WIDE[0] / 2 - 0.4
    d.arrow(
        f"{name} copy", f"{name} +", "hidden", via=((side, y), (side, top))
    )
    return top


def cache_diagram() -> Diagram:
    """One more word, with keys and values kept, :eq:`eq-gpt-cache`."""
    d = Diagram()
    d.symbol("in", 0.0, 0.0, "$x_t$", "input", (0.9, 0.6))
    d.dot("copy", 0.0, 0.8, "input")
    d.arrow("in", "copy", "input", head=False)
    for letter, role, x in (
        ("Q", "query", -2.6),
        ("K", "key", 0.0),
        ("V", "value", 2.6),
    ):
        d.box(f"W {letter}", x, 1.8, f"$W^{letter}$", role)
        via = ((x, 0.8),) if x else ()
        d.arrow("copy", f"W {letter}", "input", via=via)
    d.symbol("q", -2.6, 3.4, "$q_t$", "query", (0.9, 0.6))
    d.frame("kept", 1.3, 4.0, (5.3, 2.2), "kept")
    keys, values = "$k_1 \\dots k_{t-1}, k_t$", "$v_1 \\dots v_{t-1}, v_t$"
    d.symbol("keys", 0.0, 3.4, keys, "key", (2.4, 0.6))
    d.symbol("values", 2.6, 3.4, values, "value", (2.4, 0.6))
    d.box("attention", 0.0, 6.2, "attention", "ink", (2.6, 0.8))
    d.symbol("out", 0.0, 7.5, "$\\bar{v}_t$", "hidden", (0.9, 0.6))
    d.arrow("W Q", "q", "query")
    d.arrow("W K", "keys", "key")
    d.arrow("W V", "values", "value")
    d.arrow("q", "attention", "query", via=((-2.6, 6.2),))
    d.arrow("keys", "attention", "key")
    d.arrow("values", "attention", "value", via=((2.6, 6.2),))
    d.arrow("attention", "out", "hidden")
    return d


def induction_diagram() -> Diagram:
    """Two layers that continue a pattern seen once before."""
    d = Diagram()
    words = ("a", "b", "c", "a")
    places = (0.0, 2.2, 4.4, 6.6)
    for k, (word, x) in enumerate(zip(words, places, strict=True)):
        d.symbol(f"word {k}", x, 0.0, f"${word}$", "input", (0.9, 0.6))
        d.dot(f"first {k}", x, 2.2, "hidden")
        d.dot(f"second {k}", x, 4.6, "hidden")
        d.arrow(f"word {k}", f"first {k}", "muted")
        d.arrow(f"first {k}", f"second {k}", "muted")
    d.symbol("one", 8.3, 1.3, "layer 1", "muted", (1.6, 0.6))
    d.symbol("two", 8.3, 3.5, "layer 2", "muted", (1.6, 0.6))
    for k in range(3):
        d.arrow(f"word {k}", f"first {k + 1}", "key")
    d.arrow("first 1", "second 3", "value")
    d.symbol("next", 6.6, 5.8, "$b$", "output", (0.9, 0.6))
    d.arrow("second 3", "next", "output")
    return d
