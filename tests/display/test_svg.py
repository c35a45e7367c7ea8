"""A figure as SVG: described, themed, searchable, alone on its page or not."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nlp_course.display import COLOURS, SERIES, use_course_style
from nlp_course.display.style import ROLES
from nlp_course.display.svg import to_svg

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(autouse=True)
def course_style() -> Iterator[None]:
    """Draw in the course's style, and leave nothing behind."""
    with mpl.rc_context():
        use_course_style()
        yield
    plt.close("all")


def figure(title: str = "loss & time") -> Figure:
    """Curves, a legend, hatched bars, a picture and text in every role."""
    fig, ax = plt.subplots()
    for k, series in enumerate(SERIES):
        ax.plot([0, 1], [k, k + 1], label=f"curve {k}", **series)
    ax.bar([0.5], [2], color=COLOURS["gate"], hatch="//")
    for k, colour in enumerate(COLOURS.values()):
        ax.text(k / 12, 0.5, f"role {k}", color=colour)
    ax.imshow(np.eye(2), extent=(0.0, 0.2, 3.0, 4.0), aspect="auto")
    ax.set(title=title, xlim=(0, 1.5), ylim=(0, 6))
    ax.set_xlabel("$h_t$ and $W x$")
    ax.set_ylabel("σ′ of a")
    ax.legend()
    return fig


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def ids(svg: str) -> list[str]:
    found = [element.get("id") for element in parse(svg).iter()]
    return [name for name in found if name is not None]


def references(svg: str) -> set[str]:
    found = set(re.findall(r"url\(#([^)]+)\)", svg))
    for element in parse(svg).iter():
        target = element.get(HREF) or element.get("href") or ""
        if target.startswith("#"):
            found.add(target[1:])
    return found


def test_the_picture_has_a_description() -> None:
    svg = to_svg(figure(), 'Two "curves" < one &\n   falls')
    root = parse(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'Two "curves" < one & falls'
    assert root.get("focusable") == "false"


@pytest.mark.parametrize("alt", ["", "  \n\t"])
def test_without_a_description_there_is_no_picture(alt: str) -> None:
    with pytest.raises(ValueError, match=r"needs a description \(alt\)"):
        to_svg(figure(), alt)


def test_no_stand_in_colour_is_left() -> None:
    svg = to_svg(figure(), "all roles").lower()
    for name, role in ROLES.items():
        assert role.stand_in not in svg
        if name != "ink":
            assert f"var(--course-{name}, {role.light})" in svg
    assert "currentcolor" in svg


def test_each_role_becomes_its_own_variable() -> None:
    for name, role in ROLES.items():
        fig = plt.figure()
        fig.text(0.5, 0.5, "word", color=COLOURS[name])
        svg = to_svg(fig, "one word")
        used = set(re.findall(r"var\(--course-[a-z]+, #[0-9a-f]{6}\)", svg))
        if name == "ink":
            assert not used
            assert "fill: currentColor" in svg
        else:
            assert used == {f"var(--course-{name}, {role.light})"}


def test_nothing_is_drawn_in_black_or_white_of_its_own() -> None:
    fig, ax = plt.subplots()
    ax.plot([0, 1], [0, 1], label="a")
    ax.legend()
    svg = to_svg(fig, "a line")
    fixed = set(
        re.findall(r"(?:fill|stroke): (#[0-9a-f]{6}|black|white)", svg)
    )
    assert not fixed, "these would not follow the theme of the page"


def test_text_stays_text() -> None:
    root = parse(to_svg(figure(), "words"))
    words = {
        "".join(element.itertext()).strip()
        for element in root.iter(f"{SVG}text")
    }
    assert {"loss & time", "curve 0", "σ′ of a", "role 3"} <= words


def test_fonts_have_a_substitute_of_the_same_width() -> None:
    svg = to_svg(figure(), "words")
    families = re.findall(r"font-family: ([^;\"]+)", svg)
    families += re.findall(r"font: [^;\"]*?px ([^;\"]+)", svg)
    assert families
    for family in families:
        assert "DejaVu Sans" in family
        assert "Verdana, sans-serif" in family


def test_ids_are_unique_and_every_reference_is_met() -> None:
    svg = to_svg(figure(), "one")
    found = ids(svg)
    assert found, "the figure has clip paths and markers"
    assert len(set(found)) == len(found)
    assert references(svg) == set(found), "no loose end, and no idle id"


@pytest.mark.parametrize(
    ("title", "alt"),
    [("other", "one"), ("loss & time", "another description")],
    ids=["another figure", "the same figure, otherwise described"],
)
def test_two_pictures_on_a_page_share_no_id(title: str, alt: str) -> None:
    one = to_svg(figure(), "one")
    other = to_svg(figure(title), alt)
    assert not set(ids(one)) & set(ids(other))


def test_the_same_figure_gives_the_same_text() -> None:
    assert to_svg(figure(), "one") == to_svg(figure(), "one")


def test_the_size_follows_the_page() -> None:
    root = parse(to_svg(figure(), "one"))
    assert root.get("width") is root.get("height") is None
    assert root.get("viewBox") == "0 0 374.4 230.4"
    # 5.2 inches at 96 pixels an inch
    assert root.get("style") == "width:499px;max-width:100%"


def test_nothing_is_loaded_or_run_or_dated() -> None:
    svg = to_svg(figure(), "one")
    root = parse(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert not list(root.iter(f"{SVG}metadata"))
    links = re.findall(r'(?:href|src)="([^"]*)"', svg)
    assert all(link.startswith(("#", "data:image/")) for link in links)
    assert not re.search(r"\b20\d\d-\d\d-\d\d", svg), "a date changes daily"


def test_no_rule_of_the_picture_reaches_the_page() -> None:
    root = parse(to_svg(figure(), "one"))
    assert not list(root.iter(f"{SVG}style"))
    # what matplotlib's rule said is inherited from the picture
    assert root.get("stroke-linejoin") == "round"
    assert root.get("stroke-linecap") == "butt"


def test_figures_in_another_style_are_themed_too() -> None:
    with mpl.rc_context():
        mpl.rcdefaults()
        svg = to_svg(figure(), "one")
        assert to_svg(figure(), "one") == svg, "the ids are not random"
    assert "<text" in svg
    assert not any(role.stand_in in svg for role in ROLES.values())
