"""Diagrams of chapter 00, ``00_text_to_tensors``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_COLUMNS = (3.3, 5.3, 7.3)  # where the three time steps stand
_LEFT, _RIGHT = 1.0, 9.35  # names of the rows, shapes of the tensors
_TOKENS = (("the", 4), ("cat", 7), ("sat", 9))


def text_to_tensor() -> Diagram:
    """A text on its way: tokens, ids, one-hot vectors, rows of E, a batch.

    The second row of the batch is a shorter text, filled up with padding;
    the mask of that row stands under it.
    """
    d = Diagram()
    _row(d, 0.0, "text")
    _row(d, -1.4, "tokens")
    _row(d, -2.7, "ids", "(B, T)")
    _row(d, -4.0, "one-hot", "(B, T, V)")
    _row(d, -5.4, "embedding", "(V, D)")
    d.symbol("text", _COLUMNS[1], 0.0, "“the cat sat”", "ink", (5.0, 0.6))
    d.box("E", _COLUMNS[1], -5.4, "$E$", "input", (5.4, 0.8))
    d.frame("batch", 5.3, -7.65, (6.2, 3.1), "batch")
    for t, (x, (token, number)) in enumerate(
        zip(_COLUMNS, _TOKENS, strict=True), start=1
    ):
        _column(d, t, x, token, number)
    _row(d, -7.3, "first text", "(B, T, D)")
    _row(d, -8.5, "second text")
    _row(d, -9.8, "its mask", "(B, T)")
    for t, x in enumerate(_COLUMNS, start=1):
        real = t < 3
        label, role = (f"$x_{t}$", "input") if real else ("pad", "muted")
        d.symbol(f"second{t}", x, -8.5, label, role)
        role = "ink" if real else "muted"
        d.symbol(f"m{t}", x, -9.8, f"$m_{t} = {int(real)}$", role, (1.7, 0.6))
    return d


def _row(d: Diagram, y: float, name: str, shape: str = "") -> None:
    """The name of a row at its left, the shape of its tensor at its right."""
    d.symbol(f"name of {name}", _LEFT, y, name, "muted", (2.2, 0.6))
    if shape:
        d.symbol(f"shape of {name}", _RIGHT, y, shape, "muted", (1.9, 0.6))


def _column(d: Diagram, t: int, x: float, token: str, number: int) -> None:
    """One time step: its token, id, one-hot vector and embedding."""
    d.symbol(f"token{t}", x, -1.4, token)
    d.symbol(f"w{t}", x, -2.7, f"$w_{t} = {number}$", "ink", (1.7, 0.6))
    d.symbol(f"u{t}", x, -4.0, f"$u_{t}$", "input")
    d.symbol(f"x{t}", x, -7.3, f"$x_{t}$", "input")
    d.arrow("text", f"token{t}", via=((x, -0.7),))  # straight down
    d.arrow(f"token{t}", f"w{t}")
    d.arrow(f"w{t}", f"u{t}")
    d.arrow(f"u{t}", "E", "input", via=((x, -4.7),))
    d.arrow("E", f"x{t}", "input", via=((x, -6.3),))
