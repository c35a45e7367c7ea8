"""Diagrams of chapter 12, ``12_masked_attention``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

WORDS = (1, 2, 3)
SEEN = (1, 2)  # by the second word, under a causal mask
KEYS = {i: 1.0 + 1.25 * i for i in WORDS}  # where key i stands
VALUES = {i: 5.0 + 1.3 * i for i in WORDS}


def masked_attention_diagram() -> Diagram:
    """Word 2 of 3 under a causal mask, :eq:`eq-mask-scores`.

    From below: the query meets every key, the mask lets two scores through
    and puts minus infinity in the place of the third, the softmax makes
    weights, and the values are added up.
    """
    d = Diagram()
    _add_scores(d)
    _add_mask(d)
    _add_sum(d)
    return d


def _add_scores(d: Diagram) -> None:
    """The query meets every key; nothing is hidden yet."""
    last = "q"
    d.symbol("q", 0.5, 0.0, "$q_2$", "query", (0.8, 0.6))
    for i in WORDS:
        x = KEYS[i]
        d.symbol(f"k{i}", x, 0.0, f"$k_{i}$", "key", (0.8, 0.6))
        d.symbol(f"v{i}", VALUES[i], 0.0, f"$v_{i}$", "value", (0.8, 0.6))
        d.dot(f"ask{i}", x - 0.6, 0.9, "query")
        via = ((0.5, 0.9),) if i == 1 else ()
        d.arrow(last, f"ask{i}", "query", via=via, head=False)
        last = f"ask{i}"
        d.circle(f"dot{i}", x, 1.7, "·")
        d.circle(f"scale{i}", x, 2.9, "÷√d")
        d.symbol(f"e{i}", x, 4.0, f"$e_{{2{i}}}$", size=(0.9, 0.6))
        d.arrow(f"ask{i}", f"dot{i}", "query")
        d.arrow(f"k{i}", f"dot{i}", "key")
        d.arrow(f"dot{i}", f"scale{i}")
        d.arrow(f"scale{i}", f"e{i}")


def _add_mask(d: Diagram) -> None:
    """Two scores pass; the third is replaced, and its weight is 0."""
    d.symbol("softmax", KEYS[2], 7.4, "softmax", size=(3.4, 0.5))
    for i in WORDS:
        x, role = KEYS[i], "ink" if i in SEEN else "gate"
        score = f"$e_{{2{i}}}$" if i in SEEN else "−∞"
        weight = f"$\\alpha_{{2{i}}}$" if i in SEEN else "0"
        d.circle(f"mask{i}", x, 5.2, f"$m_{{2{i}}}$", "gate")
        d.symbol(f"masked{i}", x, 6.4, score, role, (0.9, 0.6))
        d.symbol(f"a{i}", x, 8.4, weight, role, (0.9, 0.6))
        d.arrow(f"e{i}", f"mask{i}")
        d.arrow(f"mask{i}", f"masked{i}", role)
        d.arrow(f"masked{i}", "softmax", role, via=((x, 6.9),))
        d.arrow("softmax", f"a{i}", role, via=((x, 7.9),))


def _add_sum(d: Diagram) -> None:
    """Every value times its weight, and all of it added up."""
    top = 12.4
    for i in WORDS:
        height = 12.1 - 1.05 * i
        role = "value" if i in SEEN else "gate"
        d.circle(f"times{i}", VALUES[i], height, "×", "value")
        d.arrow(f"a{i}", f"times{i}", "ink" if i in SEEN else "gate",
                via=((KEYS[i], height),))  # fmt: skip
        d.arrow(f"v{i}", f"times{i}", "value")
        if i > 1:
            d.circle(f"plus{i}", VALUES[i], top, "+", "value")
            d.arrow(f"times{i}", f"plus{i}", role)
    out = VALUES[3] + 1.2
    d.symbol("out", out, top, "$\\bar{v}_2$", "value", (0.8, 0.7))
    d.arrow("times1", "plus2", "value", via=((VALUES[1], top),))
    d.arrow("plus2", "plus3", "value")
    d.arrow("plus3", "out", "value")
