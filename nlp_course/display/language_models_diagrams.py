"""Diagrams of chapter 16, ``16_language_models_compared``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

SEGMENTS, STEPS, LAYERS = 3, 3, 2  # of the picture of a long text
_ROOM = 1.05  # between two words of it
_GAP = 0.55  # between two segments
_SMALL = (0.7, 0.6)


def segments_diagram() -> Diagram:
    """What the last word of three segments depends on, :eq:`eq-lm-reach`.

    Words below, a dot for every word in every layer.  A line leads from a
    dot to every dot above that attends to it; those that cross from one
    segment to the next come out of the memory.  Dots that the last word does
    not depend on have no lines.
    """
    d = Diagram()
    words = SEGMENTS * STEPS
    for s in range(SEGMENTS):
        middle = (_place(s * STEPS) + _place((s + 1) * STEPS - 1)) / 2
        d.frame(
            f"segment {s + 1}",
            middle,
            3.0,
            ((STEPS - 1) * _ROOM + 0.9, 6.9),
            f"segment {s + 1}",
        )
    for i in range(words):
        d.symbol(f"x{i + 1}", _place(i), 0.1, f"$x_{i + 1}$", "input", _SMALL)
        for layer in range(LAYERS + 1):
            d.dot(f"{layer},{i + 1}", _place(i), 1.0 + 2.2 * layer, "hidden")
    _add_cone(d, LAYERS, words)
    return d


def _place(word: int) -> float:
    """Where a word stands, counted from 0."""
    return word * _ROOM + word // STEPS * _GAP


def seen_by(word: int) -> list[int]:
    """The words whose input a layer uses for a word, counted from 1.

    Its own segment up to the word, and the whole segment before.
    """
    begin = (word - 1) // STEPS * STEPS + 1
    return list(range(max(1, begin - STEPS), word + 1))


def _add_cone(d: Diagram, layer: int, word: int) -> None:
    """All lines to a word in a layer, and to what these depend on."""
    todo, done = [(layer, word)], set()
    while todo:
        at = todo.pop()
        if at in done or at[0] == 0:
            continue
        done.add(at)
        for i in seen_by(at[1]):
            same = (i - 1) // STEPS == (at[1] - 1) // STEPS
            role = "value" if same else "gate"
            below = (at[0] - 1, i)
            d.arrow(f"{below[0]},{i}", f"{at[0]},{at[1]}", role, head=False)
            todo.append(below)


def relative_attention_diagram() -> Diagram:
    """One score with a memory, :eq:`eq-lm-memory` and :eq:`eq-lm-relative`.

    Read upwards.  Keys and values are made of memory and segment, queries of
    the segment alone; the score adds a product with the key and a product
    with the distance.
    """
    d = Diagram()
    _add_inputs(d)
    _add_letters(d)
    _add_score(d)
    _add_answer(d)
    return d


_V, _K, _Q, _R = 1.0, 3.2, 5.9, 8.8  # where the four columns stand


def _add_inputs(d: Diagram) -> None:
    """The memory behind a stopped gradient, and the segment."""
    # a prime inside $…$ would come out as another character in live text
    d.symbol("memory", _V, 0.0, "x′", "gate", _SMALL)
    d.circle("stop", _V, 1.2, "sg", "gate")
    d.symbol("x", _Q, 0.0, "$x$", "hidden", _SMALL)
    d.dot("copy", _Q, 1.2, "hidden")
    d.dot("join", _K, 1.2, "hidden")
    d.symbol("joined", _K + 0.75, 1.85, "[x′; x]", "hidden", (1.3, 0.6))
    d.dot("both", _K, 2.5, "hidden")
    d.arrow("memory", "stop", "gate")
    d.arrow("stop", "join", "gate")
    d.arrow("x", "copy", "hidden", head=False)
    d.arrow("copy", "join", "hidden")
    d.arrow("join", "both", "hidden", head=False)
    d.symbol("P", _R, 2.3, "$P_{t-i}$", "muted", (1.2, 0.6))


def _add_letters(d: Diagram) -> None:
    """Value, key, query and the vector of a distance, each by its matrix."""
    for name, x, matrix, letter, role in (
        ("v", _V, "$W^V$", "$v_i$", "value"),
        ("k", _K, "$W^K$", "$k_i$", "key"),
        ("q", _Q, "$W^Q$", "$q_t$", "query"),
        ("r", _R, "$W^R$", "$r_{t-i}$", "key"),
    ):
        d.box(f"make {name}", x, 3.7, matrix, role)
        size = (1.1, 0.6) if name == "r" else _SMALL
        d.symbol(name, x, 5.0, letter, role, size)
        d.arrow(f"make {name}", name, role)
    d.arrow("both", "make v", "hidden", via=((_V, 2.5),))
    d.arrow("both", "make k", "hidden")
    d.arrow("copy", "make q", "hidden")
    d.arrow("P", "make r", "muted")


def _add_score(d: Diagram) -> None:
    """Query with u meets the key, query with v meets the distance."""
    d.dot("ask", _Q, 6.9, "query")
    d.arrow("q", "ask", "query", head=False)
    for name, x in (("u", _Q - 1.2), ("bias", _Q + 1.2)):
        letter = "$u$" if name == "u" else "$v$"
        d.symbol(name, x, 5.7, letter, "query", (0.5, 0.6))
        d.circle(f"+{name}", x, 6.9, "+", "query")
        d.arrow(name, f"+{name}", "query")
        d.arrow("ask", f"+{name}", "query")
    for name, x, start in (("content", _K, "u"), ("distance", _R, "bias")):
        side = _Q - 1.2 if start == "u" else _Q + 1.2
        d.circle(name, x, 8.2, "·")
        d.arrow(f"+{start}", name, "query", via=((side, 8.2),))
    d.arrow("k", "content", "key")
    d.arrow("r", "distance", "key")
    d.circle("sum", _Q, 9.5, "+")
    d.arrow("content", "sum", via=((_K, 9.5),))
    d.arrow("distance", "sum", via=((_R, 9.5),))


def _add_answer(d: Diagram) -> None:
    """Scaled, masked, normed by the softmax; the values are added up."""
    d.circle("scale", _Q, 10.7, "÷√d")
    d.circle("mask", _Q, 11.9, "$m_{ti}$", "gate")
    d.symbol("softmax", _Q, 13.1, "softmax", size=(1.7, 0.6))
    d.circle("times", _V, 13.1, "×", "value")
    d.symbol("alpha", _K + 0.2, 13.5, "$\\alpha_{ti}$", size=(0.9, 0.6))
    d.circle("add", _V, 14.4, "Σ", "value")
    d.symbol("out", _K, 14.4, "$\\bar{v}_t$", "value", _SMALL)
    d.arrow("sum", "scale")
    d.arrow("scale", "mask")
    d.arrow("mask", "softmax")
    d.arrow("softmax", "times")
    d.arrow("v", "times", "value")
    d.arrow("times", "add", "value")
    d.arrow("add", "out", "value")
