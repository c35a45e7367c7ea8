"""The one way to show a figure."""

from __future__ import annotations

import html
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nlp_course.display.svg import to_svg


class Picture:
    """A finished picture: SVG with a description.

    Its caption stands in the metadata of the cell, where the book numbers
    it and the translators find it.
    """

    def __init__(self, svg: str, alt: str) -> None:
        self.svg = svg
        self.alt = " ".join(alt.split())

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        body = f'<div class="course-figure">{self.svg}</div>'
        return {"text/plain": repr(self), "text/html": body}


def show(figure: Figure, alt: str) -> Picture:
    """Show a figure: the last line of a cell.

    ``alt`` says what can be seen and what follows from it, for a reader who
    cannot see the picture.  Raises ``ValueError`` if it is empty.
    """
    picture = Picture(to_svg(figure, alt), alt)
    plt.close(figure)  # else JupyterLab would show it a second time
    return picture


def escape(text: str) -> str:
    """Text for use inside HTML."""
    return html.escape(text, quote=True)
