"""The diagram of chapter 11, ``11_multi_head_attention``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_ROWS = (4.6, 2.3)  # where head 1 and head 2 stand
_MIDDLE = sum(_ROWS) / 2


def heads_diagram() -> Diagram:
    """Two heads as slices, :eq:`eq-heads-slices` to :eq:`eq-heads-join`.

    Rows are heads, columns are queries, keys, values and what was found.
    """
    d = Diagram()
    _add_projections(d)
    for head, y in enumerate(_ROWS, start=1):
        _add_head(d, head, y)
    d.frame("joined", 7.35, _MIDDLE, (1.3, 3.9))
    d.box("WO", 8.95, _MIDDLE, "$W^O$", size=(1.1, 0.8))
    d.symbol("o", 10.2, _MIDDLE, "$o_t$", size=(0.8, 0.6))
    d.arrow("joined", "WO")
    d.arrow("WO", "o")
    return d


def _add_projections(d: Diagram) -> None:
    """One product for all heads: whole vectors, drawn as frames."""
    columns = (("Q", 0.6, "query"), ("K", 3.2, "key"), ("V", 4.7, "value"))
    for name, x, role in columns:
        d.frame(f"whole {name}", x, _MIDDLE, (1.2, 3.9))
        d.box(f"W{name}", x, 0.0, f"$W^{name}$", role, (1.1, 0.8))
        d.arrow(f"W{name}", f"whole {name}", role)
    d.symbol("x t", 0.6, -1.7, "$x_t$", "input", (0.8, 0.6))
    d.symbol("x i", 3.95, -1.7, "$x_i$", "input", (0.8, 0.6))
    d.dot("copy", 3.95, -0.9, "input")
    d.arrow("x t", "WQ", "input")
    d.arrow("x i", "copy", "input", head=False)
    d.arrow("copy", "WK", "input", via=((3.2, -0.9),))
    d.arrow("copy", "WV", "input", via=((4.7, -0.9),))


def _add_head(d: Diagram, head: int, y: float) -> None:
    """One row: slices, the weights of this head, and its sum."""
    up = f"^{{({head})}}"
    slices = (
        ("q", 0.6, f"$q_t{up}$", "query"),
        ("k", 3.2, f"$k_i{up}$", "key"),
        ("v", 4.7, f"$v_i{up}$", "value"),
        ("found", 7.35, f"$\\bar{{v}}_t{up}$", "value"),
    )
    for name, x, label, role in slices:
        d.symbol(f"{name} {head}", x, y, label, role, (1.0, 0.7))
    d.circle(f"α {head}", 1.9, y, f"$\\alpha_t{up}$")
    d.circle(f"Σ {head}", 6.05, y, "Σ", "value")
    d.arrow(f"q {head}", f"α {head}", "query")
    d.arrow(f"k {head}", f"α {head}", "key")
    # the weights pass over keys and values
    over = y + 0.9
    d.arrow(f"α {head}", f"Σ {head}", via=((1.9, over), (6.05, over)))
    d.arrow(f"v {head}", f"Σ {head}", "value")
    d.arrow(f"Σ {head}", f"found {head}", "value")
