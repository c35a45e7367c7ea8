"""How a figure ends a cell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from matplotlib import pyplot as plt

from nlp_course.display import Picture, show
from nlp_course.display.figures import escape


@pytest.fixture(autouse=True)
def no_figures_left() -> Iterator[None]:
    """Close what a test leaves open."""
    yield
    plt.close("all")


def test_a_shown_figure_is_closed() -> None:
    figure = plt.figure()
    other = plt.figure()
    show(figure, "a line")
    assert plt.get_fignums() == [other.number]


def test_a_picture_is_html_with_a_plain_description() -> None:
    picture = show(plt.figure(), "a line\n   that rises")
    assert isinstance(picture, Picture)
    data = picture._repr_mimebundle_(include=None, exclude=None)
    assert set(data) == {"text/plain", "text/html"}
    assert data["text/plain"] == repr(picture) == "Figure: a line that rises"
    html = data["text/html"]
    assert html == f'<div class="course-figure">{picture.svg}</div>'
    assert 'aria-label="a line that rises"' in html


@pytest.mark.parametrize("alt", ["", " \n"])
def test_a_figure_must_be_described(alt: str) -> None:
    with pytest.raises(ValueError, match="needs a description"):
        show(plt.figure(), alt)


def test_html_is_escaped_with_its_quotes() -> None:
    assert escape('<a b="c">&\'') == "&lt;a b=&quot;c&quot;&gt;&amp;&#x27;"
