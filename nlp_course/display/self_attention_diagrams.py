"""Diagrams of chapter 10, ``10_self_attention``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

WORDS = (1, 2, 3)
KEYS = {i: 1.1 + 1.2 * i for i in WORDS}  # where key i stands
VALUES = {i: 5.15 + 1.3 * i for i in WORDS}


def self_attention_diagram() -> Diagram:
    """What word 1 of 3 gets, :eq:`eq-self-qkv` to :eq:`eq-self-sum`.

    From below: the words, three learned maps, the comparison of the query
    with every key, the softmax, and the weighted sum of the values.
    """
    d = Diagram()
    _add_maps(d)
    _add_scores(d)
    _add_sum(d)
    return d


def _add_maps(d: Diagram) -> None:
    """The words, and their queries, keys and values."""
    d.box("W_Q", 0.5, 2.5, "$W^Q$", "query", (1.2, 0.8))
    d.box("W_K", KEYS[2], 2.5, "$W^K$", "key", (3.3, 0.8))
    d.box("W_V", VALUES[2], 2.5, "$W^V$", "value", (3.5, 0.8))
    d.symbol("q", 0.5, 3.7, "$q_1$", "query", (0.8, 0.6))
    d.arrow("W_Q", "q", "query")
    for i in WORDS:
        height = 1.9 - 0.35 * i
        d.symbol(f"x{i}", KEYS[i], -0.2, f"$x_{i}$", "input", (0.8, 0.6))
        d.dot(f"copy{i}", KEYS[i], height, "input")
        d.arrow(f"x{i}", f"copy{i}", "input", head=False)
        d.arrow(f"copy{i}", "W_K", "input", via=((KEYS[i], 2.0),))
        d.arrow(f"copy{i}", "W_V", "input", via=((VALUES[i], height),))
        d.symbol(f"k{i}", KEYS[i], 3.7, f"$k_{i}$", "key", (0.8, 0.6))
        d.symbol(f"v{i}", VALUES[i], 3.7, f"$v_{i}$", "value", (0.8, 0.6))
        d.arrow("W_K", f"k{i}", "key", via=((KEYS[i], 3.1),))
        d.arrow("W_V", f"v{i}", "value", via=((VALUES[i], 3.1),))
    d.arrow("copy1", "W_Q", "input", via=((0.5, d.parts["copy1"].y),))


def _add_scores(d: Diagram) -> None:
    """The query meets every key; scores become weights."""
    last = "q"
    for i in WORDS:
        x = KEYS[i]
        d.dot(f"ask{i}", x - 0.6, 4.6, "query")
        via = ((0.5, 4.6),) if i == 1 else ()
        d.arrow(last, f"ask{i}", "query", via=via, head=False)
        last = f"ask{i}"
        d.circle(f"dot{i}", x, 5.4, "·")
        d.circle(f"scale{i}", x, 6.6, "÷√d")
        d.symbol(f"e{i}", x, 7.7, f"$e_{{1{i}}}$", size=(0.9, 0.6))
        d.symbol(f"a{i}", x, 9.7, f"$\\alpha_{{1{i}}}$", size=(0.9, 0.6))
        d.arrow(f"ask{i}", f"dot{i}", "query")
        d.arrow(f"k{i}", f"dot{i}", "key")
        d.arrow(f"dot{i}", f"scale{i}")
        d.arrow(f"scale{i}", f"e{i}")
    d.symbol("softmax", KEYS[2], 8.7, "softmax", size=(3.3, 0.5))
    for i in WORDS:
        d.arrow(f"e{i}", "softmax", via=((KEYS[i], 8.2),))
        d.arrow("softmax", f"a{i}", via=((KEYS[i], 9.2),))


def _add_sum(d: Diagram) -> None:
    """Every value times its weight, and all of it added up."""
    for i in WORDS:
        height = 13.6 - 1.05 * i
        d.circle(f"times{i}", VALUES[i], height, "×", "value")
        d.arrow(f"a{i}", f"times{i}", via=((KEYS[i], height),))
        d.arrow(f"v{i}", f"times{i}", "value")
    top = 13.9
    for i in (2, 3):
        d.circle(f"plus{i}", VALUES[i], top, "+", "value")
        d.arrow(f"times{i}", f"plus{i}", "value")
    d.symbol("out", VALUES[3] + 1.2, top, "$\\bar{v}_1$", "value", (0.8, 0.7))
    d.arrow("times1", "plus2", "value", via=((VALUES[1], top),))
    d.arrow("plus2", "plus3", "value")
    d.arrow("plus3", "out", "value")
