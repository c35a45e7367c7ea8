"""The palette: readable on both pages, and never colour alone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from nlp_course.display import COLOURS, SERIES, style, use_course_style
from nlp_course.display.style import ROLES, STYLE

STATIC = Path(__file__).parents[2] / "book" / "_static" / "course"
LIGHT, DARK = "#ffffff", "#121212"
BACKGROUND = {"grid", "paper"}  # nothing is read off these
READ = sorted(set(ROLES) - BACKGROUND)


def luminance(colour: str) -> float:
    """Relative luminance, as the accessibility guidelines define it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in channels
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    dim, bright = sorted([luminance(one), luminance(other)])
    return (bright + 0.05) / (dim + 0.05)


def test_contrast_is_measured_as_the_guidelines_do() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", READ)
def test_every_role_is_readable_on_both_pages(name: str) -> None:
    assert contrast(ROLES[name].light, LIGHT) >= 4.5
    assert contrast(ROLES[name].dark, DARK) >= 4.5


def test_paper_is_the_page_and_the_grid_is_faint() -> None:
    assert ROLES["paper"].light == LIGHT
    assert ROLES["paper"].dark == DARK
    assert 1.2 < contrast(ROLES["grid"].light, LIGHT) < 3
    assert 1.2 < contrast(ROLES["grid"].dark, DARK) < 3


def test_no_two_roles_look_the_same() -> None:
    for field in ("stand_in", "light", "dark"):
        colours = [getattr(role, field) for role in ROLES.values()]
        assert len(set(colours)) == len(colours)
        for colour in colours:
            assert re.fullmatch("#[0-9a-f]{6}", colour), "as matplotlib writes"


def test_a_stand_in_is_mistaken_for_no_real_colour() -> None:
    real = {c for role in ROLES.values() for c in (role.light, role.dark)}
    assert not real & set(COLOURS.values())
    assert {name: r.stand_in for name, r in ROLES.items()} == COLOURS


def test_curves_differ_in_more_than_colour() -> None:
    for one, other in itertools.combinations(SERIES, 2):
        assert one["color"] != other["color"]
        assert one["linestyle"] != other["linestyle"]
        assert one["marker"] != other["marker"]
    assert {s["color"] for s in SERIES} <= {COLOURS[name] for name in READ}


def variables(css: str) -> list[tuple[str, dict[str, str]]]:
    """Selectors and their variables."""
    blocks = re.findall(r"([^{}]+)\{([^}]*)\}", css)
    pairs = r"--course-([a-z]+): (#[0-9a-f]{6});"
    return [(head.strip(), dict(re.findall(pairs, b))) for head, b in blocks]


def test_the_stylesheet_holds_every_role_for_both_pages() -> None:
    light = {name: role.light for name, role in ROLES.items()}
    dark = {name: role.dark for name, role in ROLES.items()}
    assert variables(style.css()) == [
        ("html", light),
        ('html[data-theme="dark"]', dark),
        ('body[data-jp-theme-light="false"]', dark),
    ]


def test_the_stylesheet_of_the_book_is_the_one_made_here() -> None:
    comment, _, rest = (
        (STATIC / "palette.css").read_text("utf-8").partition("\n")
    )
    assert comment.startswith("/*")
    assert comment.endswith("*/")
    assert rest == style.css(), "write it again with style.css()"


def test_the_style_is_set_when_asked_for() -> None:
    with mpl.rc_context():
        use_course_style()
        found: dict[str, Any] = {key: mpl.rcParams[key] for key in STYLE}
        assert found["figure.figsize"] == [5.2, 3.2]
        assert found["svg.fonttype"] == "none"
        for key in ("text.color", "axes.labelcolor", "xtick.labelcolor"):
            assert found[key] == COLOURS["ink"]
        assert found["font.size"] >= 10
        assert found["legend.fontsize"] >= 10
