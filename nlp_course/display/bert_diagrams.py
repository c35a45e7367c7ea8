"""Diagrams of chapter 14, ``14_bert``; all are read upwards."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_PITCH = 1.5  # from token to token
_TOKENS = ("[CLS]", "superb", "[MASK]", "[SEP]", "dull", "cast", "[SEP]")
_SECOND = 4  # the first token of the second segment
_MASKED = 2
_SMALL = (1.0, 0.6)


def bert_diagram() -> Diagram:
    """The whole model, with both heads."""
    d = Diagram()
    middle = _PITCH * (len(_TOKENS) - 1) / 2
    wide = _PITCH * len(_TOKENS) - 0.3
    d.box("norm", middle, 4.4, "LN", "hidden", (wide, 0.8))
    d.box("layers", middle, 6.1, "encoder layers", "ink", (wide, 0.8))
    for t, token in enumerate(_TOKENS):
        x = _PITCH * t
        segment = int(t >= _SECOND)
        d.symbol(f"token {t}", x, 0.0, token, "input", (1.48, 0.6))
        d.symbol(f"E {t}", x, 1.1, f"$E_{{w_{t + 1}}}$", "input", _SMALL)
        d.symbol(f"P {t}", x, 2.0, f"$P_{t}$", "muted", _SMALL)
        d.symbol(f"G {t}", x, 2.9, f"$G_{segment}$", "key", _SMALL)
        d.arrow(f"token {t}", f"E {t}", "input")
        d.arrow(f"G {t}", "norm", "hidden", via=((x, 3.6),))
        d.arrow("norm", "layers", "hidden", via=((x, 5.25),))
        d.symbol(f"h {t}", x, 7.6, f"$h_{t + 1}$", "hidden", _SMALL)
        d.arrow("layers", f"h {t}", "hidden", via=((x, 7.0),))
    for t in range(len(_TOKENS)):
        for k, height in enumerate((1.55, 2.45)):
            d.symbol(f"+ {t} {k}", _PITCH * t, height, "+", "ink", (0.4, 0.3))
    _add_pair(d)
    _add_words(d)
    return d


def _add_pair(d: Diagram) -> None:
    """From the state of [CLS] to the judgement of the pair."""
    d.box("pool", 0.0, 9.0, "$W_p, b_p$", "output", (1.7, 0.8))
    d.symbol("pooled", 0.0, 10.3, "$\\hat{h}$", "hidden", (0.6, 0.6))
    d.box("judge", 0.0, 11.6, "$W_n, b_n$", "output", (1.7, 0.8))
    d.symbol("pair", 0.0, 12.9, "pair", "output", _SMALL)
    d.arrow("h 0", "pool", "hidden")
    d.arrow("pool", "pooled", "hidden")
    d.arrow("pooled", "judge", "hidden")
    d.arrow("judge", "pair", "output")


def _add_words(d: Diagram) -> None:
    """From the state of a masked place to the word that stood there."""
    x = _PITCH * _MASKED
    d.box("transform", x, 9.0, "$W_m, b_m$", "output", (1.7, 0.8))
    d.box("words norm", x, 10.3, "LN", "hidden", (1.5, 0.8))
    d.box("words", x, 11.6, "$E, b_w$", "input", (1.5, 0.8))
    d.symbol("p", x, 12.9, f"$p_{_MASKED + 1}$", "output", _SMALL)
    d.arrow(f"h {_MASKED}", "transform", "hidden")
    d.arrow("transform", "words norm", "hidden")
    d.arrow("words norm", "words", "hidden")
    d.arrow("words", "p", "output")


def bert_layer_diagram() -> Diagram:
    """One encoder layer, norms after the sums, :eq:`eq-bert-layer`."""
    d = Diagram()
    d.symbol("in", 0.0, 0.0, "$x_t$", "input", (0.9, 0.6))
    top = _add_part(d, "attention", 0.9, "in", "self-attention")
    for letter, role, x, beside in (
        ("q", "query", -0.5, -0.8),
        ("k", "key", 0.0, 0.25),
        ("v", "value", 0.5, 0.8),
    ):
        d.symbol(
            f"attention {letter}", beside, 1.5, f"${letter}$", role,
            (0.34, 0.5),
        )  # fmt: skip
        d.arrow("attention copy", "attention", role, via=((x, 1.25),))
    d.symbol("middle", 0.75, top + 0.7, "$\\tilde{x}_t$", "hidden", (0.6, 0.6))
    end = _add_part(
        d, "feed-forward", top + 1.0, "attention norm", "feed-forward"
    )
    d.arrow("feed-forward copy", "feed-forward", "hidden")
    d.symbol("out", 0.0, end + 1.2, "$h_t$", "hidden", (0.9, 0.6))
    d.arrow("feed-forward norm", "out", "hidden")
    return d


def _add_part(
    d: Diagram, name: str, y: float, below: str, label: str
) -> float:
    """Copy, part, sum and norm from ``y`` upwards; the height of the norm."""
    top = y + 2.7
    d.dot(f"{name} copy", 0.0, y, "hidden")
    d.box(name, 0.0, y + 1.5, label, "ink", (3.2, 0.8))
    d.circle(f"{name} +", 0.0, top, "+", "hidden")
    d.box(f"{name} norm", 0.0, top + 1.2, "LN", "hidden", (1.5, 0.8))
    start = "input" if below == "in" else "hidden"
    d.arrow(below, f"{name} copy", start, head=False)
    d.arrow(name, f"{name} +", "hidden")
    d.arrow(f"{name} +", f"{name} norm", "hidden")
    side = -2.3
    d.arrow(
        f"{name} copy", f"{name} +", "hidden", via=((side, y), (side, top))
    )
    return top + 1.2
